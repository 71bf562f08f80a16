"""A change of cost and what drove it.

Belongs here: asking the published cubes about two periods. Does not belong here: how it is shown (`show`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import duckdb

from orchestration.explain.decomposer import COSTS, COUNTS, decomposer
from orchestration.explain.kept import KeptMarts, kept_marts

MOST_TENANTS = 200
"""More than these on a day are taken together by plan, and effects sum to the change as they do by tenant.

(lab) 2,000 tenants are 36,000 cells a day, which take 4 s to decompose; by plan they are 150, which take 0.03 s.
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
    version: str | None = None,
) -> Change:
    """Compare two periods, of all requests or of one tenant, one feature, one tenant's use of one feature.

    Args:
        marts: What `open_marts` returned.
        baseline: What it was.
        current: What it became; it may lie before the baseline, and every effect changes its sign.
        tenant_id: Only this tenant; `unattributed` is one.
        feature: Only this feature.
        version: Of the publication that `marts` reads: what it holds by plan then stays in memory for the next one.

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
    kept = kept_marts(marts, version) if version is not None and tenant_id is None else None
    is_by_plan = tenant_id is None and _has_many_tenants(kept or marts, baseline, current)
    in_memory = kept.decomposer if kept is not None and is_by_plan else None
    with in_memory.comparing() if in_memory is not None else decomposer().comparing(marts) as cells:
        cells.fill("operations", _operations_sql(is_by_plan=is_by_plan), parameters)
        baseline_attempts, current_attempts = cells.attempts()
        for attempts, period in ((baseline_attempts, baseline), (current_attempts, current)):
            if baseline_attempts.count + current_attempts.count == 0 or (not scope and attempts.count == 0):
                raise ExplainError(f"nothing of {scope or 'any request'} is published for {period}")
        ready = [] if scope else cells.ask_marts(_STANDING_READY, parameters)
        if not ready:
            cells.fill("usage", _usage_sql(is_by_plan=is_by_plan), parameters)
            cells.fill("releases", _RELEASES, parameters)
        rows = ready or cells.drivers(parameters)
    zero = Decimal(0)
    words = parameters["scope_words"]
    return Change(
        baseline=baseline,
        current=current,
        is_daily_mean=is_daily_mean,
        baseline_usd=rows[0][0] if rows else zero,
        current_usd=rows[0][1] if rows else zero,
        unpriced_attempts=(baseline_attempts.unpriced_count, current_attempts.unpriced_count),
        drivers=tuple(Driver(name, text, effect) for _, _, _, name, text, effect in rows if name is not None),
        sentence=(rows[0][2] if rows else None) or f"{words} did not move vs {parameters['baseline_words']}",
        is_by_plan=is_by_plan and not ready,
    )


def _has_many_tenants(known: KeptMarts | duckdb.DuckDBPyConnection, baseline: Period, current: Period) -> bool:
    if isinstance(known, KeptMarts):
        counts = [known.tenants_count.get(period.last, 0) for period in (baseline, current)]
    else:
        days = known.execute(
            "select count(*) from unit_economics_by_tenant_day where usage_date in ($1, $2) group by usage_date",
            [baseline.last, current.last],
        ).fetchall()
        counts = [count for (count,) in days]
    return any(count > MOST_TENANTS for count in counts)


def _baseline_words(baseline: Period, current: Period, *, is_daily_mean: bool) -> str:
    if current.days_count == 1 and baseline == current.before():
        return f"its {_USUAL_DAYS}-day mean"
    return f"the mean day of {baseline}" if is_daily_mean else str(baseline)


_SIDES = """
  (usage_date between $baseline_first and $baseline_last or usage_date between $current_first and $current_last)
  and ($feature is null or feature = $feature)
"""
_IS_CURRENT = "usage_date between $current_first and $current_last as is_current"
_PLAN = "case when plan_name = '' then 'no plan' else 'plan ' || plan_name end as tenant_id"
_OF_TENANT = f"{_SIDES} and ($tenant_id is null or tenant_id = $tenant_id)"


def _usage_sql(*, is_by_plan: bool) -> str:
    """Return the cells of both periods."""
    member, mart, which = (
        (_PLAN, "llm_usage_by_plan_feature_model_day", _SIDES)
        if is_by_plan
        else ("tenant_id", "llm_usage_by_tenant_feature_model_day", _OF_TENANT)
    )
    sums = ", ".join(
        [f"cast(sum({name}) as bigint) as {name}" for name in COUNTS]
        + [f"cast(sum({name}) as decimal(38, 12)) as {name}" for name in COSTS]
    )
    return (
        f"select {_IS_CURRENT}, {member}, feature, provider, model, service_tier, {sums} "
        f"from {mart} where {which} group by all"
    )


def _operations_sql(*, is_by_plan: bool) -> str:
    """Return operations of both periods by member and feature, with the attempts, priced or not."""
    member, mart, which = (
        (_PLAN, "unit_economics_by_plan_feature_day", _SIDES)
        if is_by_plan
        else ("tenant_id", "unit_economics_by_tenant_feature_day", _OF_TENANT)
    )
    sums = ", ".join(
        f"cast(sum({name}) as bigint) as {name}"
        for name in ("operations_count", "attempts_count", "unpriced_attempts_count")
    )
    return f"select {_IS_CURRENT}, {member}, feature, {sums} from {mart} where {which} group by all"


# The newest of each feature that went out after the baseline began and before the current period ended.
_RELEASES = """
select feature, arg_max(release_id, (deployed_at, release_id)) as release_id
from dim_releases
where deployed_date > $baseline_first and deployed_date <= $current_last
group by feature
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
