"""CSV for spreadsheets.

Belongs here: values as a spreadsheet may read them. Does not belong here: which rows.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.sql import identifier, literal


def write_csv(connection: duckdb.DuckDBPyConnection, relation: str, file: Path) -> None:
    """Write a relation as CSV: UTC times as ISO 8601, NULL as nothing, text that is no formula."""
    described = connection.execute(f"describe select * from {relation}").fetchall()
    values = ", ".join(_csv_value(name, type_) for name, type_, *_ in described)
    connection.execute(f"copy (select {values} from {relation}) to {literal(str(file))} (format csv, header)")


def _csv_value(name: str, type_: str) -> str:
    """Return SQL for a value of a CSV file.

    Text that a spreadsheet would take for a formula gets an apostrophe in front: names of tenants, features and
    projects come from outside. Numbers keep their sign.
    """
    column = identifier(name)
    if type_ == "TIMESTAMP WITH TIME ZONE":
        return f"strftime({column}, '%Y-%m-%dT%H:%M:%SZ') as {column}"
    if type_ == "VARCHAR":
        return (
            f"case when regexp_matches({column}, '^[=+\\-@\\t\\r]') then '''' || {column} else {column} end as {column}"
        )
    return column
