"""A mistake in a reviewed file is answered with file, line, column and what was expected."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pytest

from orchestration.alerting.routing import CHANNELS_FILE
from orchestration.alerting.rules import OVERRIDES_FILE, RULES_FILE, RuleBook, RuleOverride, read_rule_book
from orchestration.settings import PROJECT_ROOT

TODAY = date(2026, 11, 21)
SHIPPED = PROJECT_ROOT / "pricing_seeds"
OVERRIDE = {
    "rule": "tenant_spend_spike",
    "scope_kind": "tenant",
    "scope_id": "acme",
    "threshold": "3",
    "valid_from": "2026-11-01",
    "reason": "imports once a week",
}
EXEMPTION = OVERRIDE | {"threshold": "", "exempt": "true", "valid_to": "2026-12-01"}


def read(folder: Path, overrides: Sequence[Mapping[str, str]] = (), rule: Mapping[str, str] | None = None) -> RuleBook:
    """Read the shipped rules with some cells of the first changed, and these overrides."""
    with (SHIPPED / RULES_FILE).open(newline="") as handle:
        rules = list(csv.DictReader(handle))
    rules[0] |= rule or {}
    shutil.copyfile(SHIPPED / CHANNELS_FILE, folder / CHANNELS_FILE)
    for name, columns, rows in (
        (RULES_FILE, list(rules[0]), rules),
        (OVERRIDES_FILE, list(RuleOverride.model_fields), overrides),
    ):
        with (folder / name).open("w", newline="") as handle:
            writer = csv.DictWriter(handle, columns)
            writer.writeheader()
            writer.writerows(rows)
    return read_rule_book(folder, TODAY)


def test_the_shipped_rules_are_sound() -> None:
    book = read_rule_book(SHIPPED, TODAY)
    assert (list(book.problems), list(book.notices)) == ([], [])
    assert len(book.rules) >= 9


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"threshold": "twice"}, "alert_rules.csv, line 2: threshold: "),
        ({"threshold": "-1"}, "line 2: threshold: Input should be greater than or equal to 0, got '-1'"),
        ({"threshold": "nan"}, "line 2: threshold: "),
        ({"comparator": "below_times"}, "below_times needs a threshold under 1"),
        ({"floor": ""}, "floor and floor_unit go together"),
        ({"channel": "pager"}, "line 2: channel: unknown channel 'pager'; alert_channels.csv has on_call, "),
        ({"action": "shout"}, "line 2: action: "),
        ({"action": "none", "automatic": "true"}, "automatic needs an action"),
        ({"runbook": "docs/alerts/other.md"}, "the runbook must be docs/alerts/tenant_spend_spike.md"),
        ({"noise_deviations": ""}, "noise_days and noise_deviations go together"),
        ({"min_history_days": "8"}, "min_history_days cannot be more than window_days"),
        ({"rule": "estimate_drift", "runbook": "docs/alerts/estimate_drift.md"}, "rule estimate_drift has 2 rows"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_rule_that_makes_no_sense_is_refused(tmp_path: Path, rule: dict[str, str], told: str) -> None:
    assert told in "\n".join(read(tmp_path, rule=rule).problems)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ([OVERRIDE | {"rule": "tenant_spike"}], "alert_rule_overrides.csv, line 2: rule: unknown rule 'tenant_spike'"),
        ([EXEMPTION | {"valid_to": ""}], "an exemption needs an end: valid_to"),
        ([EXEMPTION | {"reason": ""}], "line 2: reason: "),
        ([EXEMPTION | {"threshold": "3"}], "either an exemption or another threshold or floor"),
        ([OVERRIDE | {"valid_to": "2026-11-01"}], "valid_to must lie after valid_from"),
        ([OVERRIDE | {"rule": "gone_silent", "scope_kind": "plan"}], "scope_kind: gone_silent does not know plans"),
        ([OVERRIDE, EXEMPTION], "lines 2 and 3 both hold on 2026-11-01 for tenant_spend_spike of tenant acme"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused(tmp_path: Path, overrides: list[dict[str, str]], told: str) -> None:
    assert told in "\n".join(read(tmp_path, overrides).problems)


def test_an_exemption_that_is_over_is_reported_and_refuses_nothing(tmp_path: Path) -> None:
    over = EXEMPTION | {"valid_to": TODAY.isoformat()}
    book = read(tmp_path, [over, EXEMPTION | {"scope_id": "globex"}])
    assert list(book.problems) == []
    (notice,) = book.notices
    assert "line 2: the exemption of tenant acme from tenant_spend_spike ended on 2026-11-21" in notice
