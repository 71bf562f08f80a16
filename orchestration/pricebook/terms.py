"""Negotiated terms and multipliers: the two small tables beside the book.

Belongs here: reading and checking them. Does not belong here: applying them, which the warehouse does on top
of the list price.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import combinations
from pathlib import Path
from typing import Final

from orchestration.pricebook.book import BookError, format_moment
from orchestration.pricebook.validate import Problem
from orchestration.pricebook.vocabulary import SERVICE_TIERS, USAGE_CLASSES

TERM_COLUMNS: Final = (
    "provider",
    "provider_account",
    "model",
    "usage_class",
    "service_tier",
    "discount_pct",
    "price_usd_per_mtok",
    "valid_from",
    "valid_to",
    "note",
)
MULTIPLIER_COLUMNS: Final = (
    "provider",
    "dimension",
    "value",
    "model",
    "multiplier",
    "valid_from",
    "valid_to",
    "source",
    "source_url",
    "note",
)
DIMENSIONS: Final = frozenset({"inference_geo", "region", "speed"})


@dataclass(frozen=True)
class _Dated:
    """What two rows of either table must not share."""

    key: tuple[str, ...]
    valid_from: datetime
    valid_to: datetime | None
    line: int


def check_terms(path: Path) -> list[Problem]:
    """Return what is wrong with a file of negotiated terms.

    Raises:
        BookError: When a column is missing or a value cannot be parsed.
    """
    problems: list[Problem] = []
    dated: list[_Dated] = []
    for line, row in _rows(path, TERM_COLUMNS):
        where = f"{path.name}:{line}"
        discount, price = (
            _decimal(path, line, row, "discount_pct"),
            _decimal(path, line, row, "price_usd_per_mtok"),
        )
        if (discount is None) == (price is None):
            problems.append(
                Problem("term_columns", f"{where}: exactly one of discount_pct and price_usd_per_mtok must be set")
            )
        if discount is not None and not 0 <= discount <= 100:
            problems.append(Problem("term_out_of_bounds", f"{where}: discount_pct {discount} is not within 0 and 100"))
        if price is not None and price < 0:
            problems.append(Problem("term_out_of_bounds", f"{where}: price_usd_per_mtok {price} is negative"))
        if not row["provider"]:
            problems.append(Problem("term_columns", f"{where}: provider must be set"))
        if row["usage_class"] and row["usage_class"] not in USAGE_CLASSES:
            problems.append(Problem("unknown_usage_class", f"{where}: {row['usage_class']!r} is not a usage class"))
        if row["service_tier"] and row["service_tier"] not in SERVICE_TIERS:
            problems.append(Problem("unknown_service_tier", f"{where}: {row['service_tier']!r} is not a service tier"))
        dated.append(_dated(path, line, row, TERM_COLUMNS[:5]))
    return problems + _overlaps(path, dated)


def check_multipliers(path: Path) -> list[Problem]:
    """Return what is wrong with a file of multipliers.

    Raises:
        BookError: When a column is missing or a value cannot be parsed.
    """
    problems: list[Problem] = []
    dated: list[_Dated] = []
    for line, row in _rows(path, MULTIPLIER_COLUMNS):
        where = f"{path.name}:{line}"
        factor = _decimal(path, line, row, "multiplier")
        if factor is None or not 0 < factor <= 10:
            problems.append(Problem("multiplier_out_of_bounds", f"{where}: multiplier must be above 0 and at most 10"))
        if row["dimension"] not in DIMENSIONS:
            problems.append(
                Problem("unknown_dimension", f"{where}: {row['dimension']!r} is not one of {sorted(DIMENSIONS)}")
            )
        dated.append(_dated(path, line, row, MULTIPLIER_COLUMNS[:4]))
    return problems + _overlaps(path, dated)


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise BookError(f"{path}: column {', '.join(missing)} is missing; expected {', '.join(columns)}")
        for record in reader:
            yield reader.line_num, {column: record[column] or "" for column in columns}


def _decimal(path: Path, line: int, row: dict[str, str], column: str) -> Decimal | None:
    if not row[column]:
        return None
    try:
        return Decimal(row[column])
    except InvalidOperation as error:
        raise BookError(f"{path}:{line}: {column} is {row[column]!r}, expected a decimal number") from error


def _dated(path: Path, line: int, row: dict[str, str], key: Sequence[str]) -> _Dated:
    moments: list[datetime | None] = []
    for column in ("valid_from", "valid_to"):
        try:
            moment = datetime.fromisoformat(row[column]) if row[column] else None
        except ValueError as error:
            raise BookError(f"{path}:{line}: {column} is {row[column]!r}, expected a moment") from error
        if moment is not None and moment.tzinfo is None:
            raise BookError(f"{path}:{line}: {column} is {row[column]!r}, expected a moment with a zone")
        moments.append(moment.astimezone(UTC) if moment else None)
    start, end = moments
    if start is None:
        raise BookError(f"{path}:{line}: valid_from is empty, expected a moment such as 2026-01-31T00:00:00Z")
    return _Dated(tuple(row[column] for column in key), start, end, line)


def _overlaps(path: Path, rows: Iterable[_Dated]) -> list[Problem]:
    groups: dict[tuple[str, ...], list[_Dated]] = defaultdict(list)
    for row in rows:
        groups[row.key].append(row)
    return [
        Problem(
            "overlapping_validity",
            f"{path.name}: lines {one.line} and {other.line} both hold at "
            f"{format_moment(max(one.valid_from, other.valid_from))}",
        )
        for group in groups.values()
        for one, other in combinations(group, 2)
        if (one.valid_to is None or other.valid_from < one.valid_to)
        and (other.valid_to is None or one.valid_from < other.valid_to)
    ]
