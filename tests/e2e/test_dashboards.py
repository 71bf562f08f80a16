"""Every page of the dashboards on the small company: what it shows is what SQL gives, to the last digit shown."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import duckdb
import pytest
from company import LAST_DAY, Company
from dashboard_page import Page, open_page

from dashboards.words import count, percent, usd, usd_each
from orchestration.publishing.reader import open_marts


@pytest.fixture
def shown(small_company: Company) -> Callable[..., Page]:
    """Open a page of the small company."""
    return partial(open_page, small_company.home)


@pytest.fixture
def marts(small_company: Company) -> Iterator[duckdb.DuckDBPyConnection]:
    """What is published, as any reader opens it."""
    with open_marts(small_company.settings.published) as connection:
        yield connection


def one(marts: duckdb.DuckDBPyConnection, sql: str, *values: Any) -> tuple[Any, ...]:
    (row,) = marts.execute(sql, list(values)).fetchall()
    return row


def test_overview(shown, marts):
    page = shown("")
    cost, unpriced, accepted = one(
        marts,
        "select sum(effective_cost_usd), sum(unpriced_attempts_count), sum(accepted_outcomes_count) "
        "from unit_economics_by_feature_day",
    )
    assert page.tiles["Spend"] == usd(cost, unpriced)
    assert page.tiles["Cost per accepted outcome"] == usd_each(cost, accepted, unpriced)
    (to_date,) = one(marts, "select month_to_date_cost_usd from spend_forecasts where scope_kind = 'org'")
    assert page.tiles["Oct 2026 to date"] == usd(to_date)
    margin, revenue = one(marts, "select sum(gross_margin_usd), sum(revenue_usd) from gross_margin_by_tenant_month")
    assert page.tiles["Gross margin, Oct 2026"] == percent(margin, revenue)
    logged, counted = one(
        marts,
        "select sum(logged_tokens), sum(provider_tokens) from recon_estimated_vs_billed_by_provider_day "
        "where provider_tokens is not null",
    )
    assert page.tiles["Coverage of the providers' count"] == percent(Decimal(logged), Decimal(counted))
    (incidents,) = one(marts, "select count(*) from fct_alert_events where is_newest and state <> 'resolved'")
    assert page.tiles["Open incidents"] == count(incidents)
    sentence, change = one(
        marts, "select sentence, change_usd from spend_drivers_by_comparison where comparison = 'day_on_day' limit 1"
    )
    assert html.escape(sentence) in page.text
    assert (
        change
        == one(
            marts,
            "select sum(case when usage_date = $1 then effective_cost_usd else -effective_cost_usd end) "
            "from unit_economics_by_feature_day where usage_date >= $1::date - 1",
            LAST_DAY,
        )[0]
    )


@pytest.mark.parametrize("basis", ["effective", "list"])
def test_features(shown, marts, basis):
    rows = {row["feature"]: row for row in shown("features", basis=basis).table("feature", "per accepted")}
    expected = marts.execute(
        f"select feature, sum({basis}_cost_usd), sum(unpriced_attempts_count), sum(accepted_outcomes_count) "
        "from unit_economics_by_feature_day group by feature"
    ).fetchall()
    assert {name: (row["spend"], row["per accepted"]) for name, row in rows.items()} == {
        name: (usd(cost, unpriced), usd_each(cost, accepted, unpriced)) for name, cost, unpriced, accepted in expected
    }


def test_waste_of_features(shown, marts):
    rows = shown("features").table("feature", "wasted")
    by_feature = "select feature, sum(waste_cost_usd) from waste_by_feature_day group by feature"
    expected = marts.execute(by_feature).fetchall()
    assert {row["feature"]: row["wasted"] for row in rows} == {name: usd(cost) for name, cost in expected}


def test_tenants_of_the_newest_day(shown, marts):
    rows = shown("tenants", period="1d").table("tenant", "spend")
    expected = marts.execute(
        "select tenant_id, effective_cost_usd, unpriced_attempts_count from unit_economics_by_tenant_day "
        "where usage_date = $1 order by 2 desc nulls last, 1 limit 50",
        [LAST_DAY],
    ).fetchall()
    assert [(row["tenant"], row["spend"]) for row in rows] == [(name, usd(*rest)) for name, *rest in expected]


def test_one_tenant(shown, marts):
    tenant, cost, unpriced = one(
        marts,
        "select tenant_id, sum(effective_cost_usd), sum(unpriced_attempts_count) from unit_economics_by_tenant_day "
        "group by tenant_id order by 2 desc nulls last limit 1",
    )
    page = shown("tenants", tenant=tenant)
    assert page.tiles["Spend"] == usd(cost, unpriced)
    features = marts.execute(
        "select feature, sum(effective_cost_usd), sum(unpriced_attempts_count) "
        "from unit_economics_by_tenant_feature_day where tenant_id = $1 group by feature",
        [tenant],
    ).fetchall()
    assert {row["feature"]: row["spend"] for row in page.table("feature", "spend")} == {
        name: usd(*rest) for name, *rest in features
    }


def test_models_of_one_feature(shown, marts):
    rows = shown("models", feature="support_copilot").table("model", "attempts")
    expected = marts.execute(
        "select model, sum(effective_cost_usd), sum(unpriced_attempts_count), sum(attempts_count) "
        "from llm_usage_by_tenant_feature_model_day where feature = 'support_copilot' group by model"
    ).fetchall()
    assert {row["model"]: (row["spend"], row["attempts"]) for row in rows} == {
        name: (usd(cost, unpriced), count(attempts)) for name, cost, unpriced, attempts in expected
    }


def test_invoice(shown, marts):
    page = shown("invoice")
    expected = marts.execute(
        "select provider, sum(contracted_cost_usd), sum(billed_cost_usd), sum(unattributed_cost_usd) "
        "from recon_estimated_vs_billed_by_provider_day group by provider"
    ).fetchall()
    shown_rows = {row["provider"]: row for row in page.table("provider", "billed", "of usage")}
    assert {
        name: (row["estimated"], row["billed"], row["unattributed"])
        for name, row in shown_rows.items()
        if name != "all"
    } == {name: tuple(map(usd, amounts)) for name, *amounts in expected}
    (billed,) = one(marts, "select sum(billed_cost_usd) from fct_provider_charges")
    assert shown_rows["all"]["billed"] == usd(billed)


def test_why_it_moved(shown, marts):
    page = shown("why", period="2026-10-31..2026-10-31", baseline="2026-10-30")
    (change,) = one(
        marts,
        "select sum(case when usage_date = $1 then effective_cost_usd else -effective_cost_usd end) "
        "from unit_economics_by_feature_day where usage_date >= $1::date - 1",
        LAST_DAY,
    )
    for part in ("feature", "tenant", "model"):
        assert page.table(part, "change")[-1]["change"].lstrip("+") == usd(change)


def test_alerts(shown, marts):
    page = shown("alerts")
    told = marts.execute(
        "select alert_rule, scope_kind, scope_id, owner from fct_alert_events where is_newest and state <> 'resolved'"
    ).fetchall()
    assert {(row["rule"], row["scope"], row["owner"]) for row in page.table("rule", "state", "owner")} == {
        (rule.replace("_", " "), f"{kind} {scope}".strip(), owner) for rule, kind, scope, owner in told
    }
    rows = page.table("days", "rule")
    (breached,) = one(marts, "select count(distinct (alert_rule, scope_kind, scope_id)) from alerts")
    assert len({(row["rule"], row["scope"]) for row in rows}) == breached


def test_requests(shown, marts):
    rows = shown("requests", feature="draft_writer").table("started", "cost")
    expected = marts.execute(
        "select effective_cost_usd from fct_llm_requests where usage_date = $1 and feature = 'draft_writer' "
        "order by effective_cost_usd desc nulls last limit 50",
        [LAST_DAY],
    ).fetchall()
    assert [row["cost"] for row in rows] == [usd(cost) for (cost,) in expected]
