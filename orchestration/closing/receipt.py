"""The receipt of a closed month: what was said, what it was made of, and the hash of every file that says it.

Belongs here: its content, its JSON, and where closed months lie. Does not belong here: making the files (`freeze`)
and comparing them (`replay`).

    closed/
      2026-10/receipt.json
      2026-10/marts/<mart>.parquet          the month's rows of a mart, or of its daily sums
      2026-10/pulls.parquet                 every landed slice that was known
      2026-10/period_adjustments.parquet    what changed in months that had been closed before
      price_books/<hash>/                   the price book; months that share one keep it once
      period_adjustments.parquet            the adjustments of the open period, as of the last time they were asked for
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestration.closing.errors import ClosingError
from orchestration.settings import Settings

RECEIPT_FILE = "receipt.json"
PULLS_FILE = "pulls.parquet"
ADJUSTMENTS_FILE = "period_adjustments.parquet"

_FORMAT = 1


@dataclass(frozen=True)
class FrozenFile:
    """One file of a closed month; `file` is relative to the month's folder."""

    file: str
    row_count: int
    byte_count: int
    sha256: str


@dataclass(frozen=True)
class UnreconciledDay:
    """A day of a provider that was not reconciled when the month was closed."""

    usage_date: str
    provider: str
    status: str


@dataclass(frozen=True)
class PulledTable:
    """What was known of one table of one source; its slices stand in `pulls.parquet`."""

    source_name: str
    table_name: str
    newest_pull_id: str
    slices_count: int
    row_count: int


@dataclass(frozen=True)
class Receipt:
    """Everything that it takes to make a closed month again, and to see that it is the same.

    Attributes:
        month: `YYYY-MM`, of UTC days.
        closed_at: When it was closed, RFC 3339.
        as_known_at: Pulls that began later do not count, RFC 3339.
        published_version: The version that readers saw.
        reason: Why it was closed although days were not reconciled; None when all were.
        unreconciled_days: Those days.
        definition_version: See `definitions.definition_version`.
        code_version: See `definitions.code_version`.
        price_book_hash: See `PriceBook.content_hash`; the book lies in `price_books/<hash>`.
        pulls: What was known, by source and table.
        totals: Exact sums by mart and money column, as text.
        files: In the order of their names.
    """

    month: str
    closed_at: str
    as_known_at: str
    published_version: str
    reason: str | None
    unreconciled_days: Sequence[UnreconciledDay]
    definition_version: str
    code_version: Mapping[str, str | None]
    price_book_hash: str
    pulls: Sequence[PulledTable]
    totals: Mapping[str, Mapping[str, str | None]]
    files: Sequence[FrozenFile]

    @property
    def known_at(self) -> datetime:
        """`as_known_at` as a moment."""
        return datetime.fromisoformat(self.as_known_at)

    @property
    def first_day(self) -> date:
        """The first UTC day of the month."""
        return month_start(self.month)

    def to_json(self) -> str:
        """Return the receipt as text for people and programs."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> Receipt:
        """Read what `to_json` wrote.

        Raises:
            ClosingError: When there is no receipt, or one of another format.
        """
        try:
            content: dict[str, Any] = json.loads(path.read_text())
        except (FileNotFoundError, IsADirectoryError) as error:
            raise ClosingError(f"there is no receipt {path}; closed/<month>/{RECEIPT_FILE} is one") from error
        except ValueError as error:
            raise ClosingError(f"{path} is no receipt: {error}") from error
        if content.pop("format", None) != _FORMAT:
            raise ClosingError(
                f"{path} is no receipt of format {_FORMAT}; replay it with the code that closed the month"
            )
        content["unreconciled_days"] = [UnreconciledDay(**day) for day in content["unreconciled_days"]]
        content["pulls"] = [PulledTable(**table) for table in content["pulls"]]
        content["files"] = [FrozenFile(**file) for file in content["files"]]
        return cls(**content)


@dataclass(frozen=True)
class ClosedMonth:
    """A closed month on disk."""

    folder: Path
    receipt: Receipt

    def mart(self, name: str) -> Path:
        """Return the file with the month's rows of a mart."""
        return self.folder / "marts" / f"{name}.parquet"

    @property
    def adjustments(self) -> Path:
        """The adjustments of earlier months that were booked in this one."""
        return self.folder / ADJUSTMENTS_FILE


def closed_folder(settings: Settings) -> Path:
    """Return the folder of all closed months."""
    return settings.home / "closed"


def price_book_folder(closed: Path, content_hash: str) -> Path:
    """Return where the price book of a receipt lies."""
    return closed / "price_books" / content_hash[:16]


def closed_months(closed: Path, *, before: date | None = None) -> list[ClosedMonth]:
    """Return the closed months, oldest first; only those before the month that begins with `before`."""
    months = [
        ClosedMonth(path.parent, Receipt.read(path)) for path in sorted(closed.glob(f"[0-9]*-[0-9]*/{RECEIPT_FILE}"))
    ]
    return [month for month in months if before is None or month.receipt.first_day < before]


def month_start(month: str) -> date:
    """Return the first UTC day of `YYYY-MM`.

    Raises:
        ClosingError: When it is no month.
    """
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise ClosingError(f"a month is written YYYY-MM, got {month!r}")
    return date.fromisoformat(f"{month}-01")


def next_month(first_day: date) -> date:
    """Return the first day of the month after the one that begins with `first_day`."""
    return (first_day + timedelta(days=31)).replace(day=1)
