"""Which of LiteLLM's undated prices the book takes.

Those that genai-prices is silent about, and only where the two agree on what they both state.

Belongs here: that choice, the disagreements it meets, the names and the multipliers that the map adds. Does
not belong here: reading the map.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from orchestration.pricebook import litellm_source, names
from orchestration.pricebook.book import EVER, AliasRow, PriceKey
from orchestration.pricebook.litellm_source import Cell, Entry, PriceMap
from orchestration.pricebook.timeline import Listing, Span, price_at
from orchestration.pricebook.validate import MAX_USD_PER_MTOK, MIN_USD_PER_MTOK
from orchestration.pricebook.vocabulary import FALLBACK_CLASSES, STANDARD_TIER, unit_of

#: What two sources must agree on before one completes the other.
_COMPARED: Final = ("input", "output")
MAP_URL: Final = "https://github.com/BerriAI/litellm"
#: Unit conversions through other currencies leave the map a few parts in a million off; that is not a
#: disagreement.
_TOLERANCE: Final = Decimal("0.001")


@dataclass(frozen=True)
class Disagreement:
    """Two sources that state different prices of the same thing at the same moment."""

    provider: str
    model: str
    name: str
    usage_class: str
    price: Decimal
    other_price: Decimal


@dataclass(frozen=True)
class Multiplier:
    """A factor on every token price of a model when a dimension of the request has a value."""

    provider: str
    dimension: str
    value: str
    model: str
    multiplier: Decimal
    source_url: str


@dataclass
class Fallback:
    """What LiteLLM's map adds to the book.

    Attributes:
        listing: Its prices that the book takes.
        aliases: Names that it adds.
        multipliers: Factors that it states.
        disagreements: Where it states another price than genai-prices.
        displaced: Borrowed models of genai-prices for which it states the host's own price.
        stated: (provider, model) that it lists under their own names.
    """

    listing: Listing
    aliases: list[AliasRow] = field(default_factory=list[AliasRow])
    multipliers: list[Multiplier] = field(default_factory=list[Multiplier])
    disagreements: list[Disagreement] = field(default_factory=list[Disagreement])
    displaced: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    stated: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])


@dataclass(frozen=True)
class _Resolved:
    """An entry of the map and the model that it prices."""

    entry: Entry
    model: str
    is_guess: bool
    disagreements: list[Disagreement]

    @property
    def offer(self) -> tuple[str, str]:
        return self.entry.provider, self.model

    @property
    def is_own_name(self) -> bool:
        return self.entry.name == self.model


def choose(price_map: PriceMap, dated: Listing, now: datetime) -> Fallback:
    """Return what `price_map` adds to `dated`.

    A name that genai-prices does not know becomes a model of its own. A name that it knows by a pattern alone
    is the same model when the prices agree, else a model of its own: a snapshot may have its own price. A
    known model gets the classes and tiers that genai-prices lacks, from the day on which its present standard
    price began, provided that both sources state the same price for input and output. Where genai-prices
    prices a host's model as at another provider and the map states another price at the host, the map is right.
    """
    return _Chooser(dated, now, Fallback(Listing(litellm_source.SOURCE, price_map.version))).run(price_map)


class _Chooser:
    """One run of `choose`."""

    def __init__(self, dated: Listing, now: datetime, fallback: Fallback) -> None:
        self.dated = dated
        self.now = now
        self.fallback = fallback
        self.known = dated.models
        self.present = _present(dated, now)
        self.stated = {(key.provider, key.model, key.usage_class, key.service_tier) for key in dated.spans}
        self.tiers = {(key.provider, key.model, key.service_tier) for key in dated.spans}
        self.chosen: dict[PriceKey, tuple[Span, bool]] = {}

    def run(self, price_map: PriceMap) -> Fallback:
        resolved = [_resolve(entry, self.known, self.present) for entry in price_map.entries]
        for found in resolved:
            self.fallback.disagreements += found.disagreements
            if found.is_own_name and not found.entry.region:
                self.fallback.stated.add(found.offer)
                if found.disagreements and found.offer in self.dated.borrowed:
                    self.fallback.displaced.add(found.offer)
        apart = _apart(resolved)
        for found in resolved:
            if found.is_guess and (found.disagreements or found.entry.key in apart):
                found = _Resolved(found.entry, found.entry.name, False, [])  # noqa: PLW2901
            self._take_name(found)
            self._take_multipliers(found)
            self._take_prices(found)
        listing = self.fallback.listing
        listing.spans = {key: (span,) for key, (span, _) in self.chosen.items()}
        listing.urls = {key.provider: MAP_URL for key in listing.spans}
        return self.fallback

    def _take_name(self, found: _Resolved) -> None:
        entry = found.entry
        if not found.is_own_name and not entry.region:
            self.fallback.aliases.append(AliasRow(entry.provider, entry.name, found.model, litellm_source.SOURCE, ""))

    def _take_multipliers(self, found: _Resolved) -> None:
        for (dimension, value), factor in found.entry.multipliers.items():
            if not (dimension == "speed" and (*found.offer, "fast") in self.tiers):
                self.fallback.multipliers.append(
                    Multiplier(found.entry.provider, dimension, value, found.model, factor, found.entry.url)
                )

    def _take_prices(self, found: _Resolved) -> None:
        is_displaced = found.offer in self.fallback.displaced
        is_complete = found.offer in self.known and not is_displaced
        if found.disagreements and not (is_displaced and found.is_own_name):
            return
        start = _start_of_standard(self.dated, *found.offer, self.now) if is_complete else EVER
        for cell, price in found.entry.prices.items():
            usage_class, tier, context = cell
            if unit_of(usage_class) == "token" and not MIN_USD_PER_MTOK <= price <= MAX_USD_PER_MTOK:
                self._remark(found, f"{usage_class} at ${price} per million is no price of a token; left out")
            elif not is_complete or found.entry.region or self._adds(found, cell, price):
                key = PriceKey(*found.offer, usage_class, tier, _threshold(found.entry, context), found.entry.region)
                self._take(key, Span(start, None, price, note="undated"), found)

    def _adds(self, found: _Resolved, cell: Cell, price: Decimal) -> bool:
        """Whether the price completes a model that genai-prices has."""
        usage_class, tier, context = cell
        if tier != STANDARD_TIER:
            return (*found.offer, tier) not in self.tiers
        if (*found.offer, usage_class, tier) in self.stated:
            return False
        return not _says_nothing_new(price, usage_class, context, self.present[found.offer])

    def _take(self, key: PriceKey, span: Span, found: _Resolved) -> None:
        """Keep the price; the entry under the model's own name comes before its aliases."""
        held, held_by_own_name = self.chosen.get(key, (None, False))
        if held is None or (found.is_own_name and not held_by_own_name):
            self.chosen[key] = (span, found.is_own_name)
        elif held.price != span.price and found.is_own_name == held_by_own_name:
            self._remark(found, f"{key.usage_class} {key.service_tier} is both {held.price} and {span.price}")

    def _remark(self, found: _Resolved, text: str) -> None:
        self.fallback.listing.remarks.append(f"{found.entry.key}: {text}")


def _resolve(
    entry: Entry, known: set[tuple[str, str]], present: dict[tuple[str, str], dict[Cell, Decimal]]
) -> _Resolved:
    if (entry.provider, entry.name) in known:
        compared = [] if entry.region else _compare(entry, entry.name, present)
        return _Resolved(entry, entry.name, False, compared)
    resolution = names.resolve(entry.provider, entry.name)
    if resolution is None or (entry.provider, resolution.model) not in known:
        return _Resolved(entry, entry.name, False, [])
    compared = [] if entry.region else _compare(entry, resolution.model, present)
    return _Resolved(entry, resolution.model, resolution.certainty == "matched", compared)


def _apart(resolved: list[_Resolved]) -> set[str]:
    """Return the keys of the guesses that the map itself prices differently from what they were taken for.

    A snapshot may differ from its family in one class alone, for example in audio.
    """
    own: dict[tuple[str, str, str], Entry] = {}
    guesses: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for found in resolved:
        group = (*found.offer, found.entry.region)
        if found.is_guess and not found.disagreements:
            guesses[group].append(found.entry)
        elif found.is_own_name:
            own[group] = found.entry
    return {
        entry.key
        for group, entries in guesses.items()
        for entry in entries
        if any(_conflicts(entry, other) for other in ([own[group]] if group in own else entries))
    }


def _conflicts(entry: Entry, other: Entry) -> bool:
    shared = entry.prices.keys() & other.prices.keys()
    return any(abs(entry.prices[cell] - other.prices[cell]) > other.prices[cell] * _TOLERANCE for cell in shared)


def _says_nothing_new(price: Decimal, usage_class: str, context: int, present: dict[Cell, Decimal]) -> bool:
    """Whether the class is charged at this price anyway, as the class that stands in for it."""
    for stand_in in FALLBACK_CLASSES.get(usage_class, ()):
        charged = present.get((stand_in, STANDARD_TIER, context))
        if charged is not None:
            return abs(price - charged) <= charged * _TOLERANCE
    return False


def _compare(entry: Entry, model: str, present: dict[tuple[str, str], dict[Cell, Decimal]]) -> list[Disagreement]:
    ours = present.get((entry.provider, model), {})
    found: list[Disagreement] = []
    for usage_class in _COMPARED:
        cell = (usage_class, STANDARD_TIER, 0)
        price, other = ours.get(cell), entry.prices.get(cell)
        if price is not None and other is not None and abs(price - other) > price * _TOLERANCE:
            found.append(Disagreement(entry.provider, model, entry.key, usage_class, price, other))
    return found


def _present(dated: Listing, now: datetime) -> dict[tuple[str, str], dict[Cell, Decimal]]:
    present: dict[tuple[str, str], dict[Cell, Decimal]] = defaultdict(dict)
    for key, spans in dated.spans.items():
        span = price_at(spans, now)
        if span is not None and not key.utc_time_from:
            present[key.provider, key.model][key.usage_class, key.service_tier, key.context_from_tokens] = span.price
    return present


def _start_of_standard(dated: Listing, provider: str, model: str, now: datetime) -> datetime:
    for usage_class in ("input", "output"):
        span = price_at(dated.spans.get(PriceKey(provider, model, usage_class), ()), now)
        if span is not None:
            return span.start
    return EVER


def _threshold(entry: Entry, context: int) -> int:
    """Return the threshold to exceed: at xAI the long-context price begins at the threshold itself."""
    return context - 1 if context and entry.provider == "x_ai" else context
