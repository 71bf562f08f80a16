"""What the way back reads of the published marts.

Belongs here: queries, and their rows as Python values. Does not belong here: what follows from them.

Dates are literals: DuckDB imports pandas for the first parameter it is given (lab: 0.5 s).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import duckdb

from orchestration.limits.document import Budget
from orchestration.limits.requests import Breach


def plan_budgets(marts: duckdb.DuckDBPyConnection) -> list[Budget]:
    """Return what each tenant's plans include for AI, by day and by month, with their dates."""
    found = marts.execute(
        """
        select tenant_id, plan_name, valid_from, valid_to, daily_ai_budget_usd, monthly_ai_budget_usd
        from dim_subscriptions order by tenant_id, valid_from
        """
    ).fetchall()
    return [
        Budget("tenant", tenant_id, period, amount_usd, valid_from, valid_to, f"plan {plan_name}")
        for tenant_id, plan_name, valid_from, valid_to, daily, monthly in found
        for period, amount_usd in (("day", daily), ("month", monthly))
        if amount_usd is not None
    ]


def own_budgets(marts: duckdb.DuckDBPyConnection) -> list[Budget]:
    """Return the company's budgets with their dates."""
    found = marts.execute(
        """
        select scope_kind, scope_id, budget_period, budget_usd, valid_from, valid_to, 'budget'
        from dim_budgets order by all
        """
    ).fetchall()
    return [Budget(*row) for row in found]


def billing_timezones(marts: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return each tenant's billing time zone as it is known now."""
    query = "select tenant_id, billing_timezone from dim_customers where is_current and billing_timezone is not null"
    return dict(marts.execute(query).fetchall())


def breaches_since(marts: duckdb.DuckDBPyConnection, first: date) -> list[Breach]:
    """Return the incidents that are open or acknowledged, each by its newest evaluation, from the day `first` on.

    A snoozed one asks for nothing: somebody has decided to wait.
    """
    found = marts.execute(
        f"""
        select incident_id, alert_rule, event_date, scope_kind, scope_id, observed, threshold, unit, owner, action,
          is_automatic
        from fct_alert_events
        semi join (
          select incident_id from fct_alert_events where is_newest and state in ('open', 'acknowledged')
        ) as firing using (incident_id)
        where event_date >= date '{first}' and observed is not null and action is not null
        qualify row_number() over (partition by incident_id order by event_date desc, recorded_at desc) = 1
        order by event_date, alert_rule, scope_kind, scope_id
        """
    ).fetchall()
    return [Breach(*row) for row in found]


@dataclass(frozen=True)
class AccountCost:
    """What the calls of one scope did cost in one window, by the UTC hour in which they started.

    Attributes:
        scope, scope_id: Whose.
        local_date: The day in the scope's zone.
        known: Hour since 1970 → 10⁻⁹ USD.
        incomplete_hours: Hours with calls whose cost is unknown.
    """

    scope: str
    scope_id: str
    local_date: date
    known: Mapping[int, int]
    incomplete_hours: frozenset[int]


def newest_start(marts: duckdb.DuckDBPyConnection, first: date) -> datetime | None:
    """Return the start of the newest call from `first` on; None when there is none."""
    row = marts.execute(
        f"select epoch_us(max(started_at)) from fct_llm_requests where usage_date >= date '{first}'"
    ).fetchone()
    return datetime.fromtimestamp(row[0] / 1_000_000, UTC) if row and row[0] is not None else None


def account_costs(marts: duckdb.DuckDBPyConnection, first: date) -> list[AccountCost]:
    """Return the cost of every tenant, feature, provider and of the organisation on the days from `first` on.

    Days are those of the tenant's billing time zone for tenants, and UTC's for the others.
    """
    found = marts.execute(
        f"""
        with zones as (
          select tenant_id, billing_timezone from dim_customers where is_current and billing_timezone is not null
        ),

        calls as (
          select
            coalesce(requests.tenant_id, 'unattributed') as tenant_id,
            coalesce(requests.feature, 'unattributed') as feature,
            requests.provider,
            cast(timezone(coalesce(zones.billing_timezone, 'UTC'), requests.started_at) as date) as tenant_date,
            requests.usage_date,
            epoch_us(requests.started_at) // 3600000000 as hour,
            requests.effective_cost_usd
          from fct_llm_requests as requests
          left join zones on requests.tenant_id = zones.tenant_id
          where requests.usage_date >= date '{first}'
        ),

        by_hour as (
          select
            tenant_id, feature, provider, tenant_date, usage_date, hour,
            grouping(tenant_id) as no_tenant, grouping(feature) as no_feature, grouping(provider) as no_provider,
            sum(effective_cost_usd) as cost_usd,
            count(*) - count(effective_cost_usd) as unknown_count
          from calls
          group by grouping sets (
            (tenant_id, tenant_date, hour), (feature, usage_date, hour),
            (provider, usage_date, hour), (usage_date, hour)
          )
        )

        select
          case when no_tenant = 0 then 'tenant' when no_feature = 0 then 'feature'
            when no_provider = 0 then 'provider' else 'org' end as scope,
          case when no_tenant = 0 then tenant_id when no_feature = 0 then feature
            when no_provider = 0 then provider else '' end as scope_id,
          coalesce(tenant_date, usage_date) as local_date,
          list(hour order by hour),
          list(cast(round(coalesce(cost_usd, 0) * 1000000000) as hugeint) order by hour),
          list(hour order by hour) filter (where unknown_count > 0)
        from by_hour
        group by all
        order by all
        """
    ).fetchall()
    return [
        AccountCost(scope, scope_id, local_date, dict(zip(hours, costs, strict=True)), frozenset(unknown or ()))
        for scope, scope_id, local_date, hours, costs, unknown in found
    ]
