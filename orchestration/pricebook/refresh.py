"""Bring the committed book up to what the sources say now, without rewriting anything that was once written.

Belongs here: the difference between listing and book, as closed and appended rows. Does not belong here: how
a source is read, or how the difference is shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from decimal import Decimal

from orchestration.pricebook.book import EVER, BookError, PriceKey, PriceRow
from orchestration.pricebook.timeline import Listing, Span, restate
from orchestration.pricebook.vocabulary import PRECEDENCE, unit_of


@dataclass
class Change:
    """What a refresh did to the rows of one source.

    Attributes:
        added: Rows that were appended.
        closed: Rows that are no longer believed, as they stand now.
        retired: (provider, model) that the source no longer lists; old requests still need their rows.
        remarks: What the source says and the book cannot hold.
    """

    source: str
    added: list[PriceRow] = field(default_factory=list[PriceRow])
    closed: list[PriceRow] = field(default_factory=list[PriceRow])
    retired: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    remarks: list[str] = field(default_factory=list[str])


def apply(rows: Iterable[PriceRow], listing: Listing, now: datetime) -> tuple[list[PriceRow], Change]:
    """Return the rows of the book after `listing`, and the change.

    The first edition of a source is known since ever, so that a warehouse rebuilt as of an earlier moment has
    prices; every later row is known from `now`.

    Args:
        rows: All rows of the generated book, of this and other sources.
        listing: What the source says at `now`.
        now: The moment of the refresh.

    Raises:
        BookError: When a believed row has no price.
    """
    all_rows = list(rows)
    believed: dict[PriceKey, list[PriceRow]] = defaultdict(list)
    for row in all_rows:
        if row.source == listing.source and row.known_to is None:
            believed[row.key].append(row)
    change = Change(listing.source, remarks=list(listing.remarks))
    is_first_edition = not any(row.source == listing.source for row in all_rows)
    known_from = EVER if is_first_edition else now
    models = listing.models
    day = datetime.combine(now.astimezone(UTC).date(), time(0), tzinfo=UTC)
    closed: dict[str, PriceRow] = {}
    for key in sorted(believed.keys() | listing.spans.keys()):
        if (key.provider, key.model) not in models:
            continue
        held = believed.get(key, [])
        target = restate([_span(row) for row in held], listing.spans.get(key, ()), day)
        stays = {(span.start, span.end, span.price) for span in target}
        kept = {(row.valid_from, row.valid_to, _price(row)) for row in held}
        for row in held:
            if (row.valid_from, row.valid_to, _price(row)) not in stays:
                closed[row.price_id] = replace(row, known_to=now)
        change.added += [
            _row(key, span, listing, known_from, now)
            for span in target
            if (span.start, span.end, span.price) not in kept
        ]
    change.closed = list(closed.values())
    held_models = {(key.provider, key.model) for key in believed}
    change.retired = sorted(held_models - models)
    return [closed.get(row.price_id, row) for row in all_rows] + change.added, change


def _span(row: PriceRow) -> Span:
    return Span(row.valid_from, row.valid_to, _price(row), note=row.note)


def _price(row: PriceRow) -> Decimal:
    price = row.price_usd_per_mtok if row.price_usd_per_mtok is not None else row.price_usd_per_kcount
    if price is None:
        raise BookError(f"price {row.price_id}: has no price")
    return price


def _row(key: PriceKey, span: Span, listing: Listing, known_from: datetime, now: datetime) -> PriceRow:
    is_per_token = unit_of(key.usage_class) == "token"
    return PriceRow(
        price_id=price_id(listing.source, key, span.start, known_from),
        key=key,
        valid_from=span.start,
        valid_to=span.end,
        known_from=known_from,
        known_to=None,
        price_usd_per_mtok=span.price if is_per_token else None,
        price_usd_per_kcount=None if is_per_token else span.price,
        precedence=PRECEDENCE[listing.source],
        source=listing.source,
        source_version=listing.version,
        source_url=listing.urls.get(key.provider, ""),
        captured_on=now.astimezone(UTC).date(),
        note=span.note,
    )


def price_id(source: str, key: PriceKey, valid_from: datetime, known_from: datetime) -> str:
    """Return the readable id of a row: source, what it prices, since when, and since when it is known."""
    parts = [source, f"{key.provider}/{key.model}", key.usage_class, key.service_tier]
    if key.context_from_tokens:
        parts.append(f">{key.context_from_tokens}")
    if key.region:
        parts.append(key.region)
    if key.utc_time_from:
        parts.append(f"{key.utc_time_from}-{key.utc_time_to}".replace(":", ""))
    text = ":".join(parts)
    if valid_from != EVER:
        text += f"@{valid_from:%Y-%m-%d}" if valid_from.time() == time(0) else f"@{valid_from:%Y-%m-%dT%H%M%SZ}"
    if known_from != EVER:
        text += f"~{known_from:%Y%m%dT%H%M%SZ}"
    return text
