"""What counts now, or counted at a moment: for each slice the version that readers take.

Belongs here: choosing among versions by the kind of their table. Does not belong here: reading rows (dbt does, by the
same rules), and deciding what to build.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.connectors.base import TableKind, TableSpec
from orchestration.landing.manifest import manifest_paths
from orchestration.landing.schemas import MANIFEST_SCHEMA
from orchestration.sql import literal

_NEWEST_FIRST = {
    TableKind.WINDOW: "source_name, table_name, usage_date",
    TableKind.STATE: "source_name, table_name",
}


def current_slices(landing: Path, tables: Iterable[TableSpec], as_known_at: datetime | None = None) -> pa.Table:
    """Return the manifest rows of the versions that count at `as_known_at` (default: now).

    Window tables: the newest version of each day. State tables: the newest version. Logs: every segment.
    """
    names: dict[TableKind, list[str]] = defaultdict(list)
    for table in tables:
        names[table.kind].append(table.name)
    files = [str(path) for path in manifest_paths(landing)]
    if not files:
        return pa.Table.from_batches([], MANIFEST_SCHEMA)
    known_at = as_known_at or datetime.max.replace(tzinfo=UTC)
    parts = [pa.Table.from_batches([], MANIFEST_SCHEMA)]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for kind, of_kind in names.items():
            query = (
                f"select * from read_parquet({_texts(files)}) "
                f"where list_contains({_texts(of_kind)}, table_name) "
                f"and pulled_at <= timestamptz {literal(known_at.isoformat())}"
            )
            if kind in _NEWEST_FIRST:
                query += f" qualify row_number() over (partition by {_NEWEST_FIRST[kind]} order by pull_id desc) = 1"
            parts.append(connection.execute(query).to_arrow_table().cast(MANIFEST_SCHEMA))
    return pa.concat_tables(parts)


def _texts(values: Iterable[str]) -> str:
    """Return our own names and paths as a list in SQL.

    Not as parameters: for the first of these DuckDB imports pandas, half a second of a run that finds nothing new.
    """
    return f"[{', '.join(map(literal, values))}]"
