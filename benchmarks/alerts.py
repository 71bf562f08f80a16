"""How well the alert rules find what is planted, and how often they cry without cause.

Belongs here: the comparison and the printed figures. Does not belong here: rules, what is planted, and how the clean
year is made (`clean_year`).

    python -m benchmarks.alerts                 both, on temporary companies (minutes)
    python -m benchmarks.alerts --planted HOME  detection alone, on an installation with the sample company
    python -m benchmarks.alerts --clean HOME    false alarms alone, of a year that `build_clean_year` has built there

An alarm is an incident that opens, as the lifecycle of the product counts it: a rule and a scope, not a day.

Detection is judged on the default sample, whose `ground_truth.json` says what was planted, where and on which days.
It is found when its rule opens an incident for its scope; the delay counts from its first day, or from the first day on
which the planted cause passes the rule's own amount, where the truth says so. What a planted cause brings with it
(`CONSEQUENCES`) is no false alarm.

False alarms are counted on a clean year of the same 85 tenants. A tenant that leaves is a true alarm of `gone_silent`,
and what a plan does not pay for is true whatever the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.clean_year import YEAR_DAYS, breaches_of, build_clean_year
from orchestration.alerting.lifecycle import Breach, EventKind, Key, evaluate
from orchestration.publishing.reader import open_marts

ONE_DAY = timedelta(days=1)
NAMES = ("tenant_id", "feature", "model", "provider")

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

CAUSES = {
    "noisy_tenant": "operations_volume",
    "prompt_growth": "input_tokens_per_attempt",
    "retry_storm": "attempts_per_operation",
    "model_drift": "model_mix",
    "cache_collapse": "cache_hit_share",
    "embedding_runaway": "operations_volume",
    "untagged_traffic": "tenant_turnover",
    "unpriced_model": "unpriced_model",
    "uninstrumented_service": "unlogged_usage",
    "budget_burn": "budget",
    "outgrown_plan": "operations_volume",
    "price_cut": "list_price",
}
"""What the first driver of an alert must be, by what was planted."""

AFTERMATH = timedelta(days=10)
"""A rule that compares weeks, or waits for verdicts, fires after the cause is over."""

DAYS_TO_SEE = {"feature_token_regression": 1}
"""A rule about a release compares the days after the release's own, which is half one and half the other."""


@dataclass(frozen=True)
class Alarm:
    """An incident that opened.

    Attributes:
        first_date: UTC day of the first breach.
    """

    key: Key
    first_date: date


@dataclass(frozen=True)
class Driver:
    """The first driver of an alert: the link that moved, whom or what it names, and in words."""

    link: str
    names: Mapping[str, str]
    words: str


NO_DRIVER = Driver("", {}, "none")


@dataclass(frozen=True)
class Planted:
    """One planted incident, on the days on which its rule can see it.

    Attributes:
        names: Whom or what it concerns, by column: `tenant_id`, `feature`, `model`, `provider`.
    """

    incident_id: str
    rule: str
    first: date
    last: date
    names: Mapping[str, str]

    def is_found_by(self, alarm: Alarm) -> bool:
        """Tell whether an alarm is of its own rule, in its days, and of the whole company or of what was planted."""
        named = set(self.names.values()) & set(alarm.key.scope_id.split("/"))
        is_of_it = not self.names or alarm.key.scope_kind == "org" or bool(named)
        return alarm.key.alert_rule == self.rule and is_of_it and self._is_in_its_days(alarm)

    def explains(self, alarm: Alarm) -> bool:
        """Tell whether it may have set off an alarm: of one of its rules, in its days."""
        return alarm.key.alert_rule in CONSEQUENCES[self.incident_id] and self._is_in_its_days(alarm)

    def is_named_by(self, driver: Driver) -> bool:
        """Tell whether a driver is its cause, and names nobody else."""
        # The truth has a model's full name, with the day of its release.
        is_of_it = all(self.names.get(column, name).startswith(name) for column, name in driver.names.items())
        return driver.link == CAUSES[self.incident_id] and is_of_it

    def _is_in_its_days(self, alarm: Alarm) -> bool:
        return self.first <= alarm.first_date <= self.last + AFTERMATH


def main() -> int:
    """Print the figures; return 1 when a day or a cause was missed, or clean weeks have a false alarm each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planted", type=Path, help="an installation with the sample company, already run")
    parser.add_argument("--clean", type=Path, help="an installation with a clean year, already built")
    options = parser.parse_args()
    is_one_alone = (options.planted is None) != (options.clean is None)
    is_good = True
    with tempfile.TemporaryDirectory(prefix="trueup-bench-alerts-") as scratch:
        if options.planted or not is_one_alone:
            home = options.planted or build_planted(Path(scratch) / "planted")
            is_good &= report_detection(home)
        if options.clean or not is_one_alone:
            home = options.clean or Path(scratch) / "clean"
            if options.clean is None:
                build_clean_year(home)
            is_good &= report_false_alarms(home)
    return 0 if is_good else 1


def build_planted(home: Path) -> Path:
    """Generate the default sample and run the main job on it, as a user does."""
    subprocess.run(
        [sys.executable, "-c", "from orchestration.cli import app; app()", "run"],
        env={**os.environ, "TRUEUP_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return home


def alarms_of(rows: Iterable[Mapping[str, Any]]) -> list[Alarm]:
    """Return the incidents that breaches open when they are evaluated day by day, in the order of their days."""
    found = {
        Breach(Key(row["alert_rule"], row["scope_kind"], row["scope_id"]), row["usage_date"], row["severity"])
        for row in rows
    }
    if not found:
        return []
    first, last = min(one.usage_date for one in found), max(one.usage_date for one in found)
    days = [first + number * ONE_DAY for number in range((last - first).days + 1)]
    _, events = evaluate({}, found, days, datetime.now(UTC))
    return [
        Alarm(event.key, event.breach.usage_date)
        for event in events
        if event.kind is EventKind.OPENED and event.breach is not None
    ]


def published_breaches(home: Path) -> list[dict[str, Any]]:
    """Return the published alerts, a row each."""
    with open_marts(home / "published") as marts:
        cursor = marts.execute("select * from alerts")
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def planted_in(home: Path) -> list[Planted]:
    """Return what the sample's ground truth says of incidents that an alert should find."""
    found: list[Planted] = []
    for one in ground_truth(home)["incidents"]:
        if one["id"] not in CONSEQUENCES:
            continue  # seen in a mart, not by an alert: a restated bill, a discount
        first, last = date.fromisoformat(one["first_date"]), date.fromisoformat(one["last_date"])
        crossed = one.get("crossed_80_pct_on") or next(iter(one.get("dates_over_50_usd", [])), None)
        if crossed is not None:
            first = date.fromisoformat(crossed)
        if one["id"] == "budget_burn":
            # A budget that was entered too low is too low until its month ends.
            last = last.replace(day=monthrange(last.year, last.month)[1])
        names = {column: one[column] for column in NAMES if one.get(column)}
        found.append(Planted(one["id"], one["rule"], first, last, names))
    return found


def ground_truth(home: Path) -> Mapping[str, Any]:
    """Return what the sample says of itself."""
    return json.loads((home / "sample" / "ground_truth.json").read_text())


def departures(home: Path) -> dict[str, date]:
    """Return, for each tenant that leaves, the first day without it."""
    return {
        change["tenant_id"]: date.fromisoformat(change["date"])
        for change in ground_truth(home)["planned_changes"]
        if change["kind"] == "churned_tenant"
    }


def first_drivers(home: Path) -> dict[tuple[Key, date], Driver]:
    """Return the published first driver of each alert and day."""
    with open_marts(home / "published") as marts:
        rows = marts.execute(
            f"""
            select alert_rule, scope_kind, scope_id, usage_date, driver, driver_words, {", ".join(NAMES)}
            from spend_drivers_by_alert where driver_rank = 1
            """
        ).fetchall()
    return {
        (Key(rule, kind, scope), day): Driver(
            link, {column: name for column, name in zip(NAMES, names, strict=True) if name}, words
        )
        for rule, kind, scope, day, link, words, *names in rows
    }


def first_alarm(planted: Planted, alarms: Iterable[Alarm], drivers: Mapping[tuple[Key, date], Driver]) -> Alarm | None:
    """Return what found it first; of several scopes on one day the one that names its cause."""

    def order(alarm: Alarm) -> tuple[date, bool]:
        driver = drivers.get((alarm.key, alarm.first_date), NO_DRIVER)
        return alarm.first_date, not planted.is_named_by(driver)

    return min(filter(planted.is_found_by, alarms), key=order, default=None)


def report_detection(home: Path) -> bool:
    """Print delay, cause, recall and precision; return whether all was found on its day, with its cause first."""
    alarms, planted, drivers = alarms_of(published_breaches(home)), planted_in(home), first_drivers(home)
    print(f"{'planted':<24}{'rule':<34}{'first day':<12}{'found':<12}{'delay':>6}  {'cause':<7}first driver")
    delays: list[int] = []
    named = 0
    for one in planted:
        alarm = first_alarm(one, alarms, drivers)
        line = f"{one.incident_id:<24}{one.rule:<34}{one.first!s:<12}"
        if alarm is None:
            print(f"{line}{'never':<12}")
            continue
        delay = (alarm.first_date - one.first).days
        if delay <= DAYS_TO_SEE.get(one.rule, 0):
            delays.append(delay)
        driver = drivers.get((alarm.key, alarm.first_date), NO_DRIVER)
        is_named = one.is_named_by(driver)
        named += is_named
        print(f"{line}{alarm.first_date!s:<12}{delay:>4} d  {'first' if is_named else 'MISSED':<7}{driver.words}")
    false = false_alarms(alarms, planted, departures(home))
    for alarm in false:
        print(f"unexplained: {alarm.first_date} {alarm.key.alert_rule} {alarm.key.scope_kind} {alarm.key.scope_id}")
    print(
        f"recall {len(delays)}/{len(planted)} on their days, planted cause is the first driver {named}/{len(planted)}, "
        f"precision {len(alarms) - len(false)}/{len(alarms)} incidents, "
        f"mean delay {sum(delays) / max(len(delays), 1):.2f} days"
    )
    return len(delays) == named == len(planted)


def report_false_alarms(home: Path) -> bool:
    """Print the false alarms of days on which nothing was planted; return whether there is less than one a week."""
    alarms = alarms_of(breaches_of(home))
    false = false_alarms(alarms, (), departures(home))
    for rule, number in Counter(alarm.key.alert_rule for alarm in false).most_common():
        print(f"{rule:<34}{number:>5}")
    options = ground_truth(home)["options"]
    days = options["days"]
    a_week = len(false) * 7 / days
    print(
        f"{len(false)} false alarms of {len(alarms)} in {days} days without an incident, "
        f"{options['tenants']} tenants: {a_week:.2f} a week"
    )
    return a_week < 1 and days >= YEAR_DAYS


def false_alarms(alarms: Iterable[Alarm], planted: Sequence[Planted], left: Mapping[str, date]) -> list[Alarm]:
    """Return the alarms that nothing planted explains and that are not true by themselves.

    Args:
        alarms: All of them.
        planted: What was planted.
        left: The day from which on a tenant is gone.
    """

    def is_true(alarm: Alarm) -> bool:
        if alarm.key.alert_rule == "gone_silent":
            gone = left.get(alarm.key.scope_id)
            return gone is not None and gone <= alarm.first_date <= gone + AFTERMATH
        return alarm.key.alert_rule == "tenant_without_enterprise_tier"

    return [alarm for alarm in alarms if not is_true(alarm) and not any(one.explains(alarm) for one in planted)]


if __name__ == "__main__":
    raise SystemExit(main())
