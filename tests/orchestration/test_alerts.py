"""A breach is a failed check with its rows, and a message that says what to do."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import yaml

from orchestration.alerting.message import FailedCheck, render
from orchestration.alerting.rules import read_rule_book
from orchestration.connectors.base import Window
from orchestration.settings import PROJECT_ROOT
from orchestration.warehouse.alerts import chart, evaluate_alerts, runbook_path
from orchestration.warehouse.project import DBT_PROJECT

NODE: dict[str, Any] = {"schema": "alerts", "name": "alert_spikes", "config": {"meta": {}}}
OCTOBER = Window(date(2026, 10, 1), date(2026, 11, 1))


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema alerts")
        connection.execute(
            """
            create table alerts.alert_spikes as
            select 'spike' as alert_rule, case when day < 3 then 'warn' else 'error' end as severity,
                   date '2026-09-30' + day::integer as usage_date, 'tenant' as scope_kind, 't' || day as scope_id,
                   12.500000000000::decimal(38, 12) as observed_usd
            from range(60) as days(day)
            """
        )
        connection.execute("create schema marts")
        connection.execute(
            """
            create table marts.alerts as
            select alert_rule, usage_date, scope_kind, scope_id, scope_id || ' +$5.00 vs its 7-day mean' as top_drivers
            from alerts.alert_spikes
            where usage_date > date '2026-10-01'
            """
        )
    return path


def evaluate(warehouse: Path, days: Window | None) -> dg.AssetCheckResult:
    (result,) = evaluate_alerts(warehouse, [NODE], days)
    return result


def test_breaches_of_the_days_are_rows_in_the_metadata_the_newest_first(warehouse: Path) -> None:
    result = evaluate(warehouse, Window(date(2026, 10, 1), date(2026, 10, 3)))
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert result.metadata["breaches"].value == 2
    rows = result.metadata["breaching_rows"]
    assert isinstance(rows, dg.TableMetadataValue)
    assert [row.data["usage_date"] for row in rows.records] == ["2026-10-02", "2026-10-01"]
    assert rows.records[0].data["observed_usd"] == "12.5"
    assert [row.data["top_drivers"] for row in rows.records] == ["t2 +$5.00 vs its 7-day mean", None]
    assert "dbt_project/docs/alerts/spikes.md" in (result.description or "")


def test_the_worst_row_gives_the_severity_and_many_rows_are_counted_not_shown(warehouse: Path) -> None:
    result = evaluate(warehouse, None)
    assert result.severity is dg.AssetCheckSeverity.ERROR
    assert result.metadata["breaches"].value == 60
    rows = result.metadata["breaching_rows"]
    assert isinstance(rows, dg.TableMetadataValue)
    assert len(rows.records) == 50


def test_the_newest_breaches_are_a_chart_with_the_threshold_marked() -> None:
    row = {"usage_date": date(2026, 10, 2), "scope_id": "t`2\n# x", "observed": 30.0, "threshold": 20.0}
    above, below, fence = chart([row, row | {"observed": 10.0}]).splitlines()[1:]
    assert above == "2026-10-02 t'2 # x                  ████████████████████│█████████  30 / 20"
    assert below == "2026-10-02 t'2 # x                  ███████████████               │ 10 / 20"
    assert fence == "```"


def test_no_breach_on_the_days_is_a_passed_check(warehouse: Path) -> None:
    result = evaluate(warehouse, Window(date(2026, 8, 1), date(2026, 9, 1)))
    assert result.passed
    assert "breaching_rows" not in result.metadata


def test_the_message_says_what_how_bad_which_rows_and_what_to_do() -> None:
    rows = [{"tenant": f"t{number}", "usd": "12.5", "unknown": None} for number in range(12)]
    text = render(
        FailedCheck("alerts/spikes", "in_bounds", False, "WARN", "run-1", "12 in breach", "docs/spikes.md", rows, 40)
    )
    assert text.splitlines() == [
        "WARN: in_bounds failed on alerts/spikes (figures are published)",
        "12 in breach",
        *(f"  tenant=t{number}, usd=12.5" for number in range(10)),
        "  and 30 more",
        "what to do: docs/spikes.md",
        "run: run-1",
    ]


def test_a_check_that_blocks_says_that_nothing_was_published() -> None:
    text = render(FailedCheck("marts/fct", "key", True, "ERROR", "run-1"))
    assert text == "ERROR: key failed on marts/fct (nothing was published)\nrun: run-1"


def alert_models_of_the_project() -> dict[str, dict[str, Any]]:
    models = yaml.safe_load((DBT_PROJECT / "models" / "alerts" / "_alerts__models.yml").read_text())["models"]
    return {model["config"]["meta"]["alert"]["rule"]: model for model in models if model["name"].startswith("alert_")}


def test_every_rule_has_a_row_a_model_a_unit_test_and_a_runbook_and_each_of_these_a_rule() -> None:
    models = alert_models_of_the_project()
    rules = read_rule_book(PROJECT_ROOT / "pricing_seeds", date(2026, 11, 21)).rules
    folder = DBT_PROJECT / "models" / "alerts"
    assert rules.keys() == models.keys()
    assert {path.stem for path in folder.glob("alert_*.sql")} == {model["name"] for model in models.values()}
    assert {path.stem for path in (DBT_PROJECT / "docs" / "alerts").glob("*.md")} == models.keys()
    unit_tests = yaml.safe_load((folder / "_alerts__unit_tests.yml").read_text())["unit_tests"]
    assert {test["model"] for test in unit_tests} >= {model["name"] for model in models.values()}
    union = (folder / "int_alerts__unioned.sql").read_text()
    for rule, model in models.items():
        assert f"breaches('measured', '{rule}'" in (folder / f"{model['name']}.sql").read_text()
        assert f"'{model['name']}'" in union
        runbook = (PROJECT_ROOT / runbook_path(model)).read_text()
        for part in ("## Example", "## Reason to flag", "## What to do", "Switch to pull:", f"Rule `{rule}`"):
            assert part in runbook, f"{rule}: {part}"


def test_no_rule_has_a_number_of_its_own() -> None:
    for path in (DBT_PROJECT / "models" / "alerts").glob("alert_*.sql"):
        assert "set " not in path.read_text(), f"{path.name} sets a number; it belongs into alert_rules.csv"
