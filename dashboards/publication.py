"""One version of the publication for one page load, and its queries.

Belongs here: opening what is published, running `queries/*.sql` with bound values, what the columns mean. Does not
belong here: what a page shows.

A page load holds one `Snapshot`: all of its figures are of one version, whatever is published meanwhile. The process
keeps the newest version open between loads, so that the next load finds its files and metadata in memory.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb

from dashboards.filters import DIMENSIONS, Days, Filters
from dashboards.usage import (
    REQUESTS_MART,
    bound_values,
    mart_for,
    reads_requests,
    reads_usage,
    requests_sql,
    usage_sql,
)
from orchestration.publishing.csv_file import write_csv
from orchestration.publishing.reader import open_marts
from orchestration.sql import literal

QUERIES = Path(__file__).parent / "queries"

CUBE = "llm_usage_by_tenant_feature_model_day"

Row = dict[str, Any]


@dataclass(frozen=True)
class Query:
    """A query that is ready to run, and what it says of itself.

    Attributes:
        sql: One statement.
        parameters: Exactly the values that it names.
        marts: What it reads; the mart behind `usage` comes first.
        narrowed: Names of the dimensions that it can be narrowed by.
        grain: First sentence of the file.
    """

    sql: str
    parameters: Mapping[str, Any]
    marts: tuple[str, ...]
    narrowed: frozenset[str]
    grain: str


def build_query(name: str, filters: Filters, days: Days, *, by: str = "", **further: Any) -> Query:
    """Return the query of `queries/<name>.sql` for a view.

    Args:
        name: Of the file.
        filters: Narrow it.
        days: Bound as `$first_date` and `$last_date`.
        by: Name of the dimension that a file means by `any_dimension`.
        further: Other parameters that the file names.

    Raises:
        KeyError: When the file names a parameter that is not given, or `by` is no dimension.
    """
    text = _text(name)
    if by:
        text = re.sub(r"\bany_dimension\b", DIMENSIONS[by], text)
    chosen = {column: list(filters.chosen[key]) for key, column in DIMENSIONS.items() if filters.chosen.get(key)}
    sql, marts = text, re.findall(r"\b(?:from|join) ([a-z_]+)\b", re.sub(r"--.*", "", text))
    narrowed = frozenset(key for key, column in DIMENSIONS.items() if f"${column}" in text)
    # Outside of these relations, a filter of them would be one of `_text`'s own, and is bound like it.
    counts = {column: len(values) for column, values in chosen.items()}
    if reads_requests(text):
        sql = _with("requests", requests_sql(counts, filters.basis), text)
        marts = [REQUESTS_MART, *(name for name in marts if name != "requests")]
        narrowed = frozenset(DIMENSIONS)
    if reads_usage(text):
        mart = mart_for(text, chosen.keys())
        sql = _with("usage", usage_sql(mart, text, counts, filters.basis), text)
        marts = [mart.name, *(name for name in marts if name != "usage")]
        narrowed = frozenset(DIMENSIONS)
    own = {name for name in re.findall(r"\bwith ([a-z_]+) as \(|^([a-z_]+) as \(", text, re.MULTILINE) for name in name}
    values = {
        **{column: chosen.get(column) for column in DIMENSIONS.values()},
        **bound_values(chosen),
        "first_date": days.first,
        "last_date": days.last,
        **further,
    }
    return Query(
        sql=sql,
        parameters={name: values[name] for name in set(re.findall(r"\$([a-z_0-9]+)", re.sub(r"--.*", "", sql)))},
        marts=tuple(dict.fromkeys(mart for mart in marts if mart not in own)),
        narrowed=narrowed,
        grain=text.partition("\n")[0].removeprefix("-- ").rstrip("."),
    )


class Snapshot:
    """One version of the publication, open for reading; close it, or use it in `with`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self.connection = connection
        try:
            self._info: list[Row] = self._rows(
                "select version, published_at, mart, first_date, last_date from published_info", {}
            )
        except duckdb.Error:
            connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the version."""
        self.connection.close()

    @property
    def version(self) -> str:
        """Return the version; versions sort by time."""
        return self._info[0]["version"]

    @property
    def published_at(self) -> datetime:
        """Return when it was published."""
        return self._info[0]["published_at"]

    def has(self, mart: str) -> bool:
        """Tell whether the version holds a mart."""
        return any(row["mart"] == mart for row in self._info)

    @property
    def days(self) -> Days | None:
        """Return the UTC days that have requests; None when none has."""
        for row in self._info:
            if row["mart"] == CUBE and row["first_date"] is not None:
                return Days(row["first_date"], row["last_date"])
        return None

    @property
    def newest(self) -> date:
        """Return the newest day that has requests; the day of publication when none has."""
        return self.days.last if self.days else self.published_at.date()

    def rows(self, query: Query) -> list[Row]:
        """Run a query; money comes as Decimal, NULL as None."""
        return self._rows(query.sql, query.parameters)

    def write(self, query: Query, file: Path) -> None:
        """Write the result of a query to a `.csv` that no spreadsheet takes for formulas, or to a `.parquet`."""
        self.connection.execute(f"create or replace temp table download as {query.sql}", query.parameters)
        if file.suffix == ".csv":
            write_csv(self.connection, "download", file)
        else:
            self.connection.execute(f"copy download to {literal(str(file))} (format parquet, compression zstd)")

    def meaning(self, mart: str, column: str) -> str:
        """Return the description of a column; empty when it has none."""
        rows = self._rows(
            "select comment from duckdb_columns() where table_name = $mart and column_name = $column",
            {"mart": mart, "column": column},
        )
        return (rows[0]["comment"] if rows else None) or ""

    def _rows(self, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
        result = self.connection.execute(sql, dict(parameters))
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


class Publication:
    """What a folder publishes, for all page loads of a process."""

    def __init__(self, published: Path, threads: int | None = None):
        self._published = published
        self._threads = threads
        self._lock = threading.Lock()
        self._kept: Snapshot | None = None

    def open(self) -> Snapshot:
        """Open the newest version.

        Raises:
            NotPublishedError: When nothing has been published.
        """
        snapshot = Snapshot(open_marts(self._published, threads=self._threads))
        # Published files never change. (lab) Months that are asked for again take two thirds of the time.
        snapshot.connection.execute("set parquet_metadata_cache = true")
        # (lab, 274,000 requests a day) DuckDB would find the fifty dearest first and read their other columns then: a
        # page of a day is unpacked whole either way, so that is the work twice, 130 ms of CPU for 100.
        snapshot.connection.execute("set late_materialization_max_rows = 0")
        with self._lock:
            if self._kept is None or self._kept.version != snapshot.version:
                if self._kept is not None:
                    self._kept.close()
                self._kept = Snapshot(snapshot.connection.cursor())
        return snapshot


@cache
def _text(name: str) -> str:
    return (QUERIES / f"{name}.sql").read_text()


def _with(name: str, relation: str, sql: str) -> str:
    """Return `sql` with a relation of that name before everything else."""
    body = re.sub(r"^(--.*\n)+", "", sql)
    if body.startswith("with "):
        return f"with {name} as ({relation}),\n\n{body.removeprefix('with ')}"
    return f"with {name} as ({relation})\n\n{body}"
