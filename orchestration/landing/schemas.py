"""Arrow schemas of everything that lies in the landing zone.

Belongs here: what the landing zone adds to a table, the manifest's own schema, and the typed zero-row files that let
a reader open a table before its first pull. Does not belong here: the columns of a table; they are in its connector.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.connectors import CONNECTORS, connector_class
from orchestration.connectors.base import TableKind, TableSpec

UTC_US = pa.timestamp("us", tz="UTC")

MANIFEST_SCHEMA = pa.schema(
    [
        ("source_name", pa.string()),
        ("table_name", pa.string()),
        ("slice_key", pa.string()),
        ("usage_date", pa.date32()),
        ("pull_id", pa.string()),
        ("pulled_at", UTC_US),
        ("row_count", pa.int64()),
        ("quarantined_count", pa.int64()),
        ("skipped_count", pa.int64()),
        ("content_hash", pa.string()),
        ("file", pa.string()),
        ("input_file", pa.string()),
        ("window_start", pa.date32()),
        ("window_end", pa.date32()),
    ]
)
"""One row per landed file, and one per slice that a pull left without rows (`file` NULL; else relative to the root).

A slice is a day of a window table (`slice_key` empty), a segment of a log (its hash; once for each day that it has
lines of), or all of a state table. `usage_date` is NULL for a segment without a good line. `quarantined_count` and
`skipped_count` stand once for each segment or pull, so that they add up.
"""


def landed_schema(table: TableSpec) -> pa.Schema:
    """Return the schema of a landed file: who delivered it in which pull, then the table's own columns."""
    return pa.schema([pa.field("source_name", pa.string()), pa.field("pull_id", pa.string()), *table.schema])


def data_schema(table: TableSpec) -> pa.Schema:
    """Return the schema of what a connector hands over: `usage_date` in front where the table has days."""
    if table.kind is TableKind.STATE:
        return table.schema
    return pa.schema([pa.field("usage_date", pa.date32()), *table.schema])


def all_table_specs() -> tuple[TableSpec, ...]:
    """Return the tables of every registered connector, by name."""
    specs = {table.name: table for kind in CONNECTORS for table in connector_class(kind).tables}
    return tuple(specs[name] for name in sorted(specs))


def ensure_schema_files(landing: Path) -> None:
    """Write a typed file without rows for every table, and an empty manifest.

    An empty glob fails a query, and a glob takes its types from its first file; these files give both.
    A file is rewritten when the schema of its table has changed.
    """
    for table in all_table_specs():
        path = landing / "_schemas" / table.name / "usage_date=1970-01-01" / "schema.parquet"
        _write_empty(path, landed_schema(table))
    _write_empty(landing / "_schemas" / "_manifest" / "_manifest.parquet", MANIFEST_SCHEMA)


def _write_empty(path: Path, schema: pa.Schema) -> None:
    if path.exists() and pq.read_schema(path).equals(schema):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    pq.write_table(schema.empty_table(), temporary)
    temporary.replace(path)
