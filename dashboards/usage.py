"""The relations `usage` and `requests` of a query: what is asked for, narrowed by filters.

Belongs here: which marts hold usage, by which dimensions, and how filters narrow them. Does not belong here: charts.
`usage` is the smallest mart that can tell apart what is asked, `requests` are those of one day.

A chart by feature reads a few hundred rows of `unit_economics_by_feature_day`; with a filter on tenants the same file
reads `unit_economics_by_tenant_feature_day`, with one on models the cube by plan, with both the daily cube. Whichever
it is, the sums are the same: the marts' `same_total` tests hold that.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from dashboards.filters import DIMENSIONS, Basis

OUTCOME_COLUMNS = ("operations_count", "accepted_outcomes_count", "rejected_outcomes_count")
"""Known by tenant and feature; an operation may use several models, so they are NULL by model."""

_COUNTS = (
    "attempts_count",
    "retries_count",
    "failed_attempts_count",
    "unpriced_attempts_count",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
)

REQUESTS_MART = "fct_llm_requests"

_PLANS_MART = "unit_economics_by_tenant_day"

_IN_DAYS = "usage_date between $first_date and $last_date"


@dataclass(frozen=True)
class UsageMart:
    """A mart of usage by day and further dimensions (columns)."""

    name: str
    dimensions: frozenset[str]
    has_outcomes: bool = True


MARTS = (
    UsageMart("unit_economics_by_feature_day", frozenset({"feature"})),
    UsageMart("unit_economics_by_model_day", frozenset({"provider", "model"}), has_outcomes=False),
    UsageMart("unit_economics_by_plan_feature_day", frozenset({"plan_name", "feature"})),
    UsageMart(
        "llm_usage_by_plan_feature_model_day",
        frozenset({"plan_name", "feature", "provider", "model", "environment"}),
        has_outcomes=False,
    ),
    UsageMart("unit_economics_by_tenant_day", frozenset({"tenant_id", "plan_name"})),
    UsageMart("unit_economics_by_tenant_feature_day", frozenset({"tenant_id", "feature"})),
    UsageMart(
        "llm_usage_by_tenant_model_day",
        frozenset({"tenant_id", "plan_name", "provider", "model", "environment"}),
        has_outcomes=False,
    ),
    UsageMart(
        "llm_usage_by_tenant_feature_model_day",
        frozenset({"tenant_id", "feature", "provider", "model", "environment"}),
        has_outcomes=False,
    ),
)
"""Smallest first."""


def reads_usage(sql: str) -> bool:
    """Tell whether a query reads `usage`."""
    return re.search(r"\b(?:from|join) usage\b", sql) is not None


def dimensions_in(sql: str) -> frozenset[str]:
    """Return the dimensions that a query names outside of its comments."""
    return frozenset(re.findall(r"[a-z_]+", re.sub(r"--.*", "", sql))) & frozenset(DIMENSIONS.values())


def mart_for(sql: str, filtered: Collection[str]) -> UsageMart:
    """Return the smallest mart that has what a query names and what is filtered (columns)."""
    needed = dimensions_in(sql) | set(filtered)
    wants_outcomes = any(column in sql for column in OUTCOME_COLUMNS)
    able = [mart for mart in MARTS if needed - {"plan_name"} <= mart.dimensions and _knows_plan(mart, needed)]
    return next((mart for mart in able if mart.has_outcomes or not wants_outcomes), able[0])


def usage_sql(mart: UsageMart, sql: str, filtered: Mapping[str, int], basis: Basis) -> str:
    """Return the relation as SQL: usage of `$first_date` to `$last_date`, narrowed by values that are bound by name.

    Args:
        mart: What `mart_for` returned.
        sql: The query.
        filtered: Columns that are narrowed, each to how many values; `bound_values` names them.
        basis: What `cost_usd` is.
    """
    dimensions = sorted(mart.dimensions) + (["plan_name"] if _plan_is_joined(mart, dimensions_in(sql)) else [])
    outcomes = OUTCOME_COLUMNS if mart.has_outcomes else [f"cast(null as bigint) as {name}" for name in OUTCOME_COLUMNS]
    columns = ["usage_date", *dimensions, *_COUNTS, *outcomes, f"{basis.column} as cost_usd"]
    where = [_IN_DAYS]
    where += [_is_one_of(column, count) for column, count in sorted(filtered.items()) if column in mart.dimensions]
    source = mart.name
    if "plan_name" not in mart.dimensions and ("plan_name" in filtered or _plan_is_joined(mart, dimensions_in(sql))):
        # (lab) One join of both kinds takes half of what a join beside a condition takes, a row of the cube each.
        plans = f"select usage_date, tenant_id, plan_name from {_PLANS_MART} where {_IN_DAYS}"
        if "plan_name" in filtered:
            plans += f" and {_is_one_of('plan_name', filtered['plan_name'])}"
        source += (
            f" {'inner' if 'plan_name' in filtered else 'left'} join ({plans}) as plans using (usage_date, tenant_id)"
        )
    return f"select {', '.join(columns)} from {source} where {' and '.join(where)}"


def reads_requests(sql: str) -> bool:
    """Tell whether a query reads `requests`."""
    return re.search(r"\b(?:from|join) requests\b", sql) is not None


def requests_sql(filtered: Mapping[str, int], basis: Basis) -> str:
    """Return the relation `requests` as SQL: those of `$day`, narrowed by values that are bound by name.

    Args:
        filtered: Columns that are narrowed, each to how many values; `bound_values` names them.
        basis: What `cost_usd` is.
    """
    own = {"model": "priced_model", "environment": "coalesce(environment, '')"}
    where = ["usage_date = $day"]
    where += [_is_one_of(own.get(name, name), count, name) for name, count in filtered.items() if name != "plan_name"]
    source = REQUESTS_MART
    if "plan_name" in filtered:
        of_plan = _is_one_of("plan_name", filtered["plan_name"])
        source += (
            f" semi join (select tenant_id from {_PLANS_MART} where usage_date = $day and {of_plan}) as plans "
            "using (tenant_id)"
        )
    return (
        f"select * replace (priced_model as model), {basis.column} as cost_usd "
        f"from {source} where {' and '.join(where)}"
    )


def bound_values(chosen: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the values of filters under the names by which `usage_sql` binds them."""
    return {f"{column}_{number}": value for column, values in chosen.items() for number, value in enumerate(values)}


def _is_one_of(column: str, count: int, name: str = "") -> str:
    """(lab) `in` prunes row groups and skips values; `list_contains` of one tenant in a month takes twice as long."""
    return f"{column} in ({', '.join(f'${name or column}_{number}' for number in range(count))})"


def _knows_plan(mart: UsageMart, needed: Collection[str]) -> bool:
    return "plan_name" not in needed or bool({"plan_name", "tenant_id"} & mart.dimensions)


def _plan_is_joined(mart: UsageMart, named: Collection[str]) -> bool:
    return "plan_name" in named and "plan_name" not in mart.dimensions
