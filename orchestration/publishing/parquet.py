"""Writing slices of a mart as Parquet.

Belongs here: how rows become files, and how many at once. Does not belong here: which slices, and where
they go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.publishing.errors import PublishError
from orchestration.publishing.marts import Column, Shape, published_columns
from orchestration.publishing.sessions import side_by_side
from orchestration.publishing.slices import DAY_COLUMN, Slice, Slicing
from orchestration.sql import identifier, literal

_PARQUET = "format parquet, compression zstd, compression_level 1"
"""(lab, 143,000 requests of 84 columns) Level 1 takes 0.6 s of CPU where DuckDB's 3 takes 1.0, for 1 % more bytes."""

_GROUP_ROWS = 61_440
_FORMAT = f"{_PARQUET}, row_group_size {_GROUP_ROWS}"
"""(lab, 84 columns, 251,000 rows) With DuckDB's groups of 122,880 rows dictionaries take 14.5 s of CPU, so 3.9 s."""

_DAYS_FORMAT = f"{_PARQUET}, row_group_size 10240"
"""(lab, 60 days) Rows wait in memory for their group: 9.7 s of CPU with large groups, 7.0 s with small ones."""

_SORTED_DAY_FORMAT = f"{_PARQUET}, row_group_size 6144"
"""(lab, 2,000 tenants, 36,000 rows a day) Sorted by tenant, a tenant's rows of a day are in one group of six.

Months keep large groups: a reader opens the metadata of every month, and 61 groups each take 110 ms, seven take 18."""

_SMALLER_SHARE = "0.8"
"""Of a day whose largest rows come first: who asks for the fifty dearest of a day finds them in one group or two, whose
smallest the others do not reach, so those are not read (lab, 325,000 requests of 84 columns: 19 ms instead of 45).
Taking them apart costs the processor nothing that could be measured; sorting the day costs 7 s a million rows."""

BATCH_ROWS = 150_000
"""Rows that one statement writes into many days, at most.

(lab, 60 columns) Days of a few hundred rows are written twice as fast in one statement as in one each; days
of thousands are not, and DuckDB holds all rows of such a statement in memory: 600 MB for 300,000 rows. """

BATCH_DAYS = 90
"""Days that one statement writes, at most: beyond 100 open partitions DuckDB begins second files."""

SINGLE_DAY_ROWS = 20_000
"""A day with more rows is written by a statement of its own, in parallel and in little memory."""


@dataclass(frozen=True)
class Wanted:
    """Slices of a mart that are to become files.

    Attributes:
        relation: The mart in the warehouse.
        shape: Its published shape.
        row_counts: The slices, and how many rows each has.
        folder: Where to write; must not hold anything of this mart yet.
        order: Columns by which the rows of a file are sorted; small days, which one statement writes, are not.
        largest_first: Column of which a day's largest values come before the others, where a day has several groups.
    """

    relation: str
    shape: Shape
    row_counts: Mapping[Slice, int]
    folder: Path
    order: tuple[str, ...] = ()
    largest_first: str | None = None


@dataclass(frozen=True)
class _Copy:
    """One statement: a slice into a file, or days into folders below `target`."""

    slices: tuple[Slice, ...]
    rows: str
    target: Path
    options: str
    largest_first: str | None = None

    def files(self) -> dict[Slice, Path]:
        if self.target.is_file():
            return {self.slices[0]: self.target}
        return {day: _only_file(self.target / f"{DAY_COLUMN}={day}") for day in self.slices}


def write_slices(connection: duckdb.DuckDBPyConnection, wanted: Mapping[str, Wanted]) -> dict[str, dict[Slice, Path]]:
    """Write each slice of each mart into a Parquet file of its own, several at once; return the files by mart.

    Args:
        connection: Where the marts can be read.
        wanted: By the name of the mart.
    """
    copies = [(name, copy) for name, slices in wanted.items() for copy in _copies(slices)]
    for slices in wanted.values():
        slices.folder.mkdir(parents=True, exist_ok=True)
    side_by_side(connection, lambda session, named: _run(session, named[1]), copies)
    written: dict[str, dict[Slice, Path]] = {name: {} for name in wanted}
    for name, copy in copies:
        written[name].update(copy.files())
    return written


def _copies(wanted: Wanted) -> Iterator[_Copy]:
    shape = wanted.shape
    order_by = f" order by {', '.join(map(identifier, wanted.order))}" if wanted.order else ""
    if shape.slicing is not Slicing.DAY:
        for slice_ in wanted.row_counts:
            rows = _rows(wanted.relation, shape.columns, shape.slicing.predicate([slice_]))
            yield _Copy((slice_,), rows + order_by, wanted.folder / f"{slice_}.parquet", _FORMAT)
        return
    inner = tuple(column for column in shape.columns if column.name != DAY_COLUMN)
    days = {day: count for day, count in wanted.row_counts.items() if day is not None}
    for number, batch in enumerate(plan_batches(days)):
        if len(batch) == 1:
            rows = _rows(wanted.relation, inner, Slicing.DAY.predicate(batch)) + order_by
            options = _SORTED_DAY_FORMAT if wanted.order else _FORMAT
            largest_first = wanted.largest_first if days[batch[0]] > _GROUP_ROWS else None
            yield _Copy((batch[0],), rows, wanted.folder / f"{batch[0]}.parquet", options, largest_first)
        else:
            rows = _rows(wanted.relation, shape.columns, Slicing.DAY.predicate(batch))
            options = f"{_DAYS_FORMAT}, partition_by ({DAY_COLUMN})"
            yield _Copy(tuple(batch), rows, wanted.folder / f"batch-{number}", options)


def plan_batches(row_counts: Mapping[date, int]) -> Iterator[list[date]]:
    """Group days that are small enough to be written by one statement."""
    batch: list[date] = []
    rows = 0
    for day, count in sorted(row_counts.items()):
        if count > SINGLE_DAY_ROWS:
            yield [day]
            continue
        if batch and (rows + count > BATCH_ROWS or len(batch) == BATCH_DAYS):
            yield batch
            batch, rows = [], 0
        batch.append(day)
        rows += count
    if batch:
        yield batch


def _rows(relation: str, columns: tuple[Column, ...], predicate: str) -> str:
    return f"select {published_columns(columns)} from {relation} where {predicate}"


def _run(connection: duckdb.DuckDBPyConnection, copy: _Copy) -> None:
    rows = copy.rows if copy.largest_first is None else _largest_first(connection, copy.rows, copy.largest_first)
    connection.execute(f"copy ({rows}) to {literal(str(copy.target))} ({copy.options})")


def _largest_first(connection: duckdb.DuckDBPyConnection, rows: str, column: str) -> str:
    name = identifier(column)
    found = connection.execute(
        f"select cast(quantile_disc({name}, {_SMALLER_SHARE}) as varchar) from ({rows})"
    ).fetchone()
    if found is None or found[0] is None:
        return rows
    is_large = f"{name} >= {literal(found[0])}"
    return f"select * from ({rows}) where {is_large} union all select * from ({rows}) where ({is_large}) is not true"


def _only_file(folder: Path) -> Path:
    files = list(folder.glob("*.parquet"))
    if len(files) != 1:
        raise PublishError(f"expected one file of one day in {folder}, found {len(files)}")
    return files[0]
