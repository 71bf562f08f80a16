"""What proves that rows arrived: counts, exact sums of money, and a fingerprint of every value.

Belongs here: asking a relation for its evidence, slice by slice. Does not belong here: deciding what
follows from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb

from orchestration.publishing.marts import RollUp, Shape
from orchestration.publishing.slices import Slice, Slicing
from orchestration.sql import identifier


@dataclass(frozen=True)
class MoneyTotal:
    """The sum of one column, None when no value is known, and how many values are known.

    `known_count` is None when the sum was taken from a roll-up, which cannot tell.
    """

    total: Decimal | None
    known_count: int | None


@dataclass(frozen=True)
class Evidence:
    """What is compared of a slice.

    Attributes:
        row_count: Rows.
        totals: `(column, total)` for each money column, in the shape's order.
        fingerprint: See `collect_fingerprints`; None for a day of a fact, where it would cost too much.
    """

    row_count: int
    totals: tuple[tuple[str, MoneyTotal], ...]
    fingerprint: str | None = None

    def totals_json(self) -> str:
        """Return `{column: [sum, known values]}` as JSON text, sums as strings; `from_json` reads it."""
        return json.dumps(
            {
                column: [None if total.total is None else format(total.total, "f"), total.known_count]
                for column, total in self.totals
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, row_count: int, totals_json: str, fingerprint: str | None) -> Evidence:
        """Read what `totals_json` wrote."""
        content: dict[str, Any] = json.loads(totals_json)
        return cls(
            row_count,
            tuple(
                (column, MoneyTotal(None if total is None else Decimal(total), known_count))
                for column, (total, known_count) in content.items()
            ),
            fingerprint,
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
        return "" if self.fingerprint == other.fingerprint else "same rows and sums, other values"


def collect_evidence(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    shape: Shape,
    slices: Iterable[Slice] | None = None,
    *,
    rolled_up: RollUp | None = None,
) -> dict[Slice, Evidence]:
    """Return the evidence of each slice that has rows; of a mart that is published whole always.

    Args:
        connection: Where `relation` can be read.
        relation: SQL of a table, a view or a table function.
        shape: Of the mart; says which columns are money.
        slices: Only these; None for all.
        rolled_up: Where the sums of some columns already stand, for the same slices. (lab) Where the mart is a
            view that computes money, summing it again takes half as long as writing all of it.
    """
    elsewhere = rolled_up.columns if rolled_up else ()
    here = [column for column in shape.money_columns if column not in elsewhere]
    measures = ["count(*)"]
    for column in here:
        measures += [f"sum({identifier(column)})", f"count({identifier(column)})"]
    has_fingerprint = shape.slicing is not Slicing.DAY
    if has_fingerprint:
        measures.append(_fingerprint(shape))
    sums: dict[Slice, list[Any]] = {}
    if rolled_up and elsewhere:
        rows = _by_slice(
            connection, rolled_up.relation, shape, slices, [f"sum({identifier(column)})" for column in elsewhere]
        )
        sums = {row[0]: list(row[1:]) for row in rows}
    evidence: dict[Slice, Evidence] = {}
    for slice_, row_count, *figures in _by_slice(connection, relation, shape, slices, measures):
        fingerprint = figures.pop() if has_fingerprint else None
        totals = {column: MoneyTotal(*pair) for column, *pair in zip(here, figures[::2], figures[1::2], strict=True)}
        for column, total in zip(elsewhere, sums.get(slice_, [None] * len(elsewhere)), strict=True):
            totals[column] = MoneyTotal(total, None)
        in_order = tuple((column, totals[column]) for column in shape.money_columns)
        evidence[slice_] = Evidence(row_count, in_order, fingerprint)
    return evidence


def collect_fingerprints(
    connection: duckdb.DuckDBPyConnection, relation: str, shape: Shape, slices: Iterable[Slice] | None = None
) -> dict[Slice, str]:
    """Return, for each slice that has rows, a hash over every value of every row, in whatever order.

    Rows are hashed whole and the hashes summed, so that values which change places, and rows that come twice, show.
    Comparable within one version of DuckDB, which the text therefore names. (lab) Reading every column of a fact takes
    twice the time of summing its money.
    """
    return dict(_by_slice(connection, relation, shape, slices, [_fingerprint(shape)]))


def _fingerprint(shape: Shape) -> str:
    values = ", ".join(f"cast({identifier(column.name)} as {column.type})" for column in shape.columns)
    return f"'{duckdb.__version__}:' || coalesce(sum(cast(hash({values}) as hugeint)), 0)"


def _by_slice(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    shape: Shape,
    slices: Iterable[Slice] | None,
    measures: list[str],
) -> list[tuple[Any, ...]]:
    source = f"{relation} where {shape.slicing.predicate(slices)}"
    if shape.slicing is Slicing.WHOLE:  # without `group by`, which gives no row where there is none
        return connection.execute(f"select null, {', '.join(measures)} from {source}").fetchall()
    return connection.execute(
        f"select {shape.slicing.expression} as slice, {', '.join(measures)} from {source} group by all"
    ).fetchall()
