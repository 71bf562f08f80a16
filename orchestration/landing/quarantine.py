"""Rows that could not be landed, kept with the reason.

Belongs here: the quarantine's schema and its writer. Does not belong here: judging rows (the connectors).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.connectors.base import QuarantinedRow
from orchestration.landing.schemas import UTC_US

QUARANTINE_SCHEMA = pa.schema(
    [
        ("source_name", pa.string()),
        ("table_name", pa.string()),
        ("pull_id", pa.string()),
        ("input_file", pa.string()),
        ("line_number", pa.int64()),
        ("reason", pa.string()),
        ("raw_excerpt", pa.string()),
        ("quarantined_at", UTC_US),
    ]
)


class QuarantineWriter:
    """Writes the quarantined rows of one table in one pull as they come, so that millions of them fit."""

    def __init__(self, path: Path, source_name: str, table_name: str, pull_id: str, quarantined_at: datetime) -> None:
        self.path = path
        self._own = {"source_name": source_name, "table_name": table_name, "pull_id": pull_id}
        self._quarantined_at = quarantined_at
        self._writer = pq.ParquetWriter(path, QUARANTINE_SCHEMA, compression="zstd")

    def write(self, rows: Sequence[QuarantinedRow]) -> None:
        """Add rows."""
        records = [
            {
                **self._own,
                "input_file": row.input_file,
                "line_number": row.line_number,
                "reason": row.reason,
                "raw_excerpt": row.raw_excerpt,
                "quarantined_at": self._quarantined_at,
            }
            for row in rows
        ]
        self._writer.write_table(pa.Table.from_pylist(records, schema=QUARANTINE_SCHEMA))

    def close(self) -> None:
        """End the file."""
        self._writer.close()
