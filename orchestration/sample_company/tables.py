"""The company's own tables: customers, plans, subscriptions, revenue, releases, budgets.

Belongs here: their rows and their CSV. Does not belong here: traffic, and who the customers are (`company`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from orchestration.sample_company.catalog import FEATURE_NAMES, REQUEST_MODEL_IDS, Feature, Model
from orchestration.sample_company.company import PLAN_IDS, Company, Release, Tenant
from orchestration.sample_company.incidents import IncidentKind, IncidentPlan, budget_month
from orchestration.sample_company.options import SampleOptions

Rows = list[dict[str, object]]

_PLANS: tuple[dict[str, object], ...] = (
    {"plan_id": "starter", "plan_name": "Starter", "ai_tier": "basic", "monthly_price_usd": "199.00",
     "daily_ai_budget_usd": "15.00", "monthly_ai_budget_usd": "300.00", "included_operations": 2000},
    {"plan_id": "growth", "plan_name": "Growth", "ai_tier": "plus", "monthly_price_usd": "999.00",
     "daily_ai_budget_usd": "50.00", "monthly_ai_budget_usd": "1000.00", "included_operations": 10000},
    {"plan_id": "enterprise", "plan_name": "Enterprise", "ai_tier": "enterprise",
     "monthly_price_usd": "4500.00", "daily_ai_budget_usd": "600.00", "monthly_ai_budget_usd": "12000.00",
     "included_operations": 100000},
)  # fmt: skip
_SEAT_USD = (Decimal(9), Decimal(19), Decimal(39))
_CENT = Decimal("0.01")


def build_releases(options: SampleOptions, plan: IncidentPlan) -> tuple[Release, ...]:
    """Return the releases; the train leaves at midnight UTC, and some incidents left with it."""
    releases: list[Release] = []

    def add(day: int, feature: Feature, model: Model, note: str) -> None:
        deployed = datetime.combine(options.start_date + timedelta(days=day), time(), tzinfo=UTC)
        version = 1 + sum(one.feature is feature for one in releases)
        name = FEATURE_NAMES[feature]
        releases.append(Release(f"{name}-r{version}", deployed, feature, f"v{version}", REQUEST_MODEL_IDS[model], note))

    def started(kind: IncidentKind) -> int | None:
        incident = plan.of(kind)
        return None if incident is None else incident.first_day

    at = options.days
    main_models = (Model.SONNET_45, Model.GPT_41, Model.HAIKU_45, Model.GPT_5_MINI, Model.GPT_41_MINI)
    for feature in Feature:
        add(-20 - 3 * feature, feature, main_models[feature], "first release of the quarter")
    add(int(0.08 * at), Feature.RAG_ANSWERS, Model.GPT_41, "new citations")
    add(int(0.15 * at), Feature.DRAFT_WRITER, Model.HAIKU_45, "templates by industry")
    for kind, feature, model, note in (
        (IncidentKind.PROMPT_GROWTH, Feature.RAG_ANSWERS, Model.GPT_41, "whole documents in the prompt"),
        (
            IncidentKind.CACHE_COLLAPSE,
            Feature.SUPPORT_COPILOT,
            Model.SONNET_45,
            "current time in the system prompt",
        ),
        (IncidentKind.MODEL_DRIFT, Feature.DRAFT_WRITER, Model.OPUS_45, "routing by document type"),
        (
            IncidentKind.UNPRICED_MODEL,
            Feature.TICKET_CLASSIFIER,
            Model.INTERNAL_PREVIEW,
            "canary of the preview",
        ),
    ):
        day = started(kind)
        if day is not None:
            add(day, feature, model, note)
    collapse = plan.of(IncidentKind.CACHE_COLLAPSE)
    if collapse is not None:
        add(
            collapse.last_day + 1,
            Feature.SUPPORT_COPILOT,
            Model.SONNET_45,
            "current time moved behind the prompt",
        )
    return tuple(releases)


def build_tables(
    options: SampleOptions, company: Company, releases: tuple[Release, ...], budgets: Rows
) -> Mapping[str, Rows]:
    """Return the rows of every table but its file."""
    return {
        "customers": [_customer(tenant) for tenant in company.tenants],
        "plans": [dict(plan) for plan in _PLANS],
        "subscriptions": [row for tenant in company.tenants for row in _subscriptions(options, tenant)],
        "revenue": [row for tenant in company.tenants for row in _revenue(options, tenant)],
        "releases": [_release(release) for release in releases],
        "budgets": budgets,
    }


def build_budgets(
    options: SampleOptions,
    monthly_usd: Mapping[date, Decimal],
    first_week_usd: Decimal,
    usual_month_usd: Decimal,
) -> Rows:
    """Return the budgets.

    Args:
        options: Gives the months.
        monthly_usd: Months of the sample → what was spent in them.
        first_week_usd: What the first week of the mistaken month cost.
        usual_month_usd: What a month usually costs.
    """
    mistaken = budget_month(options)
    usual = _round(usual_month_usd * Decimal("1.25"), 100)
    rows: Rows = []
    for month in sorted(monthly_usd):
        amount = usual
        if month == mistaken:
            amount = _round(first_week_usd / Decimal("0.93"), 10)
        rows.append(_budget("org", "", amount, month, _next_month(month)))
    start = options.start_date.replace(day=1)
    for provider, share in (("openai", "0.4"), ("anthropic", "1.0")):
        rows.append(_budget("provider", provider, _round(usual * Decimal(share), 10), start, None))
    for feature, share in zip(FEATURE_NAMES, ("0.6", "0.1", "0.7", "0.05", "0.02"), strict=True):
        rows.append(_budget("feature", feature, _round(usual * Decimal(share), 10), start, None))
    return rows


def write_tables(folder: Path, tables: Mapping[str, Rows]) -> None:
    """Write each table as `<name>.csv` with a header line."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def months_of(options: SampleOptions) -> list[date]:
    """Return the first day of every calendar month that the sample touches."""
    months = [options.start_date.replace(day=1)]
    while _next_month(months[-1]) <= options.end_date:
        months.append(_next_month(months[-1]))
    return months


def _customer(tenant: Tenant) -> dict[str, object]:
    return {
        "tenant_id": tenant.tenant_id,
        "customer_id": tenant.customer_id,
        "name": tenant.name,
        "billing_timezone": tenant.billing_timezone,
        "owner_email": f"owner@{tenant.tenant_id}.example",
        "created_at": _moment(tenant.created_at),
    }


def _subscriptions(options: SampleOptions, tenant: Tenant) -> Iterator[dict[str, object]]:
    begins = tenant.created_at.date()
    ends = None if tenant.last_day >= options.days - 1 else options.start_date + timedelta(days=tenant.last_day + 1)
    spans = [(tenant.plan, begins, ends)]
    if tenant.new_plan is not None and tenant.new_plan_day is not None:
        moved = options.start_date + timedelta(days=tenant.new_plan_day)
        spans = [(tenant.plan, begins, moved), (tenant.new_plan, moved, ends)]
    for plan, valid_from, valid_to in spans:
        yield {
            "tenant_id": tenant.tenant_id,
            "plan_id": PLAN_IDS[plan],
            "valid_from": valid_from.isoformat(),
            "valid_to": "" if valid_to is None else valid_to.isoformat(),
            "seats": tenant.seats,
            "monthly_recurring_revenue_usd": str(_monthly_usd(tenant, plan)),
        }


def _revenue(options: SampleOptions, tenant: Tenant) -> Iterator[dict[str, object]]:
    """Yield a subscription line a month and plan, by days of service, and what was given back."""
    for month in months_of(options):
        end_of_month = _next_month(month)
        line = 0
        for row in _subscriptions(options, tenant):
            begins = max(month, date.fromisoformat(str(row["valid_from"])))
            ends = min(end_of_month, date.fromisoformat(str(row["valid_to"] or end_of_month)))
            if ends <= begins:
                continue
            price = Decimal(str(row["monthly_recurring_revenue_usd"]))
            amount = price * (ends - begins).days / (end_of_month - month).days
            line += 1
            yield _revenue_line(tenant, month, line, begins=begins, ends=ends, amount=amount, kind="subscription")
        if line and tenant.plan == 2 and int(tenant.customer_id[-2:]) % 4 == 1:
            overage = _monthly_usd(tenant, 2) * Decimal("0.12")
            yield _revenue_line(tenant, month, line + 1, begins=month, ends=end_of_month, amount=overage, kind="usage")
        if line and int(tenant.customer_id[-2:]) % 29 == 5:
            credit = -_monthly_usd(tenant, tenant.plan) * Decimal("0.10")
            yield _revenue_line(tenant, month, line + 2, begins=month, ends=end_of_month, amount=credit, kind="credit")
        gone = options.start_date + timedelta(days=tenant.last_day)
        if tenant.last_day < options.days - 1 and gone.replace(day=1) == month:
            yield _revenue_line(
                tenant, month, line + 3, begins=month, ends=end_of_month, amount=Decimal(-50), kind="refund"
            )


def _revenue_line(
    tenant: Tenant, month: date, line: int, *, begins: date, ends: date, amount: Decimal, kind: str
) -> dict[str, object]:
    invoice = f"in_{month:%Y%m}_{tenant.customer_id[4:]}"
    return {
        "tenant_id": tenant.tenant_id,
        "invoice_id": invoice,
        "line_id": f"{invoice}_{line}",
        "service_start_date": begins.isoformat(),
        "service_end_date": ends.isoformat(),
        "amount_usd": str(amount.quantize(_CENT, ROUND_HALF_UP)),
        "kind": kind,
    }


def _release(release: Release) -> dict[str, object]:
    return {
        "release_id": release.release_id,
        "deployed_at": _moment(release.deployed_at),
        "feature": FEATURE_NAMES[release.feature],
        "prompt_name": release.prompt_name,
        "prompt_version": release.prompt_version,
        "model": release.model,
        "note": release.note,
    }


def _budget(scope: str, scope_id: str, amount: Decimal, valid_from: date, valid_to: date | None) -> dict[str, object]:
    return {
        "scope": scope,
        "scope_id": scope_id,
        "period": "month",
        "amount_usd": str(amount),
        "valid_from": valid_from.isoformat(),
        "valid_to": "" if valid_to is None else valid_to.isoformat(),
    }


def _monthly_usd(tenant: Tenant, plan: int) -> Decimal:
    price = Decimal(str(_PLANS[plan]["monthly_price_usd"]))
    return price + _SEAT_USD[plan] * min(tenant.seats, (10, 60, 10_000)[plan])


def _moment(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _next_month(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def _round(amount: Decimal, step: int) -> Decimal:
    return max(Decimal(step), (amount / step).quantize(Decimal(1), ROUND_HALF_UP) * step)
