"""The few pieces of SQL text that Python assembles.

Belongs here: quoting. Does not belong here: queries. Only our own identifiers, days
and paths become SQL text; values of rows never do.
"""

from __future__ import annotations

from pathlib import Path

ROOT_VARIABLE = "trueup_published"
"""DuckDB variable with the folder that the views of `marts.duckdb` read, for a folder that was moved."""


def identifier(name: str) -> str:
    """Return `name` as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return `text` as a string literal."""
    return "'" + text.replace("'", "''") + "'"


def glob_literal(path: Path) -> str:
    """Return `path` as a string that DuckDB's file readers take for exactly this path, not for a pattern.

    (lab, DuckDB 1.5.5) Beside a folder `a`, reading `[a]/f.parquet` gives the rows of `a/f.parquet`.
    """
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(path))
