"""Prices of one key over time: spans, and how a source's present word changes what the book says.

Belongs here: arithmetic on half-open spans. Does not belong here: any source or file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from orchestration.pricebook.book import EVER, PriceKey

#: Note on a price that starts on the day on which a refresh first saw it: its source does not date it.
FIRST_SEEN: Final = "first_seen"


@dataclass(frozen=True, slots=True)
class Span:
    """One price from `start` to `end`, half-open.

    Attributes:
        start: First moment; `EVER` when the source knows no earlier price.
        end: First moment after; None while open.
        price: USD per million tokens or per thousand things, as the unit of the class says.
        is_dated: Whether the source itself dates the start.
        note: Space-separated codes.
    """

    start: datetime
    end: datetime | None
    price: Decimal
    is_dated: bool = False
    note: str = ""

    def covers(self, moment: datetime) -> bool:
        """Whether the span holds `moment`."""
        return self.start <= moment and (self.end is None or moment < self.end)


@dataclass
class Listing:
    """All that one source says at one time.

    Attributes:
        source: Name of the source, a key of `vocabulary.PRECEDENCE`.
        version: Version of the source.
        spans: Per key its spans in order, without gaps filled.
        urls: Per provider the page on which it publishes its prices.
        borrowed: (provider, model) that a provider serves and the source prices as at another provider.
        withdrawn: (provider, model) that the source still lists and is no longer believed on.
        remarks: What the source says and the book cannot hold, one sentence each.
    """

    source: str
    version: str
    spans: dict[PriceKey, tuple[Span, ...]] = field(default_factory=dict[PriceKey, tuple[Span, ...]])
    urls: dict[str, str] = field(default_factory=dict[str, str])
    borrowed: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    withdrawn: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    remarks: list[str] = field(default_factory=list[str])

    @property
    def models(self) -> set[tuple[str, str]]:
        """Every (provider, model) that the source lists, believed or withdrawn."""
        return {(key.provider, key.model) for key in self.spans} | self.withdrawn

    def withdraw(self, models: set[tuple[str, str]]) -> None:
        """Drop the prices of `models`; what the book holds of them ends with the refresh."""
        self.withdrawn |= models
        self.spans = {key: spans for key, spans in self.spans.items() if (key.provider, key.model) not in models}


def join_adjacent(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Join spans that touch and have the same price and note; a joined span starts as its first part does."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        if joined and (last := joined[-1]).end == span.start and (last.price, last.note) == (span.price, span.note):
            joined[-1] = replace(last, end=span.end)
        else:
            joined.append(span)
    return tuple(joined)


def price_at(spans: Sequence[Span], moment: datetime) -> Span | None:
    """Return the span that holds `moment`."""
    return next((span for span in spans if span.covers(moment)), None)


def restate(book: Sequence[Span], source: Sequence[Span], now: datetime) -> tuple[Span, ...]:
    """Return what the book says of one key once `source` has spoken at `now`.

    From `now` on, and wherever the source dates its own price, the source is right. The rest of the past
    stays as the book has it: a source that replaces its only, undated price by another has told us a change,
    not when it was, and a past that was priced once must not be repriced by that. Where the book says
    nothing, the source does.
    """
    edges = {EVER, now}
    for span in (*book, *source):
        edges.add(span.start)
        if span.end is not None:
            edges.add(span.end)
    starts = sorted(edges)
    pieces: list[Span] = []
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        said, held = price_at(source, start), price_at(book, start)
        is_sources_word = start >= now or (said is not None and said.is_dated)
        chosen = said if is_sources_word else held or said
        if chosen is None:
            continue
        if held is not None and held.price == chosen.price:
            note = held.note
        elif held is not None and start == now and not chosen.is_dated:
            note = " ".join([*chosen.note.split(), FIRST_SEEN])
        else:
            note = chosen.note
        pieces.append(replace(chosen, start=start, end=end, note=note))
    return join_adjacent(pieces)
