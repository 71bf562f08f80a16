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
    """What LiteLLM's map adds to the book."""

    listing: Listing
    aliases: list[AliasRow] = field(default_factory=list[AliasRow])
    multipliers: list[Multiplier] = field(default_factory=list[Multiplier])
    disagreements: list[Disagreement] = field(default_factory=list[Disagreement])


def choose(price_map: PriceMap, dated: Listing, now: datetime) -> Fallback:
    """Return what `price_map` adds to `dated`.

    A name that genai-prices does not know becomes a model of its own. A name that it knows by a pattern alone
    is the same model when the prices agree, else a model of its own: a snapshot may have its own price. A
    known model gets the classes and tiers that genai-prices lacks, from the day on which its present standard
    price began, provided that both sources state the same price for input and output.
    """
    fallback = Fallback(Listing(litellm_source.SOURCE, price_map.version))
    present = _present(dated, now)
    stated = {(key.provider, key.model, key.usage_class, key.service_tier) for key in dated.spans}
    tiers = {(key.provider, key.model, key.service_tier) for key in dated.spans}
    chosen: dict[PriceKey, tuple[Span, bool]] = {}
    known = dated.models
    resolved = [(entry, *_model_of(entry, known, present)) for entry in price_map.entries]
    apart = _apart(resolved)
    for entry, model, is_guess, disagreements in resolved:
        fallback.disagreements += disagreements
        if is_guess and (disagreements or entry.key in apart):
            model = entry.name  # noqa: PLW2901
            disagreements = []  # noqa: PLW2901
        if model != entry.name and not entry.region:
            fallback.aliases.append(AliasRow(entry.provider, entry.name, model, litellm_source.SOURCE, ""))
        fallback.multipliers += [
            Multiplier(entry.provider, dimension, value, model, factor, entry.url)
            for (dimension, value), factor in entry.multipliers.items()
            if not (dimension == "speed" and (entry.provider, model, "fast") in tiers)
        ]
        is_known = (entry.provider, model) in known
        if is_known and disagreements:
            continue
        start = _start_of_standard(dated, entry.provider, model, now)
        for (usage_class, tier, context), price in entry.prices.items():
            if unit_of(usage_class) == "token" and not MIN_USD_PER_MTOK <= price <= MAX_USD_PER_MTOK:
                fallback.listing.remarks.append(
                    f"{entry.key}: {usage_class} at ${price} per million is no price of a token; left out"
                )
                continue
            if is_known and not entry.region:
                lacks_tier = tier != STANDARD_TIER and (entry.provider, model, tier) not in tiers
                lacks_class = (
                    tier == STANDARD_TIER and (entry.provider, model, usage_class, tier) not in stated
                )
                if not lacks_tier and not lacks_class:
                    continue
                if lacks_class and _says_nothing_new(
                    price, usage_class, context, present[entry.provider, model]
                ):
                    continue
            key = PriceKey(entry.provider, model, usage_class, tier, _threshold(entry, context), entry.region)
            is_own_name = entry.name == model
            held = chosen.get(key)
            if held is None or (is_own_name and not held[1]):
                chosen[key] = (Span(start, None, price, note="undated"), is_own_name)
            elif held[0].price != price and is_own_name == held[1]:
                fallback.listing.remarks.append(
                    f"{entry.provider}/{model}: {usage_class} {tier} is both {held[0].price} and {price}"
                )
        fallback.listing.urls.setdefault(entry.provider, "https://github.com/BerriAI/litellm")
    fallback.listing.spans = {key: (span,) for key, (span, _) in chosen.items()}
    return fallback


def _model_of(
    entry: Entry, known: set[tuple[str, str]], present: dict[tuple[str, str], dict[Cell, Decimal]]
) -> tuple[str, bool, list[Disagreement]]:
    """Return the model that the entry prices, whether that is a guess, and where the sources disagree."""
    if (entry.provider, entry.name) in known:
        return entry.name, False, [] if entry.region else _compare(entry, entry.name, present)
    resolution = names.resolve(entry.provider, entry.name)
    if resolution is None or (entry.provider, resolution.model) not in known:
        return entry.name, False, []
    disagreements = [] if entry.region else _compare(entry, resolution.model, present)
    return resolution.model, resolution.certainty == "matched", disagreements


def _apart(resolved: list[tuple[Entry, str, bool, list[Disagreement]]]) -> set[str]:
    """Return the keys of the guesses that the map itself prices differently from what they were taken for.

    A snapshot may differ from its family in one class alone, for example in audio.
    """
    own: dict[tuple[str, str, str], Entry] = {}
    guesses: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry, model, is_guess, disagreements in resolved:
        group = (entry.provider, entry.region, model)
        if is_guess and not disagreements:
            guesses[group].append(entry)
        elif entry.name == model:
            own[group] = entry
    apart: set[str] = set()
    for group, entries in guesses.items():
        against = [own[group]] if group in own else entries
        for entry in entries:
            if any(_conflicts(entry, other) for other in against):
                apart.add(entry.key)
    return apart


def _conflicts(entry: Entry, other: Entry) -> bool:
    shared = entry.prices.keys() & other.prices.keys()
    return any(
        abs(entry.prices[cell] - other.prices[cell]) > other.prices[cell] * _TOLERANCE for cell in shared
    )


def _says_nothing_new(price: Decimal, usage_class: str, context: int, present: dict[Cell, Decimal]) -> bool:
    """Whether the class is charged at this price anyway, as the class that stands in for it."""
    for stand_in in FALLBACK_CLASSES.get(usage_class, ()):
        charged = present.get((stand_in, STANDARD_TIER, context))
        if charged is not None:
            return abs(price - charged) <= charged * _TOLERANCE
    return False


def _compare(
    entry: Entry, model: str, present: dict[tuple[str, str], dict[Cell, Decimal]]
) -> list[Disagreement]:
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
            present[key.provider, key.model][key.usage_class, key.service_tier, key.context_from_tokens] = (
                span.price
            )
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
