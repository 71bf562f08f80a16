"""The money that is compared between two states of the marts: one cell for each day, provider, tenant and feature.

Belongs here: the cells, and the difference of two sets of them. Does not belong here: where the two come from
(`restatements`, `adjustments`), and what is done about it.

Every dollar is in exactly one cell: what requests cost stands under their tenant and feature, what none of them
takes of a bill under its reason. So the cells of a day sum to the bill where it has arrived.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

import duckdb

from orchestration.connectors.base import TableKind
from orchestration.landing.manifest import read_manifests
from orchestration.landing.schemas import all_table_specs
from orchestration.settings import Settings
from orchestration.sql import literal

REQUESTS_MART = "llm_usage_by_tenant_feature_model_day"
UNATTRIBUTED_MART = "unattributed_cost_by_provider_day"

CELL = ("usage_date", "provider", "tenant_id", "feature", "unattributed_reason")
"""What names a cell. `tenant_id` and `feature` are NULL where `unattributed_reason` is not, and the reverse."""

MEASURES = ("billed_cost_usd", "effective_cost_usd")


def cells(requests: str, unattributed: str, days: str = "true") -> str:
    """Return SQL for the cells of a state.

    Args:
        requests: Relation with the rows of `REQUESTS_MART`.
        unattributed: Relation with the rows of `UNATTRIBUTED_MART`.
        days: Condition on `usage_date`.
    """
    money = ", ".join(f"cast(sum({name}) as decimal(38, 12)) as {name}" for name in MEASURES)
    amounts = ", ".join(f"cast(sum(amount_usd) as decimal(38, 12)) as {name}" for name in MEASURES)
    return f"""
        select usage_date, provider, tenant_id, feature, cast(null as varchar) as unattributed_reason, {money}
        from {requests} where {days} group by all
        union all
        select usage_date, provider, null, null, reason, {amounts}
        from {unattributed} where {days} group by all
    """


def difference(before: str, after: str) -> str:
    """Return SQL for the cells that changed: `<measure>_before`, `_after` and `_change` of each measure.

    An amount that is not known counts as 0 in the change and stays NULL beside it.
    """
    keys = ", ".join(CELL)
    stems = [name.removesuffix("_usd") for name in MEASURES]
    sums = ", ".join(
        f"cast(sum({stem}_usd) filter (where is_after = {flag}) as decimal(38, 12)) as {stem}_{when}_usd"
        for stem in stems
        for flag, when in ((False, "before"), (True, "after"))
    )
    changes = ", ".join(
        f"cast(coalesce({stem}_after_usd, 0) - coalesce({stem}_before_usd, 0) as decimal(38, 12)) as {stem}_change_usd"
        for stem in stems
    )
    changed = " or ".join(f"{stem}_change_usd <> 0" for stem in stems)
    return f"""
        select * from (
            select *, {changes} from (
                select {keys}, {sums} from (
                    select *, false as is_after from ({before})
                    union all
                    select *, true as is_after from ({after})
                ) group by all
            )
        ) where {changed}
    """


def register_changed_sources(
    connection: duckdb.DuckDBPyConnection, settings: Settings, after: datetime, until: datetime | None = None
) -> str:
    """Create `changed_sources (usage_date, changed_by)`: what landed for each UTC day in `(after, until]`.

    `changed_by` names `source.table`, in the order of the names: bills and usage on their own day, request logs also
    on the days beside it, as one call may be seen on both sides of midnight. Verdicts and tables without days change
    no cost.

    Returns:
        The name of the relation.
    """
    kinds = {table.name: table.kind for table in all_table_specs() if table.name != "product_outcomes"}
    bills = [name for name, kind in kinds.items() if kind is TableKind.WINDOW]
    logs = [name for name, kind in kinds.items() if kind is TableKind.APPEND]
    until_then = f"and pulled_at <= timestamptz {literal(until.isoformat())}" if until else ""
    connection.register("landed_versions", read_manifests(settings.landing))
    connection.execute(
        f"""
        create or replace temporary table changed_sources as
        with versions as (
            select source_name || '.' || table_name as source_table, table_name, usage_date
            from landed_versions
            where pulled_at > timestamptz {literal(after.isoformat())} {until_then}
        ),
        reached as (
            select source_table, usage_date from versions where table_name in ({_names(bills)})
            union
            select source_table, usage_date + cast(unnest([-1, 0, 1]) as integer)
            from versions where table_name in ({_names(logs)})
        )
        select usage_date, string_agg(source_table, ', ' order by source_table) as changed_by
        from reached group by usage_date
        """
    )
    return "changed_sources"


def month_condition(month: date) -> str:
    """Return SQL that holds on the UTC days of the month that begins with `month`."""
    return f"usage_date >= date '{month}' and usage_date < date '{month}' + interval 1 month"


def _names(names: Iterable[str]) -> str:
    return ", ".join(literal(name) for name in sorted(names))
