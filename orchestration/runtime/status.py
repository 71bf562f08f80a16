"""What has landed and what is out of date, as tables on a terminal.

Belongs here: reading manifests and fingerprints, and showing them. Does not belong here: changing anything.
"""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.landing.manifest import read_manifests
from orchestration.landing.schemas import all_table_specs
from orchestration.settings import Settings
from orchestration.warehouse.inputs import current_inputs
from orchestration.warehouse.project import project_manifest
from orchestration.warehouse.state import WarehouseState, stale_days


def print_status(settings: Settings, console: Console) -> None:
    """Show the newest pull of every source and table, and the days that the next run would build."""
    if not settings.landing.is_dir():
        console.print(
            f"Nothing has landed in {escape(str(settings.landing))} yet; `trueup run` begins.", soft_wrap=True
        )
        return
    known = {spec.name for spec in all_table_specs()}
    table = Table("source", "table", "newest pull (UTC)", "days", "newest day", title="Landed", title_justify="left")
    for row in _newest_pulls(settings):
        if row[1] in known:
            table.add_row(*(escape(str(value)) if value is not None else "–" for value in row))
    console.print(table)
    manifest = project_manifest(settings)
    state = WarehouseState.load(settings.warehouse_state, settings.warehouse)
    stale = sorted(stale_days(current_inputs(settings, manifest).days, state.days))
    if not stale:
        console.print(f"All {len(state.days)} days are up to date.")
    else:
        console.print(
            f"{len(stale)} days are not up to date, from {stale[0]} to {stale[-1]}; `trueup run` builds them."
        )


def _newest_pulls(settings: Settings) -> list[tuple[object, ...]]:
    import duckdb  # noqa: PLC0415

    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("manifest", read_manifests(settings.landing))
        return connection.execute(
            """
            select source_name, table_name, strftime(max(pulled_at), '%Y-%m-%d %H:%M'),
                   count(distinct usage_date), max(usage_date)
            from manifest group by all order by source_name, table_name
            """
        ).fetchall()
