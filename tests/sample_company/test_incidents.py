"""Every planted incident shows in what was written, in the days and in the size that the ground truth states.

The figures here come from the logs and the bills, not from the generator's own sums.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from story import Story

from orchestration.sample_company import SampleOptions
from orchestration.sample_company.attempts import draw_attempts
from orchestration.sample_company.company import build_company
from orchestration.sample_company.incidents import IncidentKind, plan_incidents
from orchestration.sample_company.ledger import post
from orchestration.sample_company.operations import Demand, draw_operations
from orchestration.sample_company.prices import PICO
from orchestration.sample_company.truth import cut_ms

ALL = {
    "noisy_tenant", "prompt_growth", "retry_storm", "model_drift", "cache_collapse", "embedding_runaway", "price_cut",
    "untagged_traffic", "unpriced_model", "uninstrumented_service", "restated_bill", "volume_discount", "budget_burn",
    "outgrown_plan",
}  # fmt: skip
DRAFTS = "feature is not distinct from 'draft_writer'"


def _inside(incident: dict[str, Any]) -> str:
    return f"day between '{incident['first_date']}' and '{incident['last_date']}'"


def _costs(story: Story) -> list[dict[str, Any]]:
    with (story.manifest.root / "truth" / "cost_by_tenant_feature_day.csv").open() as file:
        return list(csv.DictReader(file))


def test_all_are_planted_with_scope_days_rule_and_cause(story: Story) -> None:
    assert {one["id"] for one in story.truth["incidents"]} == ALL
    for one in story.truth["incidents"]:
        first, last = date.fromisoformat(one["first_date"]), date.fromisoformat(one["last_date"])
        assert story.manifest.start_date <= first <= last <= story.manifest.end_date
        assert one["rule"]
        assert one["cause"]


def test_noisy_tenant_is_six_times_itself(story: Story) -> None:
    incident = story.incident("noisy_tenant")
    tenant = incident["tenant_id"]
    (during,) = story.rows(f"select count(*) / 3 from lines where tenant_id = ? and {_inside(incident)}", tenant)[0]
    first = date.fromisoformat(incident["first_date"])
    (before,) = story.rows(
        "select count(*) / 7 from lines where tenant_id = ? and day between ? and ?",
        tenant, first - timedelta(days=7), first - timedelta(days=1),
    )[0]  # fmt: skip
    assert 4.5 < during / before < 8.5
    assert incident["excess"]["attempts"] == pytest.approx(during * 3 * 5 / 6, rel=0.12)


def test_prompts_grew_by_seventy_percent_with_a_release(story: Story) -> None:
    incident = story.incident("prompt_growth")
    means = dict(
        story.rows(
            f"""select {_inside(incident)}, avg(total) from lines
            where feature = 'rag_answers' and operation_name is null and provider = 'openai' and has_usage group by 1"""
        )
    )
    assert means[True] / means[False] == pytest.approx(1.7, rel=0.05)
    assert incident["excess"]["input_tokens"] / incident["affected"]["input_tokens"] == pytest.approx(
        0.7 / 1.7, rel=0.01
    )
    with (story.manifest.company / "releases.csv").open() as file:
        releases = [row for row in csv.DictReader(file) if row["feature"] == "rag_answers"]
    assert releases[-1]["deployed_at"] == f"{incident['first_date']}T00:00:00Z"
    used = story.rows(f"select distinct release from lines where feature = 'rag_answers' and {_inside(incident)}")
    assert used == [(releases[-1]["release_id"],)]


def test_the_retry_storm_fails_and_costs(story: Story) -> None:
    incident = story.incident("retry_storm")
    rows = story.rows(
        f"""select {_inside(incident)}, avg((outcome <> 'success' and outcome <> 'cancelled')::int),
          avg((attempt_number > 1)::int), count(*)
        from lines where feature = 'search_assist' group by 1 order by 1"""
    )
    (_, quiet_failures, quiet_retries, _), (_, failures, retries, _) = rows
    assert quiet_failures < 0.03
    assert failures > 0.3
    assert quiet_retries < 0.03
    assert retries > 0.25
    (tokens_in_storm,) = story.rows(
        f"select sum(total) / 2 from lines where feature = 'search_assist' and {_inside(incident)}"
    )[0]
    first = date.fromisoformat(incident["first_date"])
    (tokens_before,) = story.rows(
        "select sum(total) / 7 from lines where feature = 'search_assist' and day between ? and ?",
        first - timedelta(days=7), first - timedelta(days=1),
    )[0]  # fmt: skip
    assert tokens_in_storm > tokens_before
    assert Decimal(incident["excess"]["list_cost_usd"]) > 0


def test_drafts_drift_to_the_premium_models(story: Story) -> None:
    incident = story.incident("model_drift")
    share = dict(
        story.rows(
            f"""select {_inside(incident)}, avg((model like 'claude-opus%')::int) from lines
            where {DRAFTS} and provider = 'anthropic' group by 1"""
        )
    )
    assert share[False] == pytest.approx(0.32, abs=0.03)
    assert share[True] == pytest.approx(0.58, abs=0.04)
    assert Decimal(incident["excess"]["list_cost_usd"]) > 100


def test_the_cache_collapses_from_sixty_to_five_percent(story: Story) -> None:
    incident = story.incident("cache_collapse")
    rate = dict(
        story.rows(
            f"""select {_inside(incident)}, sum(cached) / sum(total) from lines
            where feature = 'support_copilot' and has_usage and not coalesce(is_fallback, false) group by 1"""
        )
    )
    assert rate[False] == pytest.approx(0.60, abs=0.03)
    assert rate[True] == pytest.approx(0.05, abs=0.02)
    assert incident["excess"]["input_tokens"] == 0
    assert Decimal(incident["excess"]["list_cost_usd"]) > 100


def test_the_indexing_job_embeds_more_than_all_generation(story: Story) -> None:
    incident = story.incident("embedding_runaway")
    ratio = dict(
        story.rows(
            """select cast(day as varchar), sum(case when operation_name = 'embeddings' then total else 0 end)
              / sum(case when operation_name is null then total + output else 0 end)
            from lines where has_usage group by 1"""
        )
    )
    assert ratio.pop(incident["first_date"]) > 1
    assert max(ratio.values()) < 0.01


def test_the_price_cut_is_in_the_bill_from_its_first_day(story: Story) -> None:
    incident = story.incident("price_cut")
    prices: dict[str, set[Decimal]] = {}
    for day, reports in story.bills["openai"]["days"].items():
        for line in reports["costs"]:
            if line["line_item"] == "gpt-4.1-2025-04-14, input_tokens":
                prices.setdefault(day, set()).add(Decimal(line["amount"]) * 1_000_000 / line["quantity"])
    before = {day for day, price in prices.items() if price == {Decimal(2)}}
    after = {day for day, price in prices.items() if price == {Decimal("1.6")}}
    assert before | after == set(prices)
    assert max(before) < incident["first_date"] == min(after)
    with story.manifest.price_overrides.open() as file:
        overrides = {row["usage_class"]: row for row in csv.DictReader(file)}
    assert {name: row["price_usd_per_mtok"] for name, row in overrides.items()} == {
        "input": "1.6", "cache_read": "0.4", "output": "6.4",
    }  # fmt: skip
    assert {row["valid_from"] for row in overrides.values()} == {f"{incident['first_date']}T00:00:00Z"}


def test_a_third_of_the_drafts_lose_their_tags(story: Story) -> None:
    incident = story.incident("untagged_traffic")
    untagged = story.value("select count(*) from (select distinct * from lines where tenant_id is null)")
    assert untagged == incident["affected"]["attempts"]
    outside = story.value(
        f"select count(*) from lines where (tenant_id is null or feature is null) and not {_inside(incident)}"
    )
    assert outside == 0
    assert story.value("select count(*) from lines where (tenant_id is null) <> (feature is null)") == 0
    share = story.value(
        f"""select avg((tenant_id is null)::int) from lines
        where (feature = 'draft_writer' or feature is null) and {_inside(incident)}"""
    )
    assert share == pytest.approx(0.35, abs=0.06)


def test_the_model_without_a_price_is_logged_and_never_billed(story: Story) -> None:
    incident = story.incident("unpriced_model")
    first, last, attempts, projects = story.rows(
        """select cast(min(day) as varchar), cast(max(day) as varchar), count(distinct request_id), min(provider)
        from lines where model = 'gpt-internal-preview'"""
    )[0]
    assert (first, last) == (incident["first_date"], incident["last_date"])
    assert attempts == incident["affected"]["attempts"]
    assert projects == "azure.ai.openai"
    assert incident["list_cost_usd"] is None
    assert "gpt-internal-preview" not in str(story.bills)


def test_the_uninstrumented_service_is_billed_and_never_logged(story: Story) -> None:
    incident = story.incident("uninstrumented_service")
    billed, days, tokens = Decimal(0), set(), 0
    for day, reports in story.bills["openai"]["days"].items():
        for line in reports["costs"]:
            if line["project_id"] == incident["provider_project"]:
                billed += Decimal(line["amount"])
                tokens += line["quantity"]
                days.add(day)
    assert billed == Decimal(incident["billed_usd"]) > 300
    assert tokens == sum(incident["tokens"].values())
    assert (min(days), max(days)) == (incident["first_date"], incident["last_date"])
    logged = story.value("select count(*) from lines where provider_project = ?", incident["provider_project"])
    assert logged == 0


def test_the_restated_day_lacked_its_evening_and_got_a_credit(story: Story) -> None:
    incident = story.incident("restated_bill")
    day = incident["first_date"]
    now = story.bills["openai"]["days"][day]
    ((restated, then),) = story.bills["openai"]["revisions"]["1"].items()
    assert restated == day
    first, later = (sum(Decimal(line["amount"]) for line in answer["costs"]) for answer in (then, now))
    credit = sum(Decimal(line["amount"]) for line in now["costs"] if Decimal(line["amount"]) < 0)
    assert (first, later) == (Decimal(incident["first_billed_usd"]), Decimal(incident["billed_usd"]))
    assert credit == Decimal(incident["credit_usd"]) < 0
    assert later - credit - first == Decimal(incident["late_usage_usd"]) > 0
    for report in ("completions", "embeddings"):
        early, whole = (sum(row["input_tokens"] for row in answer[report]) for answer in (then, now))
        assert early < whole


def test_anthropic_bills_eight_percent_below_list(story: Story) -> None:
    incident = story.incident("volume_discount")
    assert Decimal(incident["billed_usd"]) / Decimal(incident["list_cost_usd"]) == pytest.approx(
        Decimal("0.92"), abs=Decimal("1e-7")
    )
    days = story.truth["providers"]["anthropic"].values()
    assert sum(Decimal(day["list_cost_usd"]) - Decimal(day["billed_usd"]) for day in days) == Decimal(
        incident["discount_usd"]
    )


def test_the_months_budget_is_nearly_gone_after_a_week(story: Story) -> None:
    incident = story.incident("budget_burn")
    with (story.manifest.company / "budgets.csv").open() as file:
        budgets = [row for row in csv.DictReader(file) if row["scope"] == "org"]
    (october,) = [row for row in budgets if row["valid_from"] == incident["first_date"]]
    first = date.fromisoformat(incident["first_date"])
    spent = sum(
        Decimal(story.truth["spend_by_date_usd"][(first + timedelta(days=number)).isoformat()]) for number in range(7)
    )
    assert Decimal("0.85") < spent / Decimal(october["amount_usd"]) < 1
    assert date.fromisoformat(incident["crossed_80_pct_on"]) < first + timedelta(days=7)
    (september,) = [row for row in budgets if row is not october]
    assert Decimal(september["amount_usd"]) > 3 * Decimal(october["amount_usd"])


def test_the_default_company_has_a_tenant_that_outgrows_its_plan(story: Story) -> None:
    """Spend grows with the number of requests, so at a fifth of the default it stays below a fifth of 50 dollars."""
    incident = story.incident("outgrown_plan")
    tenant = incident["tenant_id"]
    with (story.manifest.company / "subscriptions.csv").open() as file:
        plans = {row["plan_id"] for row in csv.DictReader(file) if row["tenant_id"] == tenant}
    assert plans == {"growth"}
    by_day: dict[str, Decimal] = {}
    for row in _costs(story):
        if row["tenant_id"] == tenant:
            by_day[row["usage_date"]] = by_day.get(row["usage_date"], Decimal(0)) + Decimal(row["list_cost_usd"])
    last_week = [by_day[day] for day in sorted(by_day)[-7:]]
    first_weeks = [by_day[day] for day in sorted(by_day)[:28]]
    assert sum(last_week) / 7 > 4 * sum(first_weeks) / 28
    assert max(last_week) > 10


def test_otherwise_features_do_not_fail(story: Story) -> None:
    storm = story.incident("retry_storm")
    failing = story.rows(
        f"""select feature, day, avg((outcome in ('timeout', 'rate_limited', 'error'))::int) as share, count(*) as lines
        from lines where not (feature = 'search_assist' and {_inside(storm)})
        group by 1, 2 having lines >= 100 and share > 0.05"""
    )
    assert failing == []


def test_otherwise_tenants_are_quiet_in_the_default_company() -> None:
    """At its default size, days above twice the week before or above the plan's limit are the planted ones."""
    options = SampleOptions()
    company = build_company(options)
    plan = plan_incidents(options, company)
    demand = Demand(options, company, plan)
    costs = np.zeros((options.days + 1, len(company.tenants)))
    first = (options.start_date - date(1970, 1, 1)).days
    for day in range(options.days):
        ops = draw_operations(demand, day, 0, 1)
        attempts = draw_attempts(ops, plan, options, day=day, part=0)
        for (of_day, tenant, _), cost in post(ops, attempts, cut_ms(plan, options)).tenants.items():
            costs[of_day - first, tenant] += cost.pico_usd / PICO

    def days(kind: IncidentKind) -> set[int]:
        incident = plan.of(kind)
        assert incident is not None
        return set(range(incident.first_day, incident.last_day + 1))

    noisy, outgrown = plan.of(IncidentKind.NOISY_TENANT), plan.of(IncidentKind.OUTGROWN_PLAN)
    assert noisy is not None
    assert outgrown is not None
    spikes = {
        (tenant, day)
        for tenant in range(len(company.tenants))
        for day in range(7, options.days)
        if costs[day, tenant] > 20 and costs[day, tenant] > 2 * costs[day - 7 : day, tenant].mean()
    }
    assert {(noisy.tenant, day) for day in days(IncidentKind.NOISY_TENANT)} <= spikes
    # A collapsed cache doubles the cost of those who live on the copilot.
    expected = days(IncidentKind.NOISY_TENANT) | days(IncidentKind.CACHE_COLLAPSE)
    assert {day for _, day in spikes} <= expected
    over_plan = {tenant for tenant, one in enumerate(company.tenants) if one.plan < 2 and costs[:, tenant].max() > 50}
    assert over_plan == {outgrown.tenant}
    assert 40_000 < costs.sum() < 120_000
