"""The company's own tables, read by the real connector and checked against each other."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from story import Story

from orchestration.connectors.company_tables import CompanyTables
from orchestration.landing.store import LandingStore

TABLES = ("customers", "plans", "subscriptions", "revenue", "releases", "budgets")


def _rows(story: Story, table: str) -> list[dict[str, str]]:
    with (story.manifest.company / f"{table}.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_connector_reads_every_row(story: Story, tmp_path: Path) -> None:
    config = CompanyTables.Config.model_validate(
        {"tables": {table: str(story.manifest.company / f"{table}.csv") for table in TABLES}}
    )
    result = LandingStore(tmp_path).run("company", CompanyTables("company", config, lambda name: name), None)
    for table in TABLES:
        assert result.tables[table].rows_landed == len(_rows(story, table)) > 0
        assert result.tables[table].rows_quarantined == 0


def test_every_tenant_has_one_plan_at_a_time(story: Story) -> None:
    spans: dict[str, list[tuple[str, str]]] = {}
    for row in _rows(story, "subscriptions"):
        spans.setdefault(row["tenant_id"], []).append((row["valid_from"], row["valid_to"] or "9999"))
    assert set(spans) == {row["tenant_id"] for row in _rows(story, "customers")}
    for of_tenant in spans.values():
        ordered = sorted(of_tenant)
        assert all(earlier[1] == later[0] for earlier, later in pairwise(ordered))
        assert all(start < end for start, end in ordered)


def test_one_tenant_changes_its_plan_one_leaves_three_come(story: Story) -> None:
    kinds = [one["kind"] for one in story.truth["planned_changes"]]
    assert [kinds.count(kind) for kind in ("plan_change", "churned_tenant", "new_tenant")] == [1, 1, 3]
    gone = next(one for one in story.truth["planned_changes"] if one["kind"] == "churned_tenant")
    assert story.value("select max(day) from lines where tenant_id = ?", gone["tenant_id"]) < date.fromisoformat(
        gone["date"]
    )
    (last,) = [row for row in _rows(story, "subscriptions") if row["tenant_id"] == gone["tenant_id"]]
    assert last["valid_to"] == gone["date"]


def test_only_the_largest_are_on_the_enterprise_tier(story: Story) -> None:
    tiers = {row["plan_id"]: row["ai_tier"] for row in _rows(story, "plans")}
    assert len(tiers) == 3
    assert [plan for plan, tier in tiers.items() if tier == "enterprise"] == ["enterprise"]
    plans = {row["tenant_id"]: row["plan_id"] for row in _rows(story, "subscriptions")}
    spent: dict[str, Decimal] = {}
    with (story.manifest.root / "truth" / "cost_by_tenant_feature_day.csv").open() as file:
        for row in csv.DictReader(file):
            spent[row["tenant_id"]] = spent.get(row["tenant_id"], Decimal(0)) + Decimal(row["list_cost_usd"])
    largest = sorted(spent, key=lambda tenant: spent[tenant])[-6:]
    assert {plans[tenant] for tenant in largest} == {"enterprise"}


def test_subscription_revenue_is_paid_for_the_days_of_service(story: Story) -> None:
    """A whole month of a plan costs its price; the two plans of a changed month add up by days."""
    prices = {
        (row["tenant_id"], row["valid_from"]): Decimal(row["monthly_recurring_revenue_usd"])
        for row in _rows(story, "subscriptions")
    }
    whole = [
        row
        for row in _rows(story, "revenue")
        if row["kind"] == "subscription"
        and (row["service_start_date"], row["service_end_date"]) == ("2026-10-01", "2026-11-01")
    ]
    assert len(whole) > 75
    for row in whole:
        assert Decimal(row["amount_usd"]) in {
            price for (tenant, _), price in prices.items() if tenant == row["tenant_id"]
        }
    kinds = {row["kind"]: Decimal(row["amount_usd"]) for row in _rows(story, "revenue")}
    assert set(kinds) == {"subscription", "usage", "credit", "refund"}
    assert kinds["credit"] < 0 > kinds["refund"]
    lines = [row["line_id"] for row in _rows(story, "revenue")]
    assert len(lines) == len(set(lines))


def test_the_company_earns_more_than_it_spends(story: Story) -> None:
    earned = sum(Decimal(row["amount_usd"]) for row in _rows(story, "revenue"))
    # The story runs at a fifth of the default traffic; revenue does not scale with it.
    assert earned > 5 * Decimal(story.truth["total_spend_usd"])


@pytest.mark.parametrize(
    "feature", ["support_copilot", "rag_answers", "draft_writer", "search_assist", "ticket_classifier"]
)
def test_every_call_ran_on_a_release_that_was_out(story: Story, feature: str) -> None:
    deployed = {row["release_id"]: row["deployed_at"] for row in _rows(story, "releases")}
    used = story.rows("select release, cast(min(ts) as varchar) from lines where feature = ? group by 1", feature)
    assert used
    assert all(first >= deployed[release].replace("T", " ").rstrip("Z") for release, first in used)
