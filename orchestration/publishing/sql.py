"""The few pieces of SQL text that publishing assembles.

Belongs here: quoting, and predicates on days. Does not belong here: queries. Only our own identifiers, days
and paths become SQL text; values of rows never do.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

DAY_COLUMN = "usage_date"

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


def days_predicate(days: Iterable[date] | None) -> str:
    """Return a predicate that holds on exactly these days; true for None.

    A run of days becomes a range, because a range prunes row groups and files better than a list does.
    """
    if days is None:
        return "true"
    wanted = sorted(set(days))
    if not wanted:
        return "false"
    first, last = wanted[0], wanted[-1]
    if last - first == timedelta(days=len(wanted) - 1):
        return f"{DAY_COLUMN} between date '{first}' and date '{last}'"
    days_list = ", ".join(f"date '{day}'" for day in wanted)
    return f"{DAY_COLUMN} in ({days_list})"
