"""The figures of the newest whole day, out of the published marts.

Belongs here: names, units, attributes and queries. Does not belong here: sending.

Attributes are few on purpose, because each combination is a series that somebody pays for: features, models, providers
by default; tenants only up to a stated number, and the rest of them as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb

OTHER_TENANTS = "_other"


@dataclass(frozen=True)
class Figure:
    """One value.

    Attributes:
        name: Of the metric.
        unit: In UCUM, as OpenTelemetry wants it.
        value: A double; never NULL, what is unknown is left out.
        attributes: Name → value.
    """

    name: str
    unit: str
    value: float
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class _Query:
    """A mart grouped by attributes: one figure for each value column and row.

    Attributes:
        mart: The published mart.
        by: Attribute → column.
        values: Metric → (unit, expression).
    """

    mart: str
    by: Mapping[str, str]
    values: Mapping[str, tuple[str, str]]


_CALLS = {
    "trueup.feature": "feature",
    "gen_ai.provider.name": "provider",
    "gen_ai.response.model": "model",
}

_QUERIES = (
    _Query(
        "llm_usage_by_tenant_feature_model_day",
        _CALLS,
        {
            "trueup.day.cost": ("USD", "sum(effective_cost_usd)"),
            "trueup.day.attempts": ("{attempt}", "sum(attempts_count)"),
            "trueup.day.attempts.failed": ("{attempt}", "sum(failed_attempts_count)"),
            "trueup.day.attempts.retried": ("{attempt}", "sum(retries_count)"),
            "trueup.day.attempts.unpriced": ("{attempt}", "sum(unpriced_attempts_count)"),
            "trueup.day.tokens.input": ("{token}", "sum(input_tokens)"),
            "trueup.day.tokens.cache_read": ("{token}", "sum(cache_read_tokens)"),
            "trueup.day.tokens.output": ("{token}", "sum(output_tokens)"),
        },
    ),
    _Query(
        "unit_economics_by_feature_day",
        {"trueup.feature": "feature"},
        {
            "trueup.day.operations": ("{operation}", "sum(operations_count)"),
            "trueup.day.outcomes.accepted": ("{outcome}", "sum(accepted_outcomes_count)"),
        },
    ),
    _Query("waste_by_feature_day", {"trueup.feature": "feature"}, {"trueup.day.waste": ("USD", "sum(waste_cost_usd)")}),
    _Query(
        "unattributed_cost_by_provider_day",
        {"gen_ai.provider.name": "provider", "trueup.reason": "reason"},
        {"trueup.day.unattributed": ("USD", "sum(amount_usd)")},
    ),
    _Query(
        "alerts",
        {"trueup.alert.rule": "alert_rule", "trueup.alert.severity": "severity"},
        {"trueup.day.alerts": ("{alert}", "count(*)")},
    ),
)


def newest_whole_day(marts: duckdb.DuckDBPyConnection, now: datetime) -> date | None:
    """Return the newest day with calls that was over at `now`; None when there is none."""
    today = now.astimezone(UTC).date()
    query = f"select max(usage_date) from unit_economics_by_feature_day where usage_date < date '{today}'"
    row = marts.execute(query).fetchone()
    return row[0] if row else None


def figures_of_day(marts: duckdb.DuckDBPyConnection, day: date, tenants: int = 0) -> Iterator[Figure]:
    """Yield the figures of a day.

    Args:
        marts: The published marts.
        day: UTC.
        tenants: How many of the day's dearest tenants have series of their own; 0 is none and no `_other`.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    yield Figure("trueup.day.end", "s", (midnight + timedelta(days=1)).timestamp(), {})
    for query in _QUERIES:
        columns = ", ".join(f"coalesce({column}, 'unattributed')" for column in query.by.values())
        values = ", ".join(f"cast({expression} as double)" for _, expression in query.values.values())
        sql = f"select {columns}, {values} from {query.mart} where usage_date = date '{day}' group by all order by all"
        for row in marts.execute(sql).fetchall():
            yield from _figures(query, row)
    if tenants:
        yield from _tenants(marts, day, tenants)


def _figures(query: _Query, row: tuple[Any, ...]) -> Iterator[Figure]:
    attributes = dict(zip(query.by, row, strict=False))
    for (name, (unit, _)), value in zip(query.values.items(), row[len(query.by) :], strict=True):
        if value is not None:
            yield Figure(name, unit, value, attributes)


def _tenants(marts: duckdb.DuckDBPyConnection, day: date, tenants: int) -> Iterator[Figure]:
    sql = f"""
        with ranked as (
          select
            tenant_id, coalesce(ai_tier, 'none') as ai_tier, effective_cost_usd,
            row_number() over (order by effective_cost_usd desc nulls last, tenant_id) as place
          from unit_economics_by_tenant_day where usage_date = date '{day}'
        )

        select
          case when place <= {tenants} then tenant_id else '{OTHER_TENANTS}' end, ai_tier,
          cast(sum(effective_cost_usd) as double)
        from ranked group by all order by all
    """
    for tenant_id, ai_tier, cost_usd in marts.execute(sql).fetchall():
        if cost_usd is not None:
            attributes = {"trueup.tenant.id": tenant_id, "trueup.plan_tier": ai_tier}
            yield Figure("trueup.day.tenant.cost", "USD", cost_usd, attributes)
