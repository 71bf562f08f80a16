"""What has changed in closed months since they were closed, to be booked in the period that is open.

Belongs here: the table of adjustments. Does not belong here: closing. A closed month is never edited: closed figures
+ every booked adjustment + the open ones = the figures as they are now, cell by cell, to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from orchestration.closing.errors import ClosingError
from orchestration.closing.figures import (
    CELL,
    MEASURES,
    REQUESTS_MART,
    UNATTRIBUTED_MART,
    cells,
    difference,
    month_condition,
    register_changed_sources,
)
from orchestration.closing.frozen_file import write_parquet
from orchestration.closing.receipt import ADJUSTMENTS_FILE, ClosedMonth, closed_folder, closed_months, next_month
from orchestration.publishing.reader import open_marts
from orchestration.settings import Settings
from orchestration.sql import glob_literal, literal

_COLUMNS = {
    "booked_month": "date",
    "closed_month": "date",
    "usage_date": "date",
    "provider": "varchar",
    "tenant_id": "varchar",
    "feature": "varchar",
    "unattributed_reason": "varchar",
    **{
        f"{name.removesuffix('_usd')}_{when}_usd": "decimal(38, 12)"
        for when in ("before", "after", "change")
        for name in MEASURES
    },
    "changed_by": "varchar",
}
"""Of `period_adjustments`. `before` is what was closed and what has been booked since; `changed_by` as in
`figures.register_changed_sources`: NULL where prices or definitions made the change."""


@dataclass(frozen=True)
class Adjustments:
    """The adjustments of one period.

    Attributes:
        file: One row for each cell of a closed month that changed.
        row_count: Its rows.
        booked_month: First day of the month they are booked in.
        billed_change_usd: Sum of the changes of what was billed.
        effective_change_usd: Sum of the changes of the best that was known.
    """

    file: Path
    row_count: int
    booked_month: date
    billed_change_usd: Decimal
    effective_change_usd: Decimal


def open_adjustments(settings: Settings) -> Adjustments:
    """Write `closed/period_adjustments.parquet`: what the period after the newest closed month must book as of now.

    Raises:
        ClosingError: When no month is closed.
        NotPublishedError: When nothing is published.
    """
    closed = closed_folder(settings)
    months = closed_months(closed)
    if not months:
        raise ClosingError(f"no month is closed in {closed}")
    with open_marts(settings.published) as marts:
        return write_adjustments(
            marts, settings, months, next_month(months[-1].receipt.first_day), closed / ADJUSTMENTS_FILE
        )


def write_adjustments(
    marts: duckdb.DuckDBPyConnection,
    settings: Settings,
    months: Sequence[ClosedMonth],
    booked_month: date,
    file: Path,
) -> Adjustments:
    """Write the adjustments that bring `months` to the figures that `marts` holds.

    Args:
        marts: The published marts, opened by `open_marts`.
        settings: Whose landing zone says what landed since a month was closed, up to `as_known_at`.
        months: Closed months, oldest first.
        booked_month: First day of the month to book them in.
        file: The Parquet file to write.
    """
    columns = ", ".join(f"{name} {type_}" for name, type_ in _COLUMNS.items())
    marts.execute(f"create or replace temporary table period_adjustments ({columns})")
    for month in months:
        sources = register_changed_sources(marts, settings, month.receipt.known_at, settings.as_known_at)
        marts.execute(
            f"""
            insert into period_adjustments by name
            select date '{booked_month}' as booked_month, date '{month.receipt.first_day}' as closed_month,
                changed.*, changed_by
            from ({_since_closed(month, months)}) as changed
            left join {sources} using (usage_date)
            """
        )
    count = write_parquet(marts, "period_adjustments", file, order_by=("closed_month", *CELL))
    billed, effective = marts.execute(
        "select coalesce(sum(billed_cost_change_usd), 0), coalesce(sum(effective_cost_change_usd), 0) "
        "from period_adjustments"
    ).fetchall()[0]
    return Adjustments(file, count, booked_month, billed, effective)


def _since_closed(month: ClosedMonth, months: Sequence[ClosedMonth]) -> str:
    """Return SQL for the cells of a closed month that are not what was closed and booked."""
    days = month_condition(month.receipt.first_day)
    said = cells(_file(month.mart(REQUESTS_MART)), _file(month.mart(UNATTRIBUTED_MART)), days)
    booked = [
        f"select {', '.join(CELL)}, billed_cost_change_usd, effective_cost_change_usd "
        f"from {_file(later.adjustments)} where closed_month = date '{month.receipt.first_day}'"
        for later in months
        if later.receipt.first_day > month.receipt.first_day
    ]
    return difference(" union all ".join([said, *booked]), cells(REQUESTS_MART, UNATTRIBUTED_MART, days))


def _file(path: Path) -> str:
    return f"read_parquet({literal(glob_literal(path))})"
