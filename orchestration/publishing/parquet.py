"""Writing slices of a mart as Parquet.

Belongs here: how rows become files, and how many at once. Does not belong here: which slices, and where
they go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import duckdb

from orchestration.publishing.errors import PublishError
from orchestration.publishing.marts import Column, Shape, published_columns
from orchestration.publishing.slices import DAY_COLUMN, Slice, Slicing
from orchestration.sql import identifier, literal

_FORMAT = "format parquet, compression zstd, row_group_size 61440"
"""(lab, 84 columns, 251,000 rows) With DuckDB's groups of 122,880 rows dictionaries take 14.5 s of CPU, so 3.9 s."""

_DAYS_FORMAT = "format parquet, compression zstd, row_group_size 10240"
"""(lab, 60 days) Rows wait in memory for their group: 9.7 s of CPU with large groups, 7.0 s with small ones."""

_SORTED_DAY_FORMAT = "format parquet, compression zstd, row_group_size 6144"
"""(lab, 2,000 tenants, 36,000 rows a day) Sorted by tenant, a tenant's rows of a day are in one group of six.

Months keep large groups: a reader opens the metadata of every month, and 61 groups each take 110 ms, seven take 18."""

BATCH_ROWS = 150_000
"""Rows that one statement writes into many days, at most.

(lab, 60 columns) Days of a few hundred rows are written twice as fast in one statement as in one each; days
of thousands are not, and DuckDB holds all rows of such a statement in memory: 600 MB for 300,000 rows. """

BATCH_DAYS = 90
"""Days that one statement writes, at most: beyond 100 open partitions DuckDB begins second files."""

SINGLE_DAY_ROWS = 20_000
"""A day with more rows is written by a statement of its own, in parallel and in little memory."""


def write_slices(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    shape: Shape,
    row_counts: Mapping[Slice, int],
    folder: Path,
    *,
    order: tuple[str, ...] = (),
) -> dict[Slice, Path]:
    """Write each slice into a Parquet file of its own below `folder`; return the files.

    Args:
        connection: Where `relation` can be read.
        relation: The mart in the warehouse.
        shape: Its published shape.
        row_counts: The slices to write, and how many rows each has.
        folder: Must not hold anything of this mart yet.
        order: Columns by which the rows of a file are sorted; small days, which one statement writes, are not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[Slice, Path] = {}
    order_by = f" order by {', '.join(map(identifier, order))}" if order else ""
    if shape.slicing is not Slicing.DAY:
        for slice_ in row_counts:
            target = folder / f"{slice_}.parquet"
            rows = _rows(relation, shape.columns, shape.slicing.predicate([slice_]))
            _copy(connection, rows + order_by, target, _FORMAT)
            written[slice_] = target
        return written
    inner = tuple(column for column in shape.columns if column.name != DAY_COLUMN)
    days = {day: count for day, count in row_counts.items() if day is not None}
    for number, batch in enumerate(plan_batches(days)):
        if len(batch) == 1:
            target = folder / f"{batch[0]}.parquet"
            rows = _rows(relation, inner, Slicing.DAY.predicate(batch)) + order_by
            _copy(connection, rows, target, _SORTED_DAY_FORMAT if order else _FORMAT)
            written[batch[0]] = target
        else:
            target = folder / f"batch-{number}"
            options = f"{_DAYS_FORMAT}, partition_by ({DAY_COLUMN})"
            _copy(connection, _rows(relation, shape.columns, Slicing.DAY.predicate(batch)), target, options)
            written.update({day: _only_file(target / f"{DAY_COLUMN}={day}") for day in batch})
    return written


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


def _copy(connection: duckdb.DuckDBPyConnection, query: str, target: Path, options: str) -> None:
    connection.execute(f"copy ({query}) to {literal(str(target))} ({options})")


def _only_file(folder: Path) -> Path:
    files = list(folder.glob("*.parquet"))
    if len(files) != 1:
        raise PublishError(f"expected one file of one day in {folder}, found {len(files)}")
    return files[0]
