"""What changed between two moments of knowledge, in money, by day, provider, tenant and feature.

Belongs here: building both states and comparing them. Does not belong here: restated bills alone, which the mart
`restatements` shows without building anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb

from orchestration.closing.errors import ClosingError
from orchestration.closing.figures import (
    CELL,
    REQUESTS_MART,
    UNATTRIBUTED_MART,
    cells,
    difference,
    register_changed_sources,
)
from orchestration.closing.frozen_file import write_parquet
from orchestration.publishing.reader import open_marts
from orchestration.settings import Settings


@dataclass(frozen=True)
class Restatements:
    """The table that was written.

    Attributes:
        file: One row for each cell that changed; see `compare`.
        rows_count: Its rows.
        billed_change_usd: Sum of the changes of what was billed.
        effective_change_usd: Sum of the changes of the best that was known.
    """

    file: Path
    rows_count: int
    billed_change_usd: Decimal
    effective_change_usd: Decimal


def compare(
    settings: Settings,
    before: tuple[Path, datetime],
    after: tuple[Path, datetime],
    file: Path,
) -> Restatements:
    """Write what changed between two published folders.

    The table has the columns of `figures.CELL`, each measure before and after with its change, and `changed_by`:
    the sources and tables of which anything landed for that day between the two moments; NULL where nothing did,
    so that prices or definitions made the change.

    Args:
        settings: The installation, whose landing zone says what landed between the moments.
        before: Published folder, and the moment that it was built as of.
        after: The same, later.
        file: The Parquet file to write.

    Raises:
        ClosingError: When the moments are in the wrong order.
    """
    (before_folder, known_before), (after_folder, known_after) = before, after
    if known_after <= known_before:
        raise ClosingError(f"{known_after.isoformat()} is not later than {known_before.isoformat()}")
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, folder in (("before_state", before_folder), ("after_state", after_folder)):
            with open_marts(folder) as marts:
                # Through Arrow: the views of two versions look for their files in different folders.
                rows = marts.execute(cells(REQUESTS_MART, UNATTRIBUTED_MART)).to_arrow_table()
            connection.register(name, rows)
        sources = register_changed_sources(connection, settings, known_before, known_after)
        changed = difference("select * from before_state", "select * from after_state")
        query = f"select changed.*, changed_by from ({changed}) as changed left join {sources} using (usage_date)"
        connection.execute(f"create temporary table restatements as {query}")
        write_parquet(connection, "restatements", file, order_by=CELL)
        count, billed, effective = connection.execute(
            "select count(*), coalesce(sum(billed_cost_change_usd), 0), coalesce(sum(effective_cost_change_usd), 0) "
            "from restatements"
        ).fetchall()[0]
    return Restatements(file, count, billed, effective)


def default_file(settings: Settings, known_before: datetime, known_after: datetime) -> Path:
    """Return where the table lies when no file is named."""
    first, last = (f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}" for moment in (known_before, known_after))
    return settings.home / "as_known" / f"restatements-{first}-{last}.parquet"
