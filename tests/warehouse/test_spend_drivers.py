"""Why spend moved, from landed calls to the sentence: the marts and `explain` say the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from harness import ONE_DAY, Company, moment, request

from orchestration.connectors.base import Window
from orchestration.explain.change import ExplainError, Period, explain_change

DAY = date(2026, 10, 9)
FIRST_DAY = DAY - timedelta(days=7)


@pytest.fixture
def marts(grown: Company) -> Iterator[duckdb.DuckDBPyConnection]:
    with grown.connect() as connection:
        connection.execute("use warehouse.marts")
        yield connection


def test_an_alert_says_what_drove_it(grown: Company) -> None:
    (alert,) = grown.query("select * from marts.alerts where alert_rule = 'tenant_spend_spike'")
    assert (alert["scope_id"], alert["usage_date"]) == ("acme", DAY)
    assert alert["top_drivers"] == (
        "acme +$36.00 vs its 7-day mean: 100 % prompt growth in draft since release 2026.10.2"
    )


def test_an_alert_is_explained_again_when_a_day_that_it_is_compared_with_changes(
    grown: Company, tmp_path: Path
) -> None:
    """In any order of days the drivers are those of one build; an alert that is no more has none."""
    company = grown.copy(tmp_path / "company")
    drivers = "select * from marts.spend_drivers_by_alert order by all"
    before = company.query(drivers)
    company.roll_up(window=Window(DAY, DAY + ONE_DAY))
    assert company.query(drivers) == before
    week_before = [moment(FIRST_DAY, 20 + number / 100) for number in range(70)]
    company.land("llm_requests", [request(at, input_tokens=3_300_000, output_tokens=0) for at in week_before])
    company.build(FIRST_DAY)
    company.roll_up(window=Window(FIRST_DAY, FIRST_DAY + ONE_DAY))
    assert company.value("select count(*) from marts.alerts where alert_rule = 'tenant_spend_spike'") == 0
    day_by_day = company.query(drivers)
    company.roll_up()
    assert company.query(drivers) == day_by_day != before


def test_explain_says_what_the_alert_says(marts: duckdb.DuckDBPyConnection) -> None:
    today = Period(DAY, DAY)
    change = explain_change(marts, today.before(), today, tenant_id="acme")
    assert (change.baseline_usd, change.current_usd) == (Decimal(30), Decimal(66))
    assert [(driver.name, driver.effect_usd) for driver in change.drivers] == [
        ("input_tokens_per_attempt", Decimal(36))
    ]
    (row,) = marts.execute("select top_drivers from alerts where alert_rule = 'tenant_spend_spike'").fetchall()
    assert row == (change.sentence,)


@pytest.mark.parametrize(
    ("comparison", "baseline"), [("day_on_day", Period(DAY - timedelta(days=1), DAY - timedelta(days=1))),
                                 ("day_vs_trailing_week", Period(DAY, DAY).before())]
)  # fmt: skip
def test_the_mart_holds_what_explain_computes(
    marts: duckdb.DuckDBPyConnection, comparison: str, baseline: Period
) -> None:
    rows = marts.execute(
        """
        select tenant_id, sum(change_usd), sum(input_tokens_per_attempt_effect_usd)
        from spend_change_drivers where comparison = ? and usage_date = ? group by tenant_id order by tenant_id
        """,
        [comparison, DAY],
    ).fetchall()
    assert rows == [("acme", Decimal(36), Decimal(36)), ("globex", Decimal(0), Decimal(0))]
    ready = marts.execute(
        "select driver, effect_usd, driver_words, sentence, baseline_cost_usd, current_cost_usd "
        "from spend_drivers_by_comparison where comparison = ? order by driver_rank",
        [comparison],
    ).fetchall()
    # The part is computed, the whole read; here the part is everything that moved.
    computed = explain_change(marts, baseline, Period(DAY, DAY), feature="draft")
    assert [row[:3] for row in ready] == [(each.name, each.effect_usd, each.words) for each in computed.drivers]
    assert ready[0][3].removeprefix("all requests") == computed.sentence.removeprefix("draft")
    assert ready[0][5] - ready[0][4] == explain_change(marts, baseline, Period(DAY, DAY)).change_usd == Decimal(36)


def test_values_are_bound_and_never_read_as_sql(marts: duckdb.DuckDBPyConnection) -> None:
    today = Period(DAY, DAY)
    with pytest.raises(ExplainError, match="nothing of x' or '1'='1 is published"):
        explain_change(marts, today.before(), today, tenant_id="x' or '1'='1")


def test_periods_that_cannot_be_compared_are_refused(marts: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ExplainError, match="share a day"):
        explain_change(marts, Period(FIRST_DAY, DAY), Period(DAY, DAY))
    long_ago = Period(date(2020, 1, 1), date(2020, 1, 1))
    with pytest.raises(ExplainError, match="published for 2020-01-01"):
        explain_change(marts, long_ago, Period(DAY, DAY))


@pytest.mark.parametrize("text", ["yesterday", "2026-10-32", "2026-10-02..2026-10-01", "2026-10-01...2026-10-02"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ExplainError):
        Period.parse(text)


def test_many_tenants_are_told_by_plan(marts: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.explain.change.MOST_TENANTS", 1)
    week = Period(FIRST_DAY, FIRST_DAY + timedelta(days=1))
    change = explain_change(marts, week, Period(DAY, DAY))
    assert change.is_by_plan
    assert sum((driver.effect_usd for driver in change.drivers), Decimal(0)) == change.change_usd
    assert change.change_usd == explain_change(marts, week, Period(DAY, DAY), tenant_id="acme").change_usd
