"""A change of cost and what drove it.

Belongs here: asking the published cubes about two periods. Does not belong here: how it is shown (`show`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb

from orchestration.explain.query import macro

MOST_TENANTS = 200
"""More than these are taken together by plan, and effects sum to the change as they do by tenant.

(lab) 2,000 tenants are 36,000 cells a day, which take 4 to 8 s to decompose; by plan they are 150, which take 0.1 s.
`spend_drivers_by_comparison` tells all tenants apart on the newest day."""

_ONE_DAY = timedelta(days=1)
_USUAL_DAYS = 7


class ExplainError(ValueError):
    """The periods cannot be compared; the message says why."""


@dataclass(frozen=True)
class Period:
    """UTC days, both inclusive."""

    first: date
    last: date

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read `2026-10-01`, or `2026-10-01..2026-10-07` with both days in it.

        Raises:
            ExplainError: When it is neither, or ends before it begins.
        """
        found = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:\.\.(\d{4}-\d\d-\d\d))?", text.strip())
        try:
            if found is None:
                raise ValueError(text)
            period = cls(date.fromisoformat(found[1]), date.fromisoformat(found[2] or found[1]))
        except ValueError:
            raise ExplainError(f"{text!r} is no period; write 2026-10-01 or 2026-10-01..2026-10-07") from None
        if period.last < period.first:
            raise ExplainError(f"{text!r} ends before it begins")
        return period

    @property
    def days_count(self) -> int:
        """Return how many days it has."""
        return (self.last - self.first).days + 1

    def before(self) -> Period:
        """Return the seven days before it: what it is compared with when nothing else is asked for."""
        return Period(self.first - _USUAL_DAYS * _ONE_DAY, self.first - _ONE_DAY)

    def __str__(self) -> str:
        """Return the period as `parse` reads it."""
        return str(self.first) if self.first == self.last else f"{self.first}..{self.last}"


@dataclass(frozen=True)
class Driver:
    """A link of the chain that moved the cost.

    Attributes:
        name: The link, as in the columns of `spend_change_drivers`.
        words: The same for people.
        effect_usd: By how much; the effects of all drivers sum to the change, to the last digit.
    """

    name: str
    words: str
    effect_usd: Decimal


@dataclass(frozen=True)
class Change:
    """How far cost moved between two periods, and by what.

    Attributes:
        baseline, current: The periods.
        is_daily_mean: Whether amounts are of a mean day, because the periods differ in length.
        baseline_usd, current_usd: Effective cost that is known.
        unpriced_attempts: Before and after: attempts whose price is unknown, which no amount holds.
        drivers: Those that pushed the way the cost went come first, the largest of them at the top.
        sentence: The three largest in words.
        is_by_plan: Whether tenants are taken together by plan, because there are more than `MOST_TENANTS`.
    """

    baseline: Period
    current: Period
    is_daily_mean: bool
    baseline_usd: Decimal
    current_usd: Decimal
    unpriced_attempts: tuple[int, int]
    drivers: tuple[Driver, ...]
    sentence: str
    is_by_plan: bool = False

    @property
    def change_usd(self) -> Decimal:
        """Return by how much cost moved."""
        return self.current_usd - self.baseline_usd


def explain_change(
    marts: duckdb.DuckDBPyConnection,
    baseline: Period,
    current: Period,
    *,
    tenant_id: str | None = None,
    feature: str | None = None,
) -> Change:
    """Compare two periods, of all requests or of one tenant, one feature, one tenant's use of one feature.

    Args:
        marts: What `open_marts` returned.
        baseline: What it was.
        current: What it became; it may lie before the baseline, and every effect changes its sign.
        tenant_id: Only this tenant; `unattributed` is one.
        feature: Only this feature.

    Raises:
        ExplainError: When the periods share a day, or one of them has no published request.
    """
    if baseline.first <= current.last and current.first <= baseline.last:
        raise ExplainError(f"{baseline} and {current} share a day")
    is_daily_mean = baseline.days_count != current.days_count
    scope = " in ".join(name for name in (tenant_id, feature) if name is not None)
    parameters = {
        "baseline_first": baseline.first,
        "baseline_last": baseline.last,
        "current_first": current.first,
        "current_last": current.last,
        "baseline_divisor": baseline.days_count if is_daily_mean else 1,
        "current_divisor": current.days_count if is_daily_mean else 1,
        "tenant_id": tenant_id,
        "feature": feature,
        "scope_words": scope or "all requests",
        "baseline_words": _baseline_words(baseline, current, is_daily_mean=is_daily_mean),
    }
    totals_sql = _totals_sql(has_tenant=tenant_id is not None)
    (totals,) = marts.execute(totals_sql, {name: parameters[name] for name in _parameters(totals_sql)}).fetchall()
    attempts_before, attempts_after, unpriced_before, unpriced_after = (int(value) for value in totals)
    for period, attempts in ((baseline, attempts_before), (current, attempts_after)):
        if attempts_before + attempts_after == 0 or (not scope and attempts == 0):
            raise ExplainError(f"nothing of {scope or 'any request'} is published for {period}")
    sql = _STANDING_READY
    rows = [] if scope else marts.execute(sql, {name: parameters[name] for name in _parameters(sql)}).fetchall()
    is_by_plan = not rows and tenant_id is None and _has_many_tenants(marts, baseline, current)
    if not rows:
        rows = _decompose(marts, parameters, is_by_plan=is_by_plan)
    zero = Decimal(0)
    words = parameters["scope_words"]
    return Change(
        baseline=baseline,
        current=current,
        is_daily_mean=is_daily_mean,
        baseline_usd=rows[0][0] if rows else zero,
        current_usd=rows[0][1] if rows else zero,
        unpriced_attempts=(unpriced_before, unpriced_after),
        drivers=tuple(Driver(name, text, effect) for _, _, _, name, text, effect in rows if name is not None),
        sentence=(rows[0][2] if rows else None) or f"{words} did not move vs {parameters['baseline_words']}",
        is_by_plan=is_by_plan,
    )


def _has_many_tenants(marts: duckdb.DuckDBPyConnection, baseline: Period, current: Period) -> bool:
    ((count,),) = marts.execute(
        "select count(distinct tenant_id) from unit_economics_by_tenant_day where usage_date in ($1, $2)",
        [baseline.last, current.last],
    ).fetchall()
    return count > MOST_TENANTS


def _decompose(
    marts: duckdb.DuckDBPyConnection, parameters: Mapping[str, Any], *, is_by_plan: bool
) -> list[tuple[Any, ...]]:
    """Return (baseline cost, current cost, sentence, driver, words, effect), a row a driver.

    The cells are summed first and the optimizer is off for the rest: it would plan for 180 ms what runs in 60.
    """

    def given(sql: str) -> dict[str, Any]:
        return {name: parameters[name] for name in _parameters(sql)}

    usage, operations = _cells_sql(is_by_plan=is_by_plan)
    marts.execute(f"create or replace temp table explained_usage as {usage}", given(usage))
    marts.execute(f"create or replace temp table explained_operations as {operations}", given(operations))
    try:
        marts.execute("pragma disable_optimizer")
        sql = _drivers_sql()
        return marts.execute(sql, given(sql)).fetchall()
    finally:
        marts.execute("pragma enable_optimizer")
        marts.execute("drop table explained_usage; drop table explained_operations")


def _baseline_words(baseline: Period, current: Period, *, is_daily_mean: bool) -> str:
    if current.days_count == 1 and baseline == current.before():
        return f"its {_USUAL_DAYS}-day mean"
    return f"the mean day of {baseline}" if is_daily_mean else str(baseline)


def _parameters(sql: str) -> set[str]:
    """Return the parameters of a query: DuckDB refuses those that it does not name."""
    return set(re.findall(r"\$([a-z_]+)", sql))


_IN_PERIODS = """
  (usage_date between $baseline_first and $baseline_last or usage_date between $current_first and $current_last)
  and ($feature is null or feature = $feature)
"""

_MEASURES = (
    *("attempts_count", "response_cache_hits_count", "priced_attempts_count", "priced_input_tokens"),
    *("priced_output_tokens", "priced_cache_read_tokens", "priced_cache_write_tokens", "input_cost_usd"),
    *("cache_read_cost_usd", "cache_write_cost_usd", "output_cost_usd", "fee_cost_usd", "list_cost_usd"),
    *("contracted_cost_usd", "effective_cost_usd"),
)


def _cells_sql(*, is_by_plan: bool) -> tuple[str, str]:
    """Return the cells of both periods and their operations, as the decomposition takes them."""
    if is_by_plan:
        usage, operations = "llm_usage_by_plan_feature_model_day", "unit_economics_by_plan_feature_day"
        member = "case when plan_name = '' then 'no plan' else 'plan ' || plan_name end"
        which = _IN_PERIODS
    else:
        usage, operations = "llm_usage_by_tenant_feature_model_day", "operations_by_tenant_feature_day"
        member = "tenant_id"
        which = f"{_IN_PERIODS} and ($tenant_id is null or tenant_id = $tenant_id)"
    side = "0 as comparison_key, usage_date between $current_first and $current_last as is_current"
    sums = ", ".join(f"sum({measure}) as {measure}" for measure in _MEASURES)
    return (
        f"select {side}, {member} as tenant_id, feature, provider, model, service_tier, {sums} "
        f"from {usage} where {which} group by all",
        f"select {side}, {member} as tenant_id, feature, sum(operations_count) as operations_count "
        f"from {operations} where {which} group by all",
    )


def _totals_sql(*, has_tenant: bool) -> str:
    """Return attempts and attempts of unknown price on both sides, from the smallest mart that can tell."""
    return f"""
select
  coalesce(sum(attempts_count) filter (where usage_date between $baseline_first and $baseline_last), 0),
  coalesce(sum(attempts_count) filter (where usage_date between $current_first and $current_last), 0),
  coalesce(sum(unpriced_attempts_count) filter (where usage_date between $baseline_first and $baseline_last), 0),
  coalesce(sum(unpriced_attempts_count) filter (where usage_date between $current_first and $current_last), 0)
from {"unit_economics_by_tenant_feature_day" if has_tenant else "unit_economics_by_feature_day"}
where
  (usage_date between $baseline_first and $baseline_last or usage_date between $current_first and $current_last)
  and {"tenant_id = $tenant_id" if has_tenant else "true"}
  and ($feature is null or feature = $feature)
"""


# What every run leaves for the newest day: the same figures, read instead of computed.
_STANDING_READY = """
select
  baseline_cost_usd,
  current_cost_usd,
  sentence,
  driver,
  driver_words,
  effect_usd
from spend_drivers_by_comparison
where
  baseline_first_date = $baseline_first
  and baseline_last_date = $baseline_last
  and current_first_date = $current_first
  and usage_date = $current_last
order by driver_rank
"""


@cache
def _drivers_sql() -> str:
    return f"""
with comparisons as (
  select
    0 as comparison_key,
    cast($baseline_divisor as bigint) as baseline_divisor,
    cast($current_divisor as bigint) as current_divisor,
    cast($scope_words as varchar) as scope_words,
    cast($baseline_words as varchar) as baseline_words
),

releases as (
  -- The newest of each feature that went out after the baseline began and before the current period ended.
  select 0 as comparison_key, feature, arg_max(release_id, (deployed_at, release_id)) as release_id
  from dim_releases
  where deployed_date > $baseline_first and deployed_date <= $current_last
  group by feature
),

decomposed as (
{macro("decomposed_change")("explained_usage", "explained_operations", "comparisons")}
),

effects as (
{macro("change_drivers")("decomposed", "releases")}
),

worded as (
  select effects.*, comparisons.scope_words, comparisons.baseline_words
  from effects
  inner join comparisons using (comparison_key)
),

drivers as (
{macro("ranked_drivers")("worded", ["comparison_key"])}
),

sentences as (
{macro("driver_sentences")("drivers", ["comparison_key"])}
),

totals as (
  select
    cast(sum(baseline_cost_usd) as decimal(38, 12)) as baseline_cost_usd,
    cast(sum(current_cost_usd) as decimal(38, 12)) as current_cost_usd
  from decomposed
)

select
  totals.baseline_cost_usd,
  totals.current_cost_usd,
  sentences.sentence,
  drivers.driver,
  drivers.driver_words,
  drivers.effect_usd
from totals
left join sentences on true
left join drivers on true
where totals.baseline_cost_usd is not null
order by drivers.driver_rank
"""
