"""How a mart is cut into files.

Belongs here: the three ways, and their SQL. Does not belong here: writing, and deciding what is written.

A slice is the unit that is compared, written and verified. Facts are built by day and published by day. Roll-ups are
published by month: (lab) to publish one more day of a roll-up of 155,000 rows (85 tenants x 5 features x 365 days, 55
columns) takes 2.4 s of CPU whole and 0.2 s by month, and a view over a year of months opens 12 files where one over
days opens 365.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from enum import StrEnum

Slice = date | None
"""A UTC day, the first day of a month, or None: a mart that is published whole, or rows without a day."""

DAY_COLUMN = "usage_date"

_MOST_RANGES = 8


class Slicing(StrEnum):
    """What one Parquet file of a mart holds."""

    DAY = "day"
    """A UTC day. The day stands in the name of the folder, not in the file."""
    MONTH = "month"
    """A calendar month of `usage_date`."""
    WHOLE = "whole"
    """Everything; such a mart is a table of `marts.duckdb` too."""

    @property
    def expression(self) -> str:
        """SQL that gives the slice of a row."""
        return {
            Slicing.DAY: DAY_COLUMN,
            Slicing.MONTH: f"cast(date_trunc('month', {DAY_COLUMN}) as date)",
            Slicing.WHOLE: "cast(null as date)",
        }[self]

    def predicate(self, slices: Iterable[Slice] | None) -> str:
        """Return SQL that holds on exactly the rows of these slices; on all for None.

        Neighbours become one range, because a range prunes row groups and files better than a list does.
        """
        if slices is None or self is Slicing.WHOLE:
            return "true"
        wanted = set(slices)
        ranges: list[tuple[date, date]] = []
        for first in sorted(slice_ for slice_ in wanted if slice_ is not None):
            if ranges and ranges[-1][1] == first:
                ranges[-1] = (ranges[-1][0], self._end(first))
            else:
                ranges.append((first, self._end(first)))
        if len(ranges) > _MOST_RANGES:
            listed = ", ".join(f"date '{slice_}'" for slice_ in wanted if slice_ is not None)
            clauses = [f"{self.expression} in ({listed})"]
        else:
            clauses = [f"({DAY_COLUMN} >= date '{first}' and {DAY_COLUMN} < date '{end}')" for first, end in ranges]
        if None in wanted:
            clauses.append(f"{DAY_COLUMN} is null")
        return f"({' or '.join(clauses)})" if clauses else "false"

    def holding(self, days: Iterable[date]) -> set[Slice]:
        """Return the slices in which these days lie."""
        return {{Slicing.DAY: day, Slicing.MONTH: day.replace(day=1), Slicing.WHOLE: None}[self] for day in days}

    def folder(self, mart: str, slice_: Slice) -> str:
        """Return where the file of a slice lies, relative to the published folder."""
        if self is Slicing.WHOLE:
            return mart
        if self is Slicing.DAY:
            return f"{mart}/{DAY_COLUMN}={slice_}"
        return f"{mart}/usage_month={slice_:%Y-%m}" if slice_ else f"{mart}/usage_month=unknown"

    def _end(self, first: date) -> date:
        if self is Slicing.DAY:
            return first + timedelta(days=1)
        return (first.replace(day=1) + timedelta(days=32)).replace(day=1)
