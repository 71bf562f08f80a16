"""How well the alert rules find what is planted, and how often they cry without cause.

Belongs here: the two companies, the comparison, the printed figures. Does not belong here: rules, and what is planted.

    python -m benchmarks.alerts                 both, on temporary companies (many minutes)
    python -m benchmarks.alerts --planted HOME  detection alone, on an installation with the sample company

Detection is judged on the default sample, whose `ground_truth.json` says what was planted, where and on which days. An
incident is found when its rule fires for its scope within its days; the delay counts from its first day, or from the
first day on which the planted cause passes the rule's own amount, where the truth says so. Precision is over incidents
of the lifecycle, not over days: what a planted cause brings with it (`CONSEQUENCES`) is no false alarm.

False alarms are counted on a year of the same 85 tenants with their weekdays, growth, churn and releases, in which
nothing is planted. Tenants that leave are true alarms of `gone_silent`, and what a plan does not pay for is true too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from orchestration.publishing.reader import open_marts

YEAR_DAYS = 365
DEFAULT_YEAR_REQUESTS = 1_200_000

CONSEQUENCES = {
    "noisy_tenant": {"tenant_spend_spike", "tenant_hour_spike", "tenant_without_enterprise_tier"},
    "prompt_growth": {"feature_token_regression", "outcome_cost_regression"},
    "retry_storm": {"error_rate_with_rising_tokens", "retry_rate_rise"},
    "model_drift": {"premium_model_share_drift", "outcome_cost_regression"},
    "cache_collapse": {"cache_hit_collapse", "outcome_cost_regression", "tenant_spend_spike", "tenant_hour_spike"},
    "embedding_runaway": {"embedding_overrun"},
    "untagged_traffic": {"unattributed_share"},
    "unpriced_model": {"unpriced_requests"},
    "uninstrumented_service": {"unattributed_share", "log_coverage_drop"},
    "budget_burn": {"budget_burned_in_first_week", "forecast_over_budget"},
    "outgrown_plan": {"tenant_without_enterprise_tier", "tenant_hour_spike", "tenant_spend_spike"},
    "price_cut": {"price_changed"},
}
"""What each planted cause may set off, its own rule first."""

AFTERMATH = timedelta(days=10)
"""A rule that compares weeks, or waits for verdicts, fires after the cause is over."""

TRUE_WITHOUT_INCIDENT = {"gone_silent", "tenant_without_enterprise_tier"}


@dataclass(frozen=True)
class Planted:
    """One planted incident."""

    incident_id: str
    rule: str
    first: date
    last: date
    scopes: frozenset[str]

    def is_about(self, alert: Mapping[str, Any]) -> bool:
        """Tell whether an alert is of the whole company, or names what was planted."""
        scope = str(alert["scope_id"]).split("/")
        return not self.scopes or alert["scope_kind"] == "org" or bool(self.scopes & set(scope))

    def explains(self, alert: Mapping[str, Any]) -> bool:
        """Tell whether an alert is of this incident: one of its rules, in its days."""
        is_its_rule = alert["alert_rule"] in CONSEQUENCES.get(self.incident_id, {self.rule})
        return is_its_rule and self.first <= alert["first_date"] <= self.last + AFTERMATH


def main() -> int:
    """Print the figures; return 1 when an incident was not found, or a clean week has more than one false alarm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planted", type=Path, help="an installation with the sample company, already run")
    parser.add_argument("--clean", type=Path, help="an installation with a clean year, already run")
    parser.add_argument("--year-requests", type=int, default=DEFAULT_YEAR_REQUESTS)
    options = parser.parse_args()
    only_one = (options.planted is None) != (options.clean is None)
    is_good = True
    with tempfile.TemporaryDirectory(prefix="trueup-bench-alerts-") as scratch:
        if options.planted or not only_one:
            home = options.planted or build(Path(scratch) / "planted", ())
            is_good &= report_detection(home)
        if options.clean or not only_one:
            year = ("--days", str(YEAR_DAYS), "--requests", str(options.year_requests), "--no-incidents")
            home = options.clean or build(Path(scratch) / "clean", year)
            is_good &= report_false_alarms(home)
    return 0 if is_good else 1


def build(home: Path, sample: Sequence[str]) -> Path:
    """Generate a company and run the main job on it, as a user does."""
    for command in (("sample", *sample), ("run",)):
        subprocess.run(
            [sys.executable, "-c", "from orchestration.cli import app; app()", *command],
            env={**os.environ, "TRUEUP_HOME": str(home)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    return home


def alerts_of(home: Path) -> list[dict[str, Any]]:
    """Return one row for each run of days on which a rule fired for a scope, with its first driver."""
    with open_marts(home / "published") as marts:
        cursor = marts.execute(
            """
            with islands as (
              select *, usage_date - row_number() over (
                partition by alert_rule, scope_kind, scope_id order by usage_date
              ) * interval '1 day' as island
              from alerts
            )
            select alert_rule, scope_kind, scope_id, min(usage_date) as first_date, max(usage_date) as last_date,
                   arg_min(top_drivers, usage_date) as top_drivers
            from islands group by alert_rule, scope_kind, scope_id, island order by first_date, alert_rule
            """
        )
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def planted_in(home: Path) -> list[Planted]:
    """Return what the sample's ground truth says of incidents that an alert should find."""
    truth = json.loads((home / "sample" / "ground_truth.json").read_text())
    found: list[Planted] = []
    for one in truth["incidents"]:
        if one["id"] not in CONSEQUENCES:
            continue  # seen in a mart, not by an alert: a restated bill, a discount
        first, last = date.fromisoformat(one["first_date"]), date.fromisoformat(one["last_date"])
        crossed = one.get("crossed_80_pct_on") or next(iter(one.get("dates_over_50_usd", [])), None)
        if crossed is not None:
            first = date.fromisoformat(crossed)
        scopes = frozenset(one[name] for name in ("tenant_id", "feature", "model", "provider") if one.get(name))
        found.append(Planted(one["id"], one["rule"], first, last, scopes))
    return found


def report_detection(home: Path) -> bool:
    """Print delay, recall and precision; return whether everything was found."""
    alerts, planted = alerts_of(home), planted_in(home)
    print(f"{'planted':<24}{'rule':<34}{'first day':<12}{'found':<12}{'delay':>6}  first driver")
    delays: list[int] = []
    for one in planted:
        own = [
            a for a in alerts if a["alert_rule"] == one.rule and one.first <= a["first_date"] <= one.last + AFTERMATH
        ]
        day = min((a["first_date"] for a in own), default=None)
        if day is None:
            print(f"{one.incident_id:<24}{one.rule:<34}{one.first!s:<12}{'never':<12}")
            continue
        delays.append((day - one.first).days)
        driver = next((a["top_drivers"] for a in own if a["first_date"] == day), None) or ""
        print(f"{one.incident_id:<24}{one.rule:<34}{one.first!s:<12}{day!s:<12}{delays[-1]:>4} d  {driver[:90]}")
    false = [alert for alert in alerts if not any(one.explains(alert) for one in planted)]
    false = [alert for alert in false if alert["alert_rule"] not in TRUE_WITHOUT_INCIDENT]
    for alert in false:
        print(f"unexplained: {alert['first_date']} {alert['alert_rule']} {alert['scope_kind']} {alert['scope_id']}")
    recall = f"{len(delays)}/{len(planted)}"
    precision = f"{len(alerts) - len(false)}/{len(alerts)}"
    print(f"recall {recall}, precision {precision} alerts, mean delay {sum(delays) / max(len(delays), 1):.2f} days")
    return len(delays) == len(planted)


def report_false_alarms(home: Path) -> bool:
    """Print the false alarms of a year in which nothing was planted; return whether there is less than one a week."""
    with open_marts(home / "published") as marts:
        (days,) = marts.execute("select count(distinct usage_date) from unit_economics_by_tenant_day").fetchall()[0]
    by_rule: dict[str, int] = defaultdict(int)
    for alert in false_alarms(alerts_of(home)):
        by_rule[alert["alert_rule"]] += 1
    for rule, number in sorted(by_rule.items(), key=lambda item: -item[1]):
        print(f"{rule:<34}{number:>5}")
    a_week = sum(by_rule.values()) / (days / 7)
    print(f"{sum(by_rule.values())} false alarms in {days} days without an incident: {a_week:.2f} a week")
    return a_week < 1


def false_alarms(alerts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the alerts that are false where nothing was planted."""
    return [alert for alert in alerts if alert["alert_rule"] not in TRUE_WITHOUT_INCIDENT]


if __name__ == "__main__":
    raise SystemExit(main())
