"""What is wrong with the sample company's bills is found, named and sized, after one of them was restated."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from company import Company
from later_runs import Run

from orchestration.publishing.reader import open_marts


@pytest.fixture
def restated_company(restated: Run) -> Company:
    """The small company after its provider has restated a bill and the main job has run again."""
    return restated.company


def planted(company: Company, incident_id: str) -> dict[str, Any]:
    truth = json.loads((company.home / "sample" / "ground_truth.json").read_text())
    return next(incident for incident in truth["incidents"] if incident["id"] == incident_id)


def ask(company: Company, sql: str, *parameters: Any) -> Any:
    with open_marts(company.home / "published") as marts:
        rows = marts.execute(sql, list(parameters)).fetchall()
    return rows[0] if len(rows) == 1 else rows


def within_one_percent(found: Decimal, of: str) -> bool:
    return abs(found - Decimal(of)) * 100 <= abs(Decimal(of))


def test_the_service_that_logs_nothing_is_named_by_its_project_and_sized(restated_company: Company) -> None:
    incident = planted(restated_company, "uninstrumented_service")
    project, logged, gap = ask(
        restated_company,
        """
        select provider_project, sum(logged_tokens), sum(usage_gap_usd)
        from recon_estimated_vs_billed_by_project_day where provider = 'openai'
        group by provider_project order by sum(usage_gap_usd) desc limit 1
        """,
    )
    assert (project, logged) == (incident["provider_project"], 0)
    assert within_one_percent(gap, incident["billed_usd"])
    reason, _ = ask(
        restated_company,
        "select reason, sum(amount_usd) from unattributed_cost_by_provider_day "
        "where provider = 'openai' group by reason order by 2 desc limit 1",
    )
    assert reason == "unlogged_usage"


def test_the_discount_that_no_price_list_knows_is_a_gap_of_price(
    restated_company: Company,
) -> None:
    incident = planted(restated_company, "volume_discount")
    # A request that writes caches of two retentions counts as the one of which it wrote more, so writes are left out.
    price_gap, billed = ask(
        restated_company,
        """
        select sum(price_gap_usd), sum(billed_cost_usd) from recon_estimated_vs_billed_by_sku_day
        where provider = 'anthropic' and usage_class in ('input', 'cache_read', 'output') and logged_quantity > 0
        """,
    )
    list_cost = billed * Decimal(incident["list_cost_usd"]) / Decimal(incident["billed_usd"])
    assert within_one_percent(-price_gap, str(list_cost - billed))


def test_the_restated_bill_and_its_credit_are_found_to_the_last_digit(restated_company: Company) -> None:
    incident = planted(restated_company, "restated_bill")
    day, late, credit = incident["first_date"], Decimal(incident["late_usage_usd"]), Decimal(incident["credit_usd"])
    before, after, change = ask(
        restated_company,
        "select previous_billed_cost_usd, billed_cost_usd, change_usd from restatements "
        "where usage_date = ? and provider = 'openai' and change_kind = 'restated'",
        day,
    )
    assert (before, after) == (Decimal(incident["first_billed_usd"]), Decimal(incident["billed_usd"]))
    assert change == late + credit
    assert ask(
        restated_company,
        "select usage_date::varchar, amount_usd from unattributed_cost_by_provider_day where reason = 'credit'",
    ) == (day, credit)


def test_a5_what_tenants_cost_and_what_is_left_of_the_bills_are_the_bills(restated_company: Company) -> None:
    """The cost side of every margin: the nobody among the tenants included."""
    billed = ask(restated_company, "select sum(billed_cost_usd) from fct_provider_charges")
    for mart in ("unit_economics_by_tenant_day", "unit_economics_by_feature_day", "unit_economics_by_model_day"):
        taken = f"select sum(billed_cost_usd) from {mart}"
        left = "select sum(amount_usd) from unattributed_cost_by_provider_day"
        assert ask(restated_company, f"select ({taken}) + ({left})") == billed, mart
    assert billed > (Decimal(0),)


def test_what_tenants_bring_less_what_they_cost_is_revenue_less_the_bills(restated_company: Company) -> None:
    """Exactly; what no bill has come for yet counts as estimated, and the nobody among the tenants is one of them."""
    revenue, margin = ask(
        restated_company, "select sum(revenue_usd), sum(gross_margin_usd) from gross_margin_by_tenant_month"
    )
    (billed,) = ask(restated_company, "select sum(billed_cost_usd) from fct_provider_charges")
    (not_billed,) = ask(
        restated_company,
        "select coalesce(sum(effective_cost_usd), 0) from fct_llm_requests where cost_basis = 'estimated'",
    )
    assert revenue > 0
    assert margin == revenue - billed - not_billed


def test_a_request_is_billed_by_what_it_and_the_bill_name(restated_company: Company) -> None:
    """The sample's bills name projects and no keys; its gateway knows neither."""
    methods = ask(
        restated_company,
        "select distinct provider_project is not null, allocation_method from fct_llm_requests "
        "where provider = 'openai' and cost_basis = 'billed' and price_status = 'priced' order by all",
    )
    assert methods == [(False, "by_model"), (True, "by_project")]
