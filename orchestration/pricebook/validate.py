"""What must hold of the price book before anything is priced with it, and what a human should look at.

Belongs here: checks of rows against each other and against common sense. Does not belong here: reading files,
which `book` refuses by itself when a value cannot be parsed.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import combinations, pairwise
from typing import Final

from orchestration.pricebook.book import AliasRow, PriceKey, PriceRow, format_decimal, format_moment
from orchestration.pricebook.vocabulary import (
    KCOUNT_DECIMALS,
    MTOK_DECIMALS,
    PRECEDENCE,
    SERVICE_TIERS,
    USAGE_CLASSES,
)

#: The dearest token that was ever listed is a reasoning model's output at $600 a million; audio and very fast
#: tiers stay below. A price beyond the bound is one per thousand, or one per token, in the wrong column.
MAX_USD_PER_MTOK: Final = Decimal(2000)
#: The cheapest token that is listed and not free costs a tenth of a cent per million; below, it is a price
#: per token.
MIN_USD_PER_MTOK: Final = Decimal("0.0005")
#: An hour of premium video or a deep-research request costs single dollars.
MAX_USD_PER_KCOUNT: Final = Decimal(20000)

_TIME: Final = re.compile(r"^([01]\d|2[0-3]):[0-5]\d$")


@dataclass(frozen=True)
class Problem:
    """Something wrong with the book.

    Attributes:
        code: Stable code.
        message: What is wrong, naming the rows.
    """

    code: str
    message: str


def check_prices(rows: Iterable[PriceRow]) -> list[Problem]:
    """Return everything that makes the book unusable; empty when it is sound."""
    all_rows = list(rows)
    problems = [problem for row in all_rows for problem in _check_row(row)]
    problems += [
        Problem("duplicate_price_id", f"price_id {price_id!r} stands on {count} rows")
        for price_id, count in Counter(row.price_id for row in all_rows).items()
        if count > 1
    ]
    return problems + _check_overlaps(all_rows)


def check_aliases(aliases: Iterable[AliasRow], rows: Iterable[PriceRow]) -> list[Problem]:
    """Return the aliases that name no model of the book, are spelled as no name is, or say two things."""
    models = {(row.key.provider, row.key.model) for row in rows}
    problems: list[Problem] = []
    seen: dict[tuple[str, str], str] = {}
    for row in aliases:
        name = f"alias {row.alias!r} of {row.provider}"
        if row.alias != row.alias.strip().lower():
            problems.append(Problem("alias_not_lower_case", f"{name} is not lower case"))
        if (row.provider, row.model) not in models:
            problems.append(Problem("alias_of_unknown_model", f"{name} names {row.model!r}, which has no price"))
        if (row.provider, row.alias) in models:
            problems.append(Problem("alias_is_a_model", f"{name} is a model with a price of its own"))
        if seen.setdefault((row.provider, row.alias), row.model) != row.model:
            problems.append(
                Problem("alias_twice", f"{name} names both {seen[row.provider, row.alias]!r} and {row.model!r}")
            )
    return problems


def _check_row(row: PriceRow) -> list[Problem]:
    problems: list[Problem] = []
    name = f"price {row.price_id!r}"

    def problem(code: str, message: str) -> None:
        problems.append(Problem(code, f"{name}: {message}"))

    key = row.key
    if not row.price_id or not key.provider or not key.model or not row.source:
        problem("missing_field", "price_id, provider, model and source must not be empty")
    if key.model != key.model.lower() or key.provider != key.provider.lower():
        problem("not_lower_case", "provider and model are lower case")
    if key.service_tier not in SERVICE_TIERS:
        problem("unknown_service_tier", f"{key.service_tier!r} is not one of {', '.join(sorted(SERVICE_TIERS))}")
    if bool(key.utc_time_from) != bool(key.utc_time_to) or key.utc_time_from == key.utc_time_to != "":
        problem("bad_window", "utc_time_from and utc_time_to are both empty or two different times")
    elif key.utc_time_from and not (_TIME.match(key.utc_time_from) and _TIME.match(key.utc_time_to)):
        problem("bad_window", "utc_time_from and utc_time_to are HH:MM")
    if row.valid_to is not None and row.valid_to <= row.valid_from:
        problem("never_valid", f"valid_to {format_moment(row.valid_to)} is not after valid_from")
    if row.known_to is not None and row.known_to <= row.known_from:
        problem("never_known", f"known_to {format_moment(row.known_to)} is not after known_from")
    if PRECEDENCE.get(row.source, row.precedence) != row.precedence:
        problem("wrong_precedence", f"{row.source} has precedence {PRECEDENCE[row.source]}, not {row.precedence}")
    return problems + _check_price(row, name)


def _check_price(row: PriceRow, name: str) -> list[Problem]:
    usage_class = row.key.usage_class
    unit = USAGE_CLASSES.get(usage_class)
    if unit is None:
        return [Problem("unknown_usage_class", f"{name}: {usage_class!r} is not a usage class")]
    if (row.price_usd_per_mtok is None) == (row.price_usd_per_kcount is None):
        return [
            Problem(
                "price_columns",
                f"{name}: exactly one of price_usd_per_mtok and price_usd_per_kcount must be set",
            )
        ]
    if unit == "token":
        column, amount, places, largest = (
            "price_usd_per_mtok",
            row.price_usd_per_mtok,
            MTOK_DECIMALS,
            MAX_USD_PER_MTOK,
        )
    else:
        column, amount = "price_usd_per_kcount", row.price_usd_per_kcount
        places, largest = KCOUNT_DECIMALS, MAX_USD_PER_KCOUNT
    if amount is None:
        return [Problem("wrong_unit", f"{name}: {usage_class} is priced in {column}")]
    return _check_amount(name, amount, places, largest)


def _check_amount(name: str, amount: Decimal, places: int, largest: Decimal) -> list[Problem]:
    text = format_decimal(amount)
    if not amount.is_finite() or amount < 0:
        return [Problem("negative_price", f"{name}: {text} is not a price")]
    if amount != round(amount, places):
        return [Problem("too_many_decimals", f"{name}: {text} has more than {places} decimal places")]
    if amount > largest:
        return [Problem("price_out_of_bounds", f"{name}: {text} is above {largest}; is the unit right?")]
    return []


def _check_overlaps(rows: Sequence[PriceRow]) -> list[Problem]:
    """Find rows of one key and precedence that hold at one moment, as known at one moment.

    Daily windows of one key may not share a minute either: which of two would apply is not defined.
    """
    groups: dict[tuple[PriceKey, int], list[PriceRow]] = defaultdict(list)
    windows: dict[tuple[str, str, str, str, int, str, int], list[PriceRow]] = defaultdict(list)
    for row in rows:
        groups[row.key, row.precedence].append(row)
        if row.key.utc_time_from:
            key = row.key
            windows[
                key.provider,
                key.model,
                key.usage_class,
                key.service_tier,
                key.context_from_tokens,
                key.region,
                row.precedence,
            ].append(row)
    pairs = [pair for group in groups.values() for pair in combinations(group, 2)]
    pairs += [
        (one, other)
        for group in windows.values()
        for one, other in combinations(group, 2)
        if one.key != other.key and _windows_meet(one.key, other.key)
    ]
    return [
        Problem(
            "overlapping_validity",
            f"prices {one.price_id!r} and {other.price_id!r} both hold at {format_moment(start)} "
            f"as known at {format_moment(known)}",
        )
        for one, other in pairs
        if (start := _meet(one.valid_from, one.valid_to, other.valid_from, other.valid_to)) is not None
        and (known := _meet(one.known_from, one.known_to, other.known_from, other.known_to)) is not None
    ]


def _meet(start: datetime, end: datetime | None, other_start: datetime, other_end: datetime | None) -> datetime | None:
    """Return the first moment that both half-open spans hold, or None."""
    first = max(start, other_start)
    ends = [moment for moment in (end, other_end) if moment is not None]
    return first if all(first < moment for moment in ends) else None


def _windows_meet(one: PriceKey, other: PriceKey) -> bool:
    return bool(_minutes(one) & _minutes(other))


def _minutes(key: PriceKey) -> set[int]:
    start, end = (int(text[:2]) * 60 + int(text[3:]) for text in (key.utc_time_from, key.utc_time_to))
    return set(range(start, end)) if start < end else set(range(start, 1440)) | set(range(end))


@dataclass(frozen=True)
class Suspicion:
    """A price that is probably right and has the shape of a mistake; a human looks, nothing is refused.

    Attributes:
        code: `tenfold_change`, `output_below_input`, `cache_read_above_input`, `far_below_any_price`,
            `tier_above_twice_standard`.
        row: The row.
        message: The figures.
    """

    code: str
    row: PriceRow
    message: str


def suspicions(rows: Iterable[PriceRow]) -> list[Suspicion]:
    """Return the believed rows that look like a typing error, a swapped column or a wrong unit."""
    believed = [row for row in rows if row.known_to is None]
    by_key: dict[PriceKey, list[PriceRow]] = defaultdict(list)
    for row in believed:
        by_key[row.key].append(row)
    found: list[Suspicion] = []
    for key, group in by_key.items():
        group.sort(key=lambda row: (row.precedence, row.valid_from))
        for before, after in pairwise(group):
            old, new = before.usd_per_unit, after.usd_per_unit
            if before.precedence == after.precedence and min(old, new) > 0 and max(old, new) >= 10 * min(old, new):
                found.append(Suspicion("tenfold_change", after, f"{_text(before)} became {_text(after)}"))
        for row in group:
            amount = row.price_usd_per_mtok
            if amount is not None and 0 < amount < MIN_USD_PER_MTOK:
                found.append(Suspicion("far_below_any_price", row, f"{_text(row)} per million: is it per token?"))
        found += _beside_input(key, group[-1], by_key)
    return found


def _beside_input(key: PriceKey, row: PriceRow, by_key: dict[PriceKey, list[PriceRow]]) -> list[Suspicion]:
    if key.usage_class not in ("output", "cache_read"):
        return []
    beside = by_key.get(
        PriceKey(
            key.provider,
            key.model,
            "input",
            key.service_tier,
            key.context_from_tokens,
            key.region,
            key.utc_time_from,
            key.utc_time_to,
        )
    )
    if not beside:
        return []
    latest = max(beside, key=lambda other: (other.precedence, other.valid_from))
    if key.usage_class == "output" and 0 < row.usd_per_unit < latest.usd_per_unit:
        return [Suspicion("output_below_input", row, f"output {_text(row)}, input {_text(latest)}")]
    if key.usage_class == "cache_read" and row.usd_per_unit > latest.usd_per_unit:
        return [Suspicion("cache_read_above_input", row, f"cache read {_text(row)}, input {_text(latest)}")]
    return []


def _text(row: PriceRow) -> str:
    amount = row.price_usd_per_mtok if row.price_usd_per_mtok is not None else row.price_usd_per_kcount
    return "$" + format_decimal(amount or Decimal(0))
