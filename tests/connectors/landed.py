"""What stands in a landing zone, read the way anybody would: from its Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb


def _rows(pattern: Path) -> list[dict[str, Any]]:
    if not list(pattern.parent.parent.glob(f"{pattern.parent.name}/{pattern.name}")):
        return []
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        read = connection.execute(
            "select * from read_parquet(?, hive_partitioning = true, union_by_name = true)", [str(pattern)]
        )
        return read.to_arrow_table().to_pylist()


def landed(root: Path, source_name: str, table: str) -> list[dict[str, Any]]:
    """Every landed row of a table, all versions."""
    return _rows(root / source_name / table / "usage_date=*" / "*.parquet")


def quarantined(root: Path, source_name: str, table: str) -> list[tuple[int | None, str]]:
    """(line, reason) of every quarantined row, in order."""
    rows = _rows(root / "_quarantine" / source_name / table / "*.parquet")
    found = [(row["line_number"], row["reason"]) for row in rows]
    return sorted(found, key=lambda item: (item[0] or 0, item[1]))


def all_bytes(root: Path) -> bytes:
    """Everything below a folder, Parquet decoded to text first so that compression hides nothing."""
    found = b""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            found += path.read_bytes()
            if path.suffix == ".parquet":
                with duckdb.connect() as connection:
                    found += repr(connection.read_parquet(str(path)).fetchall()).encode()
    return found
