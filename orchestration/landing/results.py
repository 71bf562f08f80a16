"""What a pull did, for whoever shows it or decides what to build.

Belongs here: the figures of a pull. Does not belong here: counting them (`pull`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True)
class TableResult:
    """What a pull did to one table.

    Attributes:
        rows_read: Lines or records of the source; they are `rows_landed` + `rows_quarantined` + `rows_skipped`.
        rows_landed: Rows that the source has now, whether or not they were the same before.
        rows_quarantined: What could not be read, or breaks the contract.
        rows_skipped: What is none of the table's business: other events, empty lines.
        changed_dates: UTC days whose content is not what it was before, oldest first; none for a table without days.
        is_changed: Whether the table is not what it was before.
        reasons: Quarantined rows by reason.
        unknown_fields: How often a field came that the contract does not name.
    """

    rows_read: int = 0
    rows_landed: int = 0
    rows_quarantined: int = 0
    rows_skipped: int = 0
    changed_dates: tuple[date, ...] = ()
    is_changed: bool = False
    reasons: Mapping[str, int] = field(default_factory=dict[str, int])
    unknown_fields: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class PullResult:
    """What a pull did, by table name; a table that it did not come across is not there."""

    source_name: str
    pull_id: str
    pulled_at: datetime
    tables: Mapping[str, TableResult]

    @property
    def changed(self) -> bool:
        """Whether anything landed that was not there before."""
        return any(table.is_changed for table in self.tables.values())

    @property
    def changed_dates(self) -> tuple[date, ...]:
        """UTC days whose content changed in any table, oldest first."""
        return tuple(sorted({day for table in self.tables.values() for day in table.changed_dates}))
