"""Price rows: their shape, their CSV, and the rule that picks the one that applies.

Belongs here: `PriceRow`, reading and writing it, `PriceBook.price_for`, which is the reference semantics that
the SQL of the warehouse is tested against. Does not belong here: where rows come from (`refresh`) and whether
they make sense (`validate`).
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from orchestration.pricebook.vocabulary import FALLBACK_CLASSES, STANDARD_TIER

#: `valid_from` of a price that no source dates, and `known_from` of the book's first edition.
EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

PRICES_FILE: Final = "model_prices.csv"
ALIASES_FILE: Final = "model_aliases.csv"
OVERRIDES_GLOB: Final = "price_overrides*.csv"
MULTIPLIERS_FILE: Final = "price_multipliers.csv"
TERMS_FILE: Final = "price_terms.csv"


class BookError(ValueError):
    """A row of the price book cannot be read; the message names file, line, column and what was expected."""


@dataclass(frozen=True, slots=True, order=True)
class PriceKey:
    """What a price is the price of.

    Attributes:
        provider: OpenTelemetry's `gen_ai.provider.name`, else the id that genai-prices gives the provider.
        model: Canonical model id, lower case.
        usage_class: One of `vocabulary.USAGE_CLASSES`.
        service_tier: One of `vocabulary.SERVICE_TIERS`.
        context_from_tokens: Holds when the request's total input is strictly greater; 0 holds always.
        region: Empty for any region.
        utc_time_from: Start of a daily window, `HH:MM` in UTC; empty for all day.
        utc_time_to: End of the window, exclusive; earlier than the start when the window spans midnight.
    """

    provider: str
    model: str
    usage_class: str
    service_tier: str = STANDARD_TIER
    context_from_tokens: int = 0
    region: str = ""
    utc_time_from: str = ""
    utc_time_to: str = ""


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One price: valid from when to when, believed from when to when, by which source.

    Attributes:
        price_id: Unique, readable, never changes once written.
        key: What it is the price of.
        valid_from: First moment of a request's start to which it applies.
        valid_to: First moment to which it no longer applies; None while open.
        known_from: Since when the book says so.
        known_to: Since when the book no longer says so; None while believed.
        price_usd_per_mtok: USD per million, for classes counted in tokens; else None.
        price_usd_per_kcount: USD per thousand, for classes counted in things; else None.
        precedence: The greater wins, see `vocabulary.PRECEDENCE`.
        source: Who says so.
        source_version: Version of the source when the row was written.
        source_url: Where the provider publishes the price.
        captured_on: UTC date on which the row was written.
        note: Space-separated codes, explained in `pricing_seeds/README.md`; in overrides, prose.
    """

    price_id: str
    key: PriceKey
    valid_from: datetime
    valid_to: datetime | None
    known_from: datetime
    known_to: datetime | None
    price_usd_per_mtok: Decimal | None
    price_usd_per_kcount: Decimal | None
    precedence: int
    source: str
    source_version: str
    source_url: str
    captured_on: date | None
    note: str

    @property
    def usd_per_unit(self) -> Decimal:
        """USD per single token or thing.

        Raises:
            BookError: When the row has no price or two.
        """
        if self.price_usd_per_mtok is not None and self.price_usd_per_kcount is None:
            return self.price_usd_per_mtok * Decimal("0.000001")
        if self.price_usd_per_kcount is not None and self.price_usd_per_mtok is None:
            return self.price_usd_per_kcount * Decimal("0.001")
        raise BookError(f"price {self.price_id}: needs exactly one of price_usd_per_mtok, price_usd_per_kcount")

    def is_believed_at(self, known_at: datetime | None) -> bool:
        """Whether the book said this at `known_at`; None asks what it says now."""
        if known_at is None:
            return self.known_to is None
        return self.known_from <= known_at and (self.known_to is None or known_at < self.known_to)

    def is_valid_at(self, at: datetime) -> bool:
        """Whether the price applies to a request that starts at `at`, the daily window included."""
        if not (self.valid_from <= at and (self.valid_to is None or at < self.valid_to)):
            return False
        if not self.key.utc_time_from:
            return True
        start, end = parse_time(self.key.utc_time_from), parse_time(self.key.utc_time_to)
        moment = at.astimezone(UTC).time()
        return start <= moment < end if start < end else moment >= start or moment < end


COLUMNS: Final = (
    "price_id",
    *(field.name for field in fields(PriceKey)),
    *(field.name for field in fields(PriceRow) if field.name not in ("price_id", "key")),
)


@dataclass(frozen=True, slots=True)
class AliasRow:
    """One exact name, lower case, under which `provider` or a log calls `model`."""

    provider: str
    alias: str
    model: str
    source: str
    note: str


ALIAS_COLUMNS: Final = tuple(field.name for field in fields(AliasRow))


class PriceBook:
    """Rows indexed for look-up."""

    def __init__(self, rows: Iterable[PriceRow], aliases: Iterable[AliasRow] = ()) -> None:
        self.rows: tuple[PriceRow, ...] = tuple(rows)
        self._by_class: dict[tuple[str, str, str], list[PriceRow]] = defaultdict(list)
        for row in self.rows:
            self._by_class[row.key.provider, row.key.model, row.key.usage_class].append(row)
        self._models = {(row.key.provider, row.key.model) for row in self.rows}
        self.aliases: tuple[AliasRow, ...] = tuple(aliases)
        self._model_of = {(row.provider, row.alias): row.model for row in self.aliases}

    def resolve(self, provider: str, name: str) -> str | None:
        """Return the model that `name` names at `provider`, or None: nothing is matched by likeness."""
        normal = normalise_model_name(name)
        if (provider, normal) in self._models:
            return normal
        return self._model_of.get((provider, normal))

    def price_for(
        self,
        provider: str,
        model: str,
        usage_class: str,
        *,
        at: datetime,
        service_tier: str = STANDARD_TIER,
        total_input_tokens: int = 0,
        region: str = "",
        known_at: datetime | None = None,
    ) -> PriceRow | None:
        """Return the row that prices one unit of `usage_class`, or None when the book does not know.

        A class that is not listed is charged as the next in its chain (`vocabulary.FALLBACK_CLASSES`). Within
        a class: the served tier before the standard one, the region before any region, the greater
        precedence, the daily window before all day, the highest context that the request exceeds.

        Args:
            provider: The provider's name in the book.
            model: Canonical model id.
            usage_class: One of `vocabulary.USAGE_CLASSES`.
            at: When the request started.
            service_tier: The tier that was served.
            total_input_tokens: Input of this one request, cached and written tokens included.
            region: Region or geography that served it.
            known_at: Answer as the book stood then; None for now.
        """
        for candidate_class in (usage_class, *FALLBACK_CLASSES.get(usage_class, ())):
            found = [
                row
                for row in self._by_class.get((provider, model, candidate_class), ())
                if row.key.service_tier in (service_tier, STANDARD_TIER)
                and row.key.region in (region, "")
                and (total_input_tokens > row.key.context_from_tokens or row.key.context_from_tokens == 0)
                and row.is_valid_at(at)
                and row.is_believed_at(known_at)
            ]
            if found:
                return max(
                    found,
                    key=lambda row: (
                        row.key.service_tier == service_tier,
                        row.key.region == region,
                        row.precedence,
                        row.key.utc_time_from != "",
                        row.key.context_from_tokens,
                    ),
                )
        return None


_ARN: Final = re.compile(r"^arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(?:foundation-model|inference-profile)/(.+)$")
_FINE_TUNE: Final = re.compile(r"^(ft:[^:]+):.*$")


def normalise_model_name(name: str) -> str:
    """Return the model's own name out of `name`, by the documented structure of the name alone.

    Lower case and trimmed. An ARN of a Bedrock foundation model or system inference profile becomes the id
    behind the slash; an application inference profile has an opaque id and stays what it is. OpenAI's
    `ft:<base>:<organisation>:<suffix>:<id>` becomes `ft:<base>`.
    """
    name = name.strip().lower()
    if matched := _ARN.match(name):
        return matched.group(1)
    if matched := _FINE_TUNE.match(name):
        return matched.group(1)
    return name


def load_book(seeds: Path, extra_overrides: Sequence[Path] = ()) -> PriceBook:
    """Read the book under `seeds`: generated rows, overrides, aliases; and further files of overrides.

    Raises:
        BookError: When a row cannot be read.
    """
    paths = [seeds / PRICES_FILE, *sorted(seeds.glob(OVERRIDES_GLOB)), *extra_overrides]
    rows = [row for path in paths if path.exists() for row in read_prices(path)]
    aliases = read_aliases(seeds / ALIASES_FILE) if (seeds / ALIASES_FILE).exists() else []
    return PriceBook(rows, aliases)


def read_prices(path: Path) -> list[PriceRow]:
    """Read a file of price rows.

    Raises:
        BookError: When a column is missing or a value cannot be read.
    """
    return [_price_row(path, line, record) for line, record in _records(path, COLUMNS)]


def read_aliases(path: Path) -> list[AliasRow]:
    """Read a file of alias rows.

    Raises:
        BookError: When a column is missing.
    """
    return [AliasRow(**{c: record[c] for c in ALIAS_COLUMNS}) for _, record in _records(path, ALIAS_COLUMNS)]


def write_prices(path: Path, rows: Iterable[PriceRow]) -> None:
    """Write rows in the book's order, atomically."""
    write_csv(path, COLUMNS, (_price_record(row) for row in sorted(rows, key=row_order)))


def write_aliases(path: Path, rows: Iterable[AliasRow]) -> None:
    """Write aliases in order, atomically."""
    ordered = sorted(rows, key=lambda row: (row.provider, row.model, row.alias))
    write_csv(path, ALIAS_COLUMNS, ([getattr(row, column) for column in ALIAS_COLUMNS] for row in ordered))


def write_csv(path: Path, columns: Sequence[str], records: Iterable[Sequence[str]]) -> None:
    """Write a table with a header, whole or not at all."""
    partial = path.with_suffix(".csv.partial")
    with partial.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(records)
    partial.replace(path)


def row_order(row: PriceRow) -> tuple[object, ...]:
    """Sort key of the book: what it prices, then the most believed, then time."""
    key = row.key
    return (
        key.provider,
        key.model,
        key.usage_class,
        key.service_tier,
        key.region,
        key.context_from_tokens,
        key.utc_time_from,
        key.utc_time_to,
        -row.precedence,
        row.valid_from,
        row.known_from,
    )


def format_decimal(value: Decimal) -> str:
    """Return `value` in plain notation without trailing zeros."""
    return format(value.normalize(), "f")


def format_moment(value: datetime | None) -> str:
    """Return `value` as RFC 3339 in UTC, to the second; empty for None."""
    return "" if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> time:
    """Parse `HH:MM`."""
    return time.fromisoformat(text)


def _records(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise BookError(f"{path}: column {', '.join(missing)} is missing; expected {', '.join(columns)}")
        for record in reader:
            yield reader.line_num, {name: value or "" for name, value in record.items() if name}


def _price_record(row: PriceRow) -> list[str]:
    key = row.key
    return [
        row.price_id,
        key.provider,
        key.model,
        key.usage_class,
        key.service_tier,
        str(key.context_from_tokens),
        key.region,
        key.utc_time_from,
        key.utc_time_to,
        format_moment(row.valid_from),
        format_moment(row.valid_to),
        format_moment(row.known_from),
        format_moment(row.known_to),
        "" if row.price_usd_per_mtok is None else format_decimal(row.price_usd_per_mtok),
        "" if row.price_usd_per_kcount is None else format_decimal(row.price_usd_per_kcount),
        str(row.precedence),
        row.source,
        row.source_version,
        row.source_url,
        "" if row.captured_on is None else row.captured_on.isoformat(),
        row.note,
    ]


def _price_row(path: Path, line: int, record: dict[str, str]) -> PriceRow:
    def fail(column: str, expected: str) -> BookError:
        return BookError(f"{path}:{line}: {column} is {record[column]!r}, expected {expected}")

    def moment(column: str) -> datetime | None:
        if not record[column]:
            return None
        try:
            value = datetime.fromisoformat(record[column])
        except ValueError as error:
            raise fail(column, "a moment such as 2026-01-31T00:00:00Z") from error
        if value.tzinfo is None:
            raise fail(column, "a moment with a zone, such as 2026-01-31T00:00:00Z")
        return value.astimezone(UTC)

    def required_moment(column: str) -> datetime:
        value = moment(column)
        if value is None:
            raise fail(column, "a moment such as 2026-01-31T00:00:00Z")
        return value

    def price(column: str) -> Decimal | None:
        if not record[column]:
            return None
        try:
            return Decimal(record[column])
        except InvalidOperation as error:
            raise fail(column, "a decimal number") from error

    def whole(column: str, default: str) -> int:
        text = record[column] or default
        if not text.isdecimal():
            raise fail(column, "a whole number")
        return int(text)

    try:
        captured_on = date.fromisoformat(record["captured_on"]) if record["captured_on"] else None
    except ValueError as error:
        raise fail("captured_on", "a date such as 2026-01-31") from error

    return PriceRow(
        price_id=record["price_id"],
        key=PriceKey(
            provider=record["provider"],
            model=record["model"],
            usage_class=record["usage_class"],
            service_tier=record["service_tier"] or STANDARD_TIER,
            context_from_tokens=whole("context_from_tokens", "0"),
            region=record["region"],
            utc_time_from=record["utc_time_from"],
            utc_time_to=record["utc_time_to"],
        ),
        valid_from=required_moment("valid_from"),
        valid_to=moment("valid_to"),
        known_from=required_moment("known_from"),
        known_to=moment("known_to"),
        price_usd_per_mtok=price("price_usd_per_mtok"),
        price_usd_per_kcount=price("price_usd_per_kcount"),
        precedence=whole("precedence", ""),
        source=record["source"],
        source_version=record["source_version"],
        source_url=record["source_url"],
        captured_on=captured_on,
        note=record["note"],
    )
