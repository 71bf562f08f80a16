"""What it is worth: margins that are the company's, and waste of which every dollar is counted once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from harness import Company

OCTOBER = date(2026, 10, 1)


def margins(company: Company, mart: str, key: str) -> dict[tuple[date, str], dict[str, Any]]:
    return {(row["usage_month"], row[key]): row for row in company.query(f"select * from marts.{mart}")}


def test_revenue_is_earned_by_days_of_service_on_which_cost_is_known(grown: Company) -> None:
    """Of September only its last day, of October nine of 31 days; a third of a dollar three times is a dollar."""
    rows = margins(grown, "gross_margin_by_tenant_month", "tenant_id")
    assert rows[date(2026, 9, 1), "acme"]["revenue_usd"] == Decimal(10)
    acme = rows[OCTOBER, "acme"]
    assert (acme["revenue_usd"], acme["credit_usd"]) == (Decimal(81), Decimal(-9))
    assert rows[OCTOBER, "globex"]["revenue_usd"] == rows[OCTOBER, "globex"]["usage_revenue_usd"] == Decimal(1)
    assert rows[OCTOBER, "hooli"]["gross_margin_usd"] == Decimal(7)


def test_a_tenant_has_its_margin_its_allowance_and_its_seats(grown: Company) -> None:
    rows = margins(grown, "gross_margin_by_tenant_month", "tenant_id")
    acme, globex = rows[OCTOBER, "acme"], rows[OCTOBER, "globex"]
    assert (acme["llm_cost_usd"], acme["gross_margin_usd"]) == (Decimal(276), Decimal(-195))
    assert (acme["plan_id"], acme["cost_per_seat_usd"]) == ("max", pytest.approx(46))
    assert (globex["operations_count"], globex["overage_operations_count"]) == (24, 21)
    assert globex["allowance_used_share"] == pytest.approx(8)
    assert globex["gross_margin_rate"] == pytest.approx(-47)


def test_a_day_counts_with_the_plan_of_that_day(grown: Company) -> None:
    rows = margins(grown, "gross_margin_by_plan_month", "plan_id")
    pro, largest = rows[OCTOBER, "pro"], rows[OCTOBER, "max"]
    assert (pro["revenue_usd"], pro["llm_cost_usd"]) == (Decimal(36) + 1, Decimal(90) + 48)
    assert (largest["revenue_usd"], largest["llm_cost_usd"]) == (Decimal(45), Decimal(186))
    assert rows[OCTOBER, "none"]["revenue_usd"] == Decimal(7)


@pytest.mark.parametrize(
    "mart", ["gross_margin_by_tenant_month", "gross_margin_by_plan_month", "gross_margin_by_feature_month"]
)
def test_every_cut_is_revenue_less_all_that_requests_and_bills_cost(grown: Company, mart: str) -> None:
    requests = grown.value("select sum(effective_cost_usd) from marts.fct_llm_requests")
    beyond = grown.value("select sum(amount_usd) from marts.unattributed_cost_by_provider_day")
    (sums,) = grown.query(
        "select sum(revenue_usd) as revenue, sum(llm_cost_usd) as cost, sum(gross_margin_usd) as margin "
        f"from marts.{mart}"
    )
    assert beyond == Decimal(5)
    assert sums["cost"] == requests + beyond
    assert sums["revenue"] == Decimal(10 + 81 + 1 + 7)
    assert sums["margin"] == sums["revenue"] - sums["cost"]


def test_every_dollar_of_waste_is_of_one_kind(grown: Company) -> None:
    """$2 for a million tokens: a time-out, a retry, a fallback, a broken stream; $10 taken back, $12 rejected twice."""
    (row,) = grown.query("select * from marts.waste_by_feature_day where usage_date = date '2026-09-30'")
    kinds = [
        "failed_first",
        "failed_retry",
        "failed_fallback",
        "abandoned",
        "rejected",
        "missed_cache",
        "excess_context",
    ]
    assert [row[f"{kind}_cost_usd"] for kind in kinds] == [Decimal(usd) for usd in (2, 4, 6, 8, 22, 0, 0)]
    assert (row["waste_cost_usd"], row["useful_cost_usd"], row["effective_cost_usd"]) == (42, 14, 56)


def test_prompts_above_the_usual_are_waste_from_a_week_of_history_on(grown: Company) -> None:
    rows = grown.query(
        "select usage_date, excess_context_cost_usd as usd from marts.waste_by_feature_day "
        "where excess_context_cost_usd > 0"
    )
    assert [(row["usage_date"], round(row["usd"], 9)) for row in rows] == [(date(2026, 10, 9), Decimal(36))]
