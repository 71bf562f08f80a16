"""Promises 3 to 6: whole days are replaced, in any order and any company; history keeps its prices; pulls are kept.

One company lives August 2026, with a price cut on the 21st. A bill comes late and is restated, a verdict comes late and
is taken back. The tests tell its life in order, each on a copy of what came before.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from closing_lab import Installation
from harness import MADE_OF_PRICES, ONE_DAY, Company, moment, openai_cost, openai_usage, outcome, price, request

from orchestration.connectors.base import Window
from orchestration.warehouse.plan import around, contiguous_ranges
from orchestration.warehouse.state import days_to_build, settled_days, stale_days

FIRST, LAST = date(2026, 8, 1), date(2026, 8, 31)
BEFORE_CUT, CUT = date(2026, 8, 20), date(2026, 8, 21)
BILLS = (
    "fct_provider_charges",
    "fct_provider_usage",
    "int_usages__keyed",
    "int_llm_requests__weighed",
    "int_charges__keyed",
    "int_billing_claims__matched",
    "int_charges__allocated",
    "int_billed_prices__pivoted",
    "int_billed_remainders__placed",
)
REQUESTS = ("int_llm_requests__attributed",)
FIRST_PULL = datetime(2026, 9, 1, tzinfo=UTC)
RESTATED = datetime(2026, 9, 5, tzinfo=UTC)

ROLLED_UP_BY_DAY = (
    "unit_economics_by_tenant_feature_day",
    "unit_economics_by_tenant_day",
    "unit_economics_by_feature_day",
    "unit_economics_by_model_day",
    "unit_economics_by_plan_feature_day",
    "llm_usage_by_plan_feature_model_day",
    "llm_usage_by_tenant_model_day",
)

FACTS = {
    "fct_llm_requests": "usage_date, request_key",
    "fct_operations": "usage_date, operation_key",
    "fct_outcomes": "usage_date, event_id",
    "fct_provider_charges": "usage_date, charge_description",
    "fct_provider_usage": "usage_date, usage_class",
    "llm_usage_by_tenant_feature_model_day": "all",
    "operations_by_tenant_feature_day": "all",
    "outcomes_by_tenant_feature_day": "all",
}


def facts(company: Company) -> dict[str, list[dict[str, Any]]]:
    return {name: company.query(f"select * from marts.{name} order by {keys}") for name, keys in FACTS.items()}


def land_august(company: Company) -> None:
    """Calls of 1 M tokens in and none out, on both sides of midnight and of the price cut."""
    model = {"model": "gpt-cut", "input_tokens": 1_000_000, "output_tokens": 0}
    company.land(
        "llm_requests",
        [
            request(moment(FIRST), **model, operation_id="op_1"),
            request(moment(BEFORE_CUT, 23.9), **model, operation_id="op_midnight"),
            request(moment(CUT, 0), **model, operation_id="op_midnight"),
            request(moment(CUT), **model, operation_id="op_cut", tenant_id=None),
            request(moment(CUT), model="gpt-unheard-of", tenant_id="mystery", feature="lab"),
        ],
        at=FIRST_PULL,
    )
    company.land(
        "product_outcomes",
        [
            # Seven days are looked back, not eight: the first verdict is in time, the second finds nothing.
            outcome(moment(date(2026, 8, 8), 23), event_id="in_time", operation_id="op_1"),
            outcome(moment(date(2026, 8, 9), 1), event_id="too_late", operation_id="op_1"),
            outcome(moment(CUT, 1), event_id="late", operation_id="op_midnight"),
            outcome(
                moment(date(2026, 8, 24)),
                event_id="taken_back",
                verdict="reversed",
                reverses="late",
                name="draft_accepted",
            ),
            # A log that repeats an event three weeks later says something new; one that repeats it next day does not.
            outcome(moment(date(2026, 8, 10)), event_id="again", conversation_id="talk"),
            outcome(moment(date(2026, 8, 11)), event_id="again", conversation_id="talk"),
            outcome(moment(date(2026, 8, 30)), event_id="again", conversation_id="talk"),
        ],
        at=FIRST_PULL,
    )
    company.land(
        "openai_usage_completions",
        [openai_usage(BEFORE_CUT, "gpt-cut", input_uncached_tokens=1_000_000)],
        at=FIRST_PULL,
    )
    company.land("openai_costs", [openai_cost(BEFORE_CUT, "gpt-cut, input_tokens", "4.75")], at=FIRST_PULL)


def cost_by_day(company: Company, column: str = "effective_cost_usd") -> dict[date, Decimal | None]:
    rows = company.query(
        f"select usage_date, sum({column}) as usd from marts.fct_llm_requests group by all order by all"
    )
    return {row["usage_date"]: row["usd"] for row in rows}


@pytest.fixture(scope="module")
def august(empty_company: Company, tmp_path_factory: pytest.TempPathFactory) -> Company:
    """August, built in one run."""
    company = empty_company.copy(tmp_path_factory.mktemp("august") / "company")
    land_august(company)
    company.build(FIRST, LAST)
    company.roll_up()
    return company


def test_a_request_has_the_price_of_the_moment_it_started(august: Company) -> None:
    """H1, H2: at midnight UTC the cut is in force; the unknown model adds nothing and is counted."""
    assert cost_by_day(august, "list_cost_usd") == {FIRST: Decimal(5), BEFORE_CUT: Decimal(5), CUT: Decimal(8)}


def test_what_is_not_known_is_neither_free_nor_hidden(august: Company) -> None:
    """M1, O1, A5, A9."""
    (lab,) = august.query("select * from marts.unit_economics_by_feature_day where feature = 'lab'")
    assert (lab["effective_cost_usd"], lab["unpriced_attempts_count"], lab["cost_per_operation_usd"]) == (None, 1, None)
    (untagged,) = august.query("select * from marts.unit_economics_by_tenant_day where tenant_id = 'unattributed'")
    assert (untagged["effective_cost_usd"], untagged["cost_per_accepted_outcome_usd"]) == (Decimal(4), None)
    (alert,) = august.query("select * from marts.alerts where alert_rule = 'unpriced_requests'")
    assert alert["scope_id"] == "openai/gpt-unheard-of"


def test_late_and_reversed_verdicts_count_on_the_day_of_their_operation(august: Company) -> None:
    """O2: an operation over midnight is one, on the day it began; its acceptance comes and goes."""
    verdicts = august.query(
        "select event_id, usage_date, operation_date, match_method from marts.fct_outcomes order by all"
    )
    assert {
        (row["event_id"], row["usage_date"].day): (row["operation_date"].day, row["match_method"]) for row in verdicts
    } == {
        ("in_time", 8): (1, "operation_id"),
        ("too_late", 9): (9, "unmatched"),
        ("late", 21): (20, "operation_id"),
        ("taken_back", 24): (20, "operation_id"),
        ("again", 10): (10, "unmatched"),
        ("again", 30): (30, "unmatched"),
    }
    (row,) = august.query("select * from marts.unit_economics_by_feature_day where usage_date = ?", BEFORE_CUT)
    assert (row["operations_count"], row["accepted_outcomes_count"], row["reversed_outcomes_count"]) == (1, 0, 1)
    assert row["cost_per_accepted_outcome_usd"] is None


def test_a_build_of_some_days_touches_no_other(august: Company, empty_company: Company, tmp_path: Path) -> None:
    """A window that dbt does not hand on makes every build a build of everything: right, and dearer every day."""
    other = _of_the_same_landing(august, empty_company, tmp_path / "other")
    other.build(CUT, CUT)
    assert {row["usage_date"] for row in facts(other)["fct_llm_requests"]} == {CUT}
    assert {row["usage_date"] for row in facts(other)["fct_operations"]} == {CUT}


def test_days_that_are_built_at_once_lie_one_after_the_other(august: Company) -> None:
    """A year in no order puts all its days into each row group, and a condition on days then skips none."""
    for table in ("llm_usage_by_tenant_feature_model_day", "outcomes_by_tenant_feature_day", *ROLLED_UP_BY_DAY):
        days = [row["usage_date"] for row in august.query(f"select usage_date from marts.{table} order by rowid")]
        assert days == sorted(days), table


def test_twice_is_once_and_any_order_of_days_gives_the_same_facts(
    august: Company, empty_company: Company, tmp_path: Path
) -> None:
    other = _of_the_same_landing(august, empty_company, tmp_path / "other")
    inputs = Installation(other).inputs()
    built: dict[date, str] = {}
    # The 20th twice; the 21st, into which an operation of the 20th reaches, before it.
    for first, last in [(21, 31), (9, 20), (1, 8), (20, 20)]:
        requested = Window(date(2026, 8, first), date(2026, 8, last) + ONE_DAY)
        stale = stale_days(inputs.days, built)
        days = days_to_build(inputs.days, built, requested=requested, reach=inputs.reach, force=first == last)
        for window in contiguous_ranges(days):
            other.build(window.start, window.end - ONE_DAY)
        other.roll_up(*ROLLED_UP_BY_DAY, window=around(days, inputs.reach.days_before, inputs.reach.days_after))
        built.update({day: inputs.days[day] for day in settled_days(days, stale, inputs.reach)})
    assert built == inputs.days
    assert facts(other) == facts(august)
    for mart in ROLLED_UP_BY_DAY:
        rows = f"select * from marts.{mart} order by all"
        assert other.query(rows) == august.query(rows), mart


def test_a_late_verdict_rolls_up_the_day_of_its_operation(august: Company, tmp_path: Path) -> None:
    """O2: only the day of the verdict is built; its operation was a week before."""
    company = august.copy(tmp_path / "company")
    given = CUT + 7 * ONE_DAY
    company.land("product_outcomes", [outcome(moment(given), event_id="at_last", operation_id="op_cut")], at=RESTATED)
    company.build(given)
    reach = Installation(company).inputs().reach
    company.roll_up(*ROLLED_UP_BY_DAY, window=around({given}, reach.days_before, reach.days_after))
    accepted = "select accepted_outcomes_count as n from marts.unit_economics_by_feature_day where usage_date = ?"
    assert company.query(f"{accepted} and n > 0", CUT) == [{"n": 1}]


def _of_the_same_landing(august: Company, empty_company: Company, home: Path) -> Company:
    """Return a company in which nothing is built, and what landed is the same, to the byte."""
    other = empty_company.copy(home)
    for source in ("llm", "product", "openai"):
        (other.home / "landing" / source).symlink_to(august.home / "landing" / source)
    return other


def test_a_day_restated_to_nothing_becomes_nothing_and_the_earlier_figure_can_be_had_again(
    august: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Z7, Z9, B12: the bill of a day is withdrawn; its requests are estimates again, other days stay."""
    company = august.copy(tmp_path / "company")
    billed = {FIRST: Decimal(5), BEFORE_CUT: Decimal("4.75"), CUT: Decimal(8)}
    assert cost_by_day(company) == billed

    window = Window(BEFORE_CUT, BEFORE_CUT + ONE_DAY)
    for table in ("openai_costs", "openai_usage_completions"):
        company.land(table, [], window=window, at=RESTATED)
    company.land("llm_requests", [request(moment(BEFORE_CUT), model="gpt-test", tenant_id="late")], at=RESTATED)
    company.build(BEFORE_CUT, BEFORE_CUT, *BILLS, *REQUESTS)
    assert cost_by_day(company) == {**billed, BEFORE_CUT: Decimal("5.0028")}
    assert company.value("select count(*) from marts.fct_provider_charges") == 0
    assert company.value("select count(*) from marts.fct_provider_usage") == 0

    monkeypatch.setitem(os.environ, "TRUEUP_AS_KNOWN_AT", "2026-09-04T23:59:59+12:00")
    company.dbt("run", "--selector", "reference")
    company.build(BEFORE_CUT, BEFORE_CUT, *BILLS, *REQUESTS)
    assert cost_by_day(company) == billed
    assert facts(company) == facts(august)


def test_an_old_month_built_again_after_a_price_change_has_its_old_cost(august: Company, tmp_path: Path) -> None:
    """H1, H7: a price that holds from September on changes nothing in August."""
    company = august.copy(tmp_path / "company")
    september = {"valid_from": "2026-09-01T00:00:00Z", "known_from": "2026-09-01T00:00:00Z", "precedence": "30"}
    company.set_prices([price("openai", "gpt-cut", "input", "1", **september)])
    company.build(FIRST, LAST, *REQUESTS)
    assert facts(company) == facts(august)


def test_a_corrected_price_changes_the_past_and_what_was_believed_before_can_be_had_again(
    august: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H4: valid time and known time are two things."""
    company = august.copy(tmp_path / "company")
    company.set_prices([price("openai", "gpt-cut", "input", "1", known_from="2026-09-10T00:00:00Z", precedence="30")])
    company.build(FIRST, FIRST, *REQUESTS)
    assert company.value("select list_cost_usd from marts.fct_llm_requests where usage_date = ?", FIRST) == Decimal(1)

    monkeypatch.setitem(os.environ, "TRUEUP_AS_KNOWN_AT", "2026-09-09T00:00:00+00:00")
    company.dbt("run", "--select", *MADE_OF_PRICES)
    company.build(FIRST, FIRST, *REQUESTS)
    assert company.value("select list_cost_usd from marts.fct_llm_requests where usage_date = ?", FIRST) == Decimal(5)
