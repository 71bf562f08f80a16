"""Replaying a receipt: the month is built again from what was known, and must come out in the same bytes.

Belongs here: building, comparing, and saying what may explain a difference. Does not belong here: closing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from orchestration.closing.as_known import AsKnown, build_as_known
from orchestration.closing.definitions import code_version, definition_version
from orchestration.closing.errors import ClosingError
from orchestration.closing.freeze import State, freeze
from orchestration.closing.frozen_file import sha256_of
from orchestration.closing.price_book import PriceBook
from orchestration.closing.receipt import ClosedMonth, FrozenFile, Receipt, closed_months, price_book_folder
from orchestration.settings import Settings


class Build(Protocol):
    """Builds the marts as of a moment; `build_as_known` does."""

    def __call__(self, settings: Settings, moment: datetime, into: Path, *, prices: PriceBook) -> AsKnown:
        """Build them."""
        ...


@dataclass(frozen=True)
class Replay:
    """What became of a replay.

    Attributes:
        month: `YYYY-MM`.
        folder: Where the month was made again.
        files_count: Files of the month.
        differences: A sentence for each file that differs; none when every byte is the same.
        explanations: What is not as it was when the month was closed.
    """

    month: str
    folder: Path
    files_count: int
    differences: Sequence[str]
    explanations: Sequence[str]

    @property
    def is_identical(self) -> bool:
        """Whether every file has the same bytes."""
        return not self.differences


def replay(settings: Settings, receipt_file: Path, into: Path, build: Build = build_as_known) -> Replay:
    """Build the month of a receipt again in a folder of its own and compare every file.

    Args:
        settings: The installation whose landing zone is read.
        receipt_file: `closed/<month>/receipt.json`.
        into: A folder for `build_as_known`; the month's files come to lie in `closed/<month>` below it.
        build: Builds the marts.

    Raises:
        ClosingError: When the receipt, the files beside it or the price book are not what was kept, or when nothing
            can be built.
    """
    receipt_file = receipt_file.expanduser().absolute()
    kept = ClosedMonth(receipt_file.parent, Receipt.read(receipt_file))
    receipt, closed = kept.receipt, kept.folder.parent
    _require_untouched(kept)
    prices = PriceBook.kept_in(price_book_folder(closed, receipt.price_book_hash))
    if prices.content_hash != receipt.price_book_hash:
        raise ClosingError(f"the price book of {receipt.month} is not what was kept; restore {closed / 'price_books'}")
    built = build(settings, receipt.known_at, into, prices=prices)
    target = into.expanduser().absolute() / "closed" / receipt.month
    frozen = freeze(
        State(built.settings, built.manifest),
        receipt.first_day,
        closed_months(closed, before=receipt.first_day),
        target,
    )
    return Replay(
        month=receipt.month,
        folder=target,
        files_count=len(receipt.files),
        differences=_differences(receipt.files, frozen.files),
        explanations=_explanations(receipt, built),
    )


def _require_untouched(kept: ClosedMonth) -> None:
    for file in kept.receipt.files:
        path = kept.folder / file.file
        if not path.exists() or sha256_of(path) != file.sha256:
            raise ClosingError(f"{path} is missing or was changed after {kept.receipt.month} was closed; restore it")


def _differences(kept: Sequence[FrozenFile], made: Sequence[FrozenFile]) -> list[str]:
    made_by_name = {file.file: file for file in made}
    differences: list[str] = []
    for file in kept:
        other = made_by_name.pop(file.file, None)
        if other is None:
            differences.append(f"{file.file} is not made any more")
        elif other.sha256 != file.sha256:
            rows = "" if other.row_count == file.row_count else f", {file.row_count} rows became {other.row_count}"
            differences.append(f"{file.file} differs{rows}")
    return [*differences, *(f"{name} was not there" for name in made_by_name)]


def _explanations(receipt: Receipt, built: AsKnown) -> list[str]:
    explanations: list[str] = []
    if definition_version(built.manifest) != receipt.definition_version:
        commit = receipt.code_version.get("commit")
        explanations.append(f"the definitions have changed since; the month was closed at commit {commit or 'unknown'}")
    engine, engine_then = code_version()["duckdb"], receipt.code_version.get("duckdb")
    if engine != engine_then:
        explanations.append(f"this is DuckDB {engine}, the month was closed with {engine_then}")
    return explanations
