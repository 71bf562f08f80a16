"""The figures of a month, as the marts hold them.

Belongs here: asking the marts; amounts stay decimals. Does not belong here: words and forms (`document`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import duckdb

from orchestration.closing.receipt import next_month
from orchestration.explain.change import Change, ExplainError, Period, explain_change

MOVERS = 5
"""Tenants whose change is explained one by one."""

LOWEST_MARGINS = 10


class Totals(NamedTuple):
    """Sums over all requests of a month; `None` is unknown."""

    effective_cost_usd: Decimal | None
    estimated_cost_usd: Decimal | None
    list_cost_usd: Decimal | None
    attempts_count: int
    unpriced_attempts_count: int
    tokens: int
    operations_count: int
    accepted_outcomes_count: int
    days_count: int


class Day(NamedTuple):
    """What requests of a day cost, and the part of it that is an estimate."""

    usage_date: date
    effective_cost_usd: Decimal | None
    estimated_cost_usd: Decimal | None


class Feature(NamedTuple):
    """A feature's month."""

    feature: str
    effective_cost_usd: Decimal | None
    previous_cost_usd: Decimal | None
    attempts_count: int
    previous_attempts_count: int
    unpriced_attempts_count: int
    operations_count: int
    accepted_outcomes_count: int
    waste_cost_usd: Decimal | None


class Provider(NamedTuple):
    """A provider's bill beside our estimate; see `recon_estimated_vs_billed_by_provider_month`."""

    provider: str
    contracted_cost_usd: Decimal | None
    billed_cost_usd: Decimal | None
    allocated_cost_usd: Decimal | None
    unattributed_cost_usd: Decimal | None
    usage_gap_usd: Decimal | None
    price_gap_usd: Decimal | None
    logged_tokens: int | None
    provider_tokens: int | None
    days_count: int
    open_days_count: int
    settling_days_count: int
    disputed_days_count: int
    reconciliation_status: str


class Unattributed(NamedTuple):
    """What bills hold beyond any request."""

    provider: str
    reason: str
    amount_usd: Decimal
    likely_cause: str | None
    what_to_do: str | None


class Plan(NamedTuple):
    """A plan's revenue and cost."""

    plan_id: str
    plan_name: str | None
    tenants_count: int
    revenue_usd: Decimal
    llm_cost_usd: Decimal
    gross_margin_usd: Decimal


class Tenant(NamedTuple):
    """A tenant's revenue and cost."""

    tenant_id: str
    customer_name: str | None
    plan_name: str | None
    revenue_usd: Decimal
    llm_cost_usd: Decimal
    gross_margin_usd: Decimal


class Rule(NamedTuple):
    """A rule that fired in the month, and its worst breach."""

    alert_rule: str
    severity: str
    breaches_count: int
    scopes_count: int
    first_date: date
    last_date: date
    scope_kind: str | None
    scope_id: str | None
    observed: float | None
    threshold: float | None
    unit: str | None


@dataclass(frozen=True)
class Mover:
    """A tenant whose cost moved, and why."""

    tenant_id: str
    change: Change


class Incident(NamedTuple):
    """One rule and one scope that people were told of, as it stands now."""

    alert_rule: str
    scope_kind: str
    scope_id: str
    severity: str
    state: str
    opened_date: date
    last_date: date
    owner: str | None
    top_drivers: str | None


@dataclass(frozen=True)
class Month:
    """Everything that a report says of a month.

    Attributes:
        first_day: Of the month.
        totals, previous: Of the month and of the one before; the latter is None when nothing of it is published.
        days: In order.
        features: The dearest first.
        providers, unattributed: Reconciliation.
        plans: The lowest margin first.
        lowest_margins: The tenants that bring least, at most `LOWEST_MARGINS`.
        losing_tenants_count: Tenants that cost more than they pay.
        change: Since the month before; None when it cannot be compared.
        movers: The tenants that moved most, at most `MOVERS`.
        rules: What fired.
        incidents: What people were told of that was open in the month; as it stands now, also of a closed month.
    """

    first_day: date
    totals: Totals
    previous: Totals | None
    days: Sequence[Day]
    features: Sequence[Feature]
    providers: Sequence[Provider]
    unattributed: Sequence[Unattributed]
    plans: Sequence[Plan]
    lowest_margins: Sequence[Tenant]
    losing_tenants_count: int
    change: Change | None
    movers: Sequence[Mover]
    rules: Sequence[Rule]
    incidents: Sequence[Incident]


class NothingPublishedError(ValueError):
    """Nothing of the month is published."""


def read_month(marts: duckdb.DuckDBPyConnection, first_day: date) -> Month:
    """Return the figures of the month that begins with `first_day`.

    Args:
        marts: What `open_months` opened.
        first_day: Of the month.

    Raises:
        NothingPublishedError: When the marts hold no request of the month.
    """
    before = _month_before(first_day)
    totals, previous = _totals(marts, first_day), _totals(marts, before)
    if totals is None:
        raise NothingPublishedError(f"nothing of {first_day:%Y-%m} is published")
    change = _change(marts, before, first_day)
    (losing,) = _rows(marts, _LOSING, first_day)[0]
    return Month(
        first_day=first_day,
        totals=totals,
        previous=previous,
        days=[Day(*row) for row in _rows(marts, _DAYS, first_day)],
        features=[Feature(*row) for row in _rows(marts, _FEATURES, first_day)],
        providers=[Provider(*row) for row in _rows(marts, _PROVIDERS, first_day)],
        unattributed=[Unattributed(*row) for row in _rows(marts, _UNATTRIBUTED, first_day)],
        plans=[Plan(*row) for row in _rows(marts, _PLANS, first_day)],
        lowest_margins=[Tenant(*row) for row in _rows(marts, _TENANTS, first_day)],
        losing_tenants_count=losing,
        change=change,
        movers=_movers(marts, before, first_day) if change else [],
        rules=[Rule(*row) for row in _rows(marts, _RULES, first_day)],
        incidents=[Incident(*row) for row in _rows(marts, _INCIDENTS, first_day)],
    )


def _totals(marts: duckdb.DuckDBPyConnection, first_day: date) -> Totals | None:
    row = _rows(marts, _TOTALS, first_day)[0]
    return None if row[-1] == 0 else Totals(*row)


def _change(marts: duckdb.DuckDBPyConnection, before: date, first_day: date, **scope: str) -> Change | None:
    """Compare the days that are known of two months; None when one of them has none."""
    try:
        return explain_change(marts, _known_days(marts, before), _known_days(marts, first_day), **scope)
    except ExplainError:
        return None


def _movers(marts: duckdb.DuckDBPyConnection, before: date, first_day: date) -> list[Mover]:
    tenants = [tenant for (tenant,) in marts.execute(_MOVERS, _parameters(_MOVERS, first_day)).fetchall()]
    changes = ((tenant, _change(marts, before, first_day, tenant_id=tenant)) for tenant in tenants)
    return [Mover(tenant, change) for tenant, change in changes if change is not None]


def _known_days(marts: duckdb.DuckDBPyConnection, first_day: date) -> Period:
    first, last = _rows(marts, _KNOWN_DAYS, first_day)[0]
    if first is None:
        raise ExplainError(f"nothing of {first_day:%Y-%m} is published")
    return Period(first, last)


def _rows(marts: duckdb.DuckDBPyConnection, sql: str, first_day: date) -> list[tuple[Any, ...]]:
    return marts.execute(sql, _parameters(sql, first_day)).fetchall()


def _parameters(sql: str, first_day: date) -> dict[str, date | int]:
    """Return the parameters that a query names: DuckDB refuses others."""
    next_day = next_month(first_day)
    every = {
        "first": first_day,
        "next": next_day,
        "before": _month_before(first_day),
        "movers": MOVERS,
        "lowest": LOWEST_MARGINS,
    }
    return {name: value for name, value in every.items() if f"${name}" in sql}


def _month_before(first_day: date) -> date:
    return (first_day - timedelta(days=1)).replace(day=1)


_IN_MONTH = "usage_date >= $first and usage_date < $next"

_TOTALS = f"""
select
  sum(effective_cost_usd),
  sum(estimated_cost_usd),
  sum(list_cost_usd),
  coalesce(sum(attempts_count), 0),
  coalesce(sum(unpriced_attempts_count), 0),
  coalesce(sum(input_tokens) + sum(output_tokens), 0),
  coalesce(sum(operations_count), 0),
  coalesce(sum(accepted_outcomes_count), 0),
  count(distinct usage_date)
from unit_economics_by_feature_day
where {_IN_MONTH}
"""

_KNOWN_DAYS = f"select min(usage_date), max(usage_date) from unit_economics_by_feature_day where {_IN_MONTH}"

_DAYS = f"""
select usage_date, sum(effective_cost_usd), sum(estimated_cost_usd)
from unit_economics_by_feature_day
where {_IN_MONTH}
group by usage_date
order by usage_date
"""

_FEATURES = f"""
with costs as (
  select
    feature,
    sum(effective_cost_usd) filter (where usage_date >= $first) as effective_cost_usd,
    sum(effective_cost_usd) filter (where usage_date < $first) as previous_cost_usd,
    coalesce(sum(attempts_count) filter (where usage_date >= $first), 0) as attempts_count,
    coalesce(sum(attempts_count) filter (where usage_date < $first), 0) as previous_attempts_count,
    coalesce(sum(unpriced_attempts_count) filter (where usage_date >= $first), 0) as unpriced_attempts_count,
    coalesce(sum(operations_count) filter (where usage_date >= $first), 0) as operations_count,
    coalesce(sum(accepted_outcomes_count) filter (where usage_date >= $first), 0) as accepted_outcomes_count
  from unit_economics_by_feature_day
  where usage_date >= $before and usage_date < $next
  group by feature
),

wastes as (
  select feature, sum(waste_cost_usd) as waste_cost_usd
  from waste_by_feature_day
  where {_IN_MONTH}
  group by feature
)

select
  costs.feature, effective_cost_usd, previous_cost_usd, attempts_count, previous_attempts_count,
  unpriced_attempts_count, operations_count, accepted_outcomes_count, waste_cost_usd
from costs
left join wastes on costs.feature = wastes.feature
order by effective_cost_usd desc nulls last, costs.feature
"""

_PROVIDERS = """
select
  provider, contracted_cost_usd, billed_cost_usd, allocated_cost_usd, unattributed_cost_usd, usage_gap_usd,
  price_gap_usd, logged_tokens, provider_tokens, days_count, open_days_count, settling_days_count, disputed_days_count,
  reconciliation_status
from recon_estimated_vs_billed_by_provider_month
where usage_month = $first
order by billed_cost_usd desc nulls last, provider
"""

_UNATTRIBUTED = f"""
select provider, reason, sum(amount_usd), arg_max(likely_cause, abs(amount_usd)), arg_max(what_to_do, abs(amount_usd))
from unattributed_cost_by_provider_day
where {_IN_MONTH}
group by provider, reason
order by abs(sum(amount_usd)) desc, provider, reason
"""

_PLANS = """
select plan_id, plan_name, tenants_count, revenue_usd, llm_cost_usd, gross_margin_usd
from gross_margin_by_plan_month
where usage_month = $first
order by gross_margin_usd, plan_id
"""

# What no tenant caused has no customer to talk to; it stands with its plan, `none`.
_TENANTS = f"""
with names as (
  select tenant_id, arg_max(customer_name, usage_date) as customer_name
  from unit_economics_by_tenant_day
  where {_IN_MONTH}
  group by tenant_id
)

select margins.tenant_id, names.customer_name, plan_name, revenue_usd, llm_cost_usd, gross_margin_usd
from gross_margin_by_tenant_month as margins
left join names on margins.tenant_id = names.tenant_id
where usage_month = $first and margins.tenant_id <> 'unattributed'
order by gross_margin_usd, margins.tenant_id
limit $lowest
"""

_LOSING = """
select count(*) from gross_margin_by_tenant_month
where usage_month = $first and tenant_id <> 'unattributed' and gross_margin_usd < 0
"""

_MOVERS = """
select tenant_id
from unit_economics_by_tenant_day
where usage_date >= $before and usage_date < $next
group by tenant_id
order by
  abs(
    coalesce(sum(effective_cost_usd) filter (where usage_date >= $first), 0)
    - coalesce(sum(effective_cost_usd) filter (where usage_date < $first), 0)
  ) desc,
  tenant_id
limit $movers
"""

_RULES = f"""
with ranked as (
  select
    *,
    count(*) over (partition by alert_rule) as breaches_count,
    min(usage_date) over (partition by alert_rule) as first_date,
    max(usage_date) over (partition by alert_rule) as last_date,
    row_number() over (
      partition by alert_rule order by observed / nullif(threshold, 0) desc nulls last, usage_date, scope_id
    ) as place
  from alerts
  where {_IN_MONTH}
),

scopes as (
  select alert_rule, count(distinct (scope_kind, scope_id)) as scopes_count
  from alerts
  where {_IN_MONTH}
  group by alert_rule
)

select
  ranked.alert_rule, severity, breaches_count, scopes_count, first_date, last_date, scope_kind, scope_id, observed,
  threshold, unit
from ranked
inner join scopes on ranked.alert_rule = scopes.alert_rule
where place = 1
order by breaches_count desc, ranked.alert_rule
"""

_INCIDENTS = """
with seen as (
  select
    incident_id,
    max(event_date) as last_date,
    arg_max(top_drivers, (event_date, recorded_at)) as top_drivers
  from fct_alert_events
  group by incident_id
)

select
  alert_rule, scope_kind, scope_id, severity, state, opened_date, last_date, owner, seen.top_drivers
from fct_alert_events as newest
inner join seen on newest.incident_id = seen.incident_id
where is_newest and opened_date < $next and (state <> 'resolved' or last_date >= $first)
order by opened_date, alert_rule, scope_kind, scope_id
"""
