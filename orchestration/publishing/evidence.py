"""What proves that rows arrived: counts, exact sums of money, and a fingerprint of every value.

Belongs here: asking a relation for its evidence, slice by slice. Does not belong here: deciding what
follows from it. A slice is one UTC day of a mart that is published by day, or None: the whole of a small
mart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from orchestration.publishing.marts import Shape, published_columns
from orchestration.publishing.sql import DAY_COLUMN, days_predicate, identifier

Slice = date | None


@dataclass(frozen=True)
class MoneyTotal:
    """The sum of one column, None when no value is known, and how many values are known."""

    total: Decimal | None
    known_count: int


@dataclass(frozen=True)
class Evidence:
    """What is cheap to compare: rows, and `(column, total)` for each money column in the shape's order."""

    row_count: int
    totals: tuple[tuple[str, MoneyTotal], ...]

    def totals_json(self) -> str:
        """Return the totals as JSON text, decimals as strings; `from_json` reads it."""
        return json.dumps(
            {
                column: {
                    "total": None if total.total is None else format(total.total, "f"),
                    "known_count": total.known_count,
                }
                for column, total in self.totals
            }
        )

    @classmethod
    def from_json(cls, row_count: int, totals_json: str) -> Evidence:
        """Read what `totals_json` wrote."""
        content: dict[str, Any] = json.loads(totals_json)
        return cls(
            row_count,
            tuple(
                (column, MoneyTotal(None if t["total"] is None else Decimal(t["total"]), t["known_count"]))
                for column, t in content.items()
            ),
        )

    def difference(self, other: Evidence) -> str:
        """Return where `other` differs, in words; empty when it does not."""
        if self.row_count != other.row_count:
            return f"{self.row_count} rows became {other.row_count}"
        theirs = dict(other.totals)
        for column, total in self.totals:
            if theirs.get(column) != total:
                return f"{column}: {total} became {theirs.get(column)}"
        return ""


def collect_evidence(
    connection: duckdb.DuckDBPyConnection, relation: str, shape: Shape, slices: Iterable[date] | None = None
) -> dict[Slice, Evidence]:
    """Return the evidence of each slice of `relation` that has rows; a small mart always has its one slice.

    Args:
        connection: Where `relation` can be read.
        relation: SQL of a table, a view or a table function.
        shape: Of the mart; says which columns are money.
        slices: Only these days; None for all. Must be None for a small mart.
    """
    measures = ["count(*)"]
    for column in shape.money_columns:
        measures += [f"sum({identifier(column)})", f"count({identifier(column)})"]
    rows = _by_slice(connection, relation, shape, slices, measures)
    return {
        row[0]: Evidence(
            row[1],
            tuple(
                (column, MoneyTotal(row[2 + 2 * index], row[3 + 2 * index]))
                for index, column in enumerate(shape.money_columns)
            ),
        )
        for row in rows
    }


def collect_fingerprints(
    connection: duckdb.DuckDBPyConnection, relation: str, shape: Shape, slices: Iterable[date] | None = None
) -> dict[Slice, int]:
    """Return, for each slice that has rows, a hash over every value of every row, in whatever order.

    Comparable within one version of DuckDB only. Reads every column: about twice the time of
    `collect_evidence`.
    """
    values = ", ".join(identifier(column.name) for column in shape.columns)
    typed = f"(select {published_columns(shape.columns)} from {relation} where {days_predicate(slices)})"
    rows = _by_slice(connection, typed, shape, slices, [f"sum(cast(hash({values}) as hugeint))"])
    return {row[0]: row[1] for row in rows if row[1] is not None}


def _by_slice(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    shape: Shape,
    slices: Iterable[date] | None,
    measures: list[str],
) -> list[tuple[Any, ...]]:
    if not shape.is_partitioned:
        return connection.execute(f"select null, {', '.join(measures)} from {relation}").fetchall()
    return connection.execute(
        f"select {DAY_COLUMN}, {', '.join(measures)} from {relation} where {days_predicate(slices)} group by all"
    ).fetchall()
