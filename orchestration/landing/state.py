"""What has landed, as fingerprints: equal fingerprints mean that nothing downstream need be built again.

Belongs here: reading manifests as of a moment. Does not belong here: deciding what to build (`warehouse.state`).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.connectors.base import TableKind, TableSpec
from orchestration.landing.manifest import read_manifests
from orchestration.landing.schemas import MANIFEST_SCHEMA

_NEWEST_FIRST = {
    TableKind.WINDOW: "source_name, table_name, usage_date",
    TableKind.STATE: "source_name, table_name",
}


def current_slices(landing: Path, tables: Iterable[TableSpec], as_known_at: datetime | None = None) -> pa.Table:
    """Return the manifest rows that count, as of a moment (None: now), with the manifest's schema.

    Window tables: the newest version of each day. State tables: the newest version. Logs: every segment.
    """
    names: dict[TableKind, list[str]] = defaultdict(list)
    for table in tables:
        names[table.kind].append(table.name)
    known_at = as_known_at or datetime.max.replace(tzinfo=UTC)
    parts = [MANIFEST_SCHEMA.empty_table()]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("manifest", read_manifests(landing))
        for kind, of_kind in names.items():
            query = "select * from manifest where list_contains($tables, table_name) and pulled_at <= $known_at"
            if kind in _NEWEST_FIRST:
                query += f" qualify row_number() over (partition by {_NEWEST_FIRST[kind]} order by pull_id desc) = 1"
            current = connection.execute(query, {"tables": of_kind, "known_at": known_at})
            parts.append(current.to_arrow_table().cast(MANIFEST_SCHEMA))
    return pa.concat_tables(parts)


def input_fingerprints(
    landing: Path, tables: Iterable[TableSpec], as_known_at: datetime | None = None
) -> dict[date, str]:
    """Return, for each UTC day on which any of `tables` has landed, a hash over what counts of that day."""
    days: dict[date, list[str]] = defaultdict(list)
    for row in current_slices(landing, tables, as_known_at).to_pylist():
        if row["usage_date"] is not None:
            days[row["usage_date"]].append(_identity(row))
    return {day: _hash(identities) for day, identities in days.items()}


def state_fingerprint(landing: Path, tables: Iterable[TableSpec], as_known_at: datetime | None = None) -> str:
    """Return a hash over what counts of tables without days."""
    return _hash(_identity(row) for row in current_slices(landing, tables, as_known_at).to_pylist())


def _identity(row: dict[str, object]) -> str:
    return "\0".join(str(row[name]) for name in ("source_name", "table_name", "slice_key", "content_hash"))


def _hash(identities: Collection[str] | Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(identities)).encode()).hexdigest()
