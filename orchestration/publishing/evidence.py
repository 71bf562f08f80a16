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

from orchestration.publishing.marts import RollUp, Shape, published_columns
from orchestration.publishing.sql import DAY_COLUMN, days_predicate, identifier

Slice = date | None


@dataclass(frozen=True)
class MoneyTotal:
    """The sum of one column, None when no value is known, and how many values are known.

    `known_count` is None when the sum was taken from a roll-up, which cannot tell.
    """

    total: Decimal | None
    known_count: int | None


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
            found = theirs[column]
            if found.total != total.total:
                return f"the sum of {column}: {total.total} became {found.total}"
            if total.known_count is not None and found.known_count != total.known_count:
                return f"{total.known_count} known values of {column} became {found.known_count}"
        return ""


def collect_evidence(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    shape: Shape,
    slices: Iterable[date] | None = None,
    *,
    rolled_up: RollUp | None = None,
) -> dict[Slice, Evidence]:
    """Return the evidence of each slice of `relation` that has rows; a small mart always has its one slice.

    Args:
        connection: Where `relation` can be read.
        relation: SQL of a table, a view or a table function.
        shape: Of the mart; says which columns are money.
        slices: Only these days; None for all. Must be None for a small mart.
        rolled_up: Where the sums of some columns already stand, day by day. (lab) Where the mart is a view that
            computes money, summing it again takes half as long as writing all of it.
    """
    elsewhere = rolled_up.columns if rolled_up else ()
    here = [column for column in shape.money_columns if column not in elsewhere]
    measures = ["count(*)"]
    for column in here:
        measures += [f"sum({identifier(column)})", f"count({identifier(column)})"]
    sums: dict[Slice, list[Any]] = {}
    if rolled_up and elsewhere:
        rows = _by_slice(
            connection, rolled_up.relation, shape, slices, [f"sum({identifier(column)})" for column in elsewhere]
        )
        sums = {row[0]: list(row[1:]) for row in rows}
    evidence: dict[Slice, Evidence] = {}
    for slice_, row_count, *figures in _by_slice(connection, relation, shape, slices, measures):
        totals = {column: MoneyTotal(*pair) for column, *pair in zip(here, figures[::2], figures[1::2], strict=True)}
        for column, total in zip(elsewhere, sums.get(slice_, [None] * len(elsewhere)), strict=True):
            totals[column] = MoneyTotal(total, None)
        evidence[slice_] = Evidence(row_count, tuple((column, totals[column]) for column in shape.money_columns))
    return evidence


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
