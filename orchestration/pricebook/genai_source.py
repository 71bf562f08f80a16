"""What the `genai-prices` package (MIT) says, as spans per key.

Belongs here: the package's structure (conditions, tiers, variants, fallback providers, match clauses) and its
names. Does not belong here: what becomes of it in the book.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from importlib.metadata import version
from typing import Final

from genai_prices import types
from genai_prices.data import providers

from orchestration.pricebook.book import EVER, PriceKey
from orchestration.pricebook.timeline import Listing, Span, join_adjacent
from orchestration.pricebook.vocabulary import KCOUNT_DECIMALS, MTOK_DECIMALS, STANDARD_TIER, unit_of

SOURCE: Final = "genai-prices"

#: The package's provider → the book's. Google's one list serves the Gemini API and Vertex AI, Azure's serves
#: both of OpenTelemetry's Azure names. Every other id stands for itself.
PROVIDERS: Final[dict[str, tuple[str, ...]]] = {
    "aws": ("aws.bedrock",),
    "azure": ("azure.ai.openai", "azure.ai.inference"),
    "google": ("gcp.gemini", "gcp.vertex_ai"),
    "mistral": ("mistral_ai",),
    "moonshotai": ("moonshot_ai",),
    "x-ai": ("x_ai",),
}

#: Price key → usage class and the factor that turns its price into USD per million tokens or per thousand
#: things.
PRICE_KEYS: Final[dict[str, tuple[str, Decimal]]] = {
    "input_mtok": ("input", Decimal(1)),
    "output_mtok": ("output", Decimal(1)),
    "cache_read_mtok": ("cache_read", Decimal(1)),
    "cache_write_mtok": ("cache_write", Decimal(1)),  # retention unstated, see `default_write_classes`
    "cache_write_1h_mtok": ("cache_write_1h", Decimal(1)),
    "cache_write_5m_mtok": ("cache_write_5m", Decimal(1)),
    "input_audio_mtok": ("input_audio", Decimal(1)),
    "output_audio_mtok": ("output_audio", Decimal(1)),
    "cache_audio_read_mtok": ("cache_read_audio", Decimal(1)),
    "input_image_mtok": ("input_image", Decimal(1)),
    "output_image_mtok": ("output_image", Decimal(1)),
    "cache_image_read_mtok": ("cache_read_image", Decimal(1)),
    "input_video_mtok": ("input_video", Decimal(1)),
    "output_video_mtok": ("output_video", Decimal(1)),
    "output_reasoning_mtok": ("reasoning", Decimal(1)),
    "output_citation_mtok": ("citation", Decimal(1)),
    "requests_kcount": ("request", Decimal(1)),
    "input_text_messages_kcount": ("message", Decimal(1)),
    "web_searches_kcount": ("web_search", Decimal(1)),
    "social_searches_kcount": ("social_search", Decimal(1)),
    "storage_searches_kcount": ("file_search", Decimal(1)),
    "rerank_searches_kcount": ("rerank_search", Decimal(1)),
    "code_executions_kcount": ("code_execution", Decimal(1)),
    "input_document_kpages": ("page", Decimal(1)),
    "input_annotated_document_kpages": ("annotated_page", Decimal(1)),
    "audio_hours": ("second", Decimal(1000) / Decimal(3600)),
    "input_mchars": ("character", Decimal("0.001")),
    "input_gpixels": ("pixel", Decimal("0.000001")),
}

#: The same seconds under another name: every model that has it has `audio_hours` at the same price.
SAME_AS_OTHER_KEY: Final = {"input_audio_hours": "audio_hours"}

#: `when` of a price variant → service tier. A variant of another kind is not a tier and is remarked upon.
TIERS: Final[dict[tuple[str, str], str]] = {
    ("processing", "batch"): "batch",
    ("service_tier", "flex"): "flex",
    ("service_tier", "priority"): "priority",
    ("service_tier", "fast"): "fast",
    ("speed", "fast"): "fast",
}

#: Bedrock vendors whose cache writes are kept for thirty minutes (their model cards say so).
THIRTY_MINUTE_VENDORS: Final = ("openai.", "moonshotai.", "zai.")

Prices = Mapping[str, Decimal | types.TieredPrices]


def read() -> Listing:
    """Return all prices of the installed package."""
    listing = Listing(SOURCE, version("genai-prices"))
    for provider in providers:
        for name in book_providers(provider):
            listing.urls[name] = (provider.pricing_urls or [""])[0]
        for model in provider.models:
            for name in book_providers(provider, model.id):
                _add_model(listing, name, model, with_variants=True)
        for other_provider, model in borrowed_models(provider):
            for name in book_providers(provider, model.id):
                _add_model(listing, name, model, with_variants=False, note=f"as_at_{other_provider.id}")
                listing.borrowed.add((name, model.id.lower()))
    return listing


def book_providers(provider: types.Provider, model_id: str | None = None) -> tuple[str, ...]:
    """Return the book's names of `provider`, as far as it serves `model_id` under them."""
    names = PROVIDERS.get(provider.id, (provider.id,))
    if provider.id == "google" and model_id is not None and model_id.startswith("claude"):
        return ("gcp.vertex_ai",)
    if provider.id == "google" and model_id is not None and model_id.startswith("gemma"):
        return ("gcp.gemini",)
    return names


def borrowed_models(provider: types.Provider) -> Iterator[tuple[types.Provider, types.ModelInfo]]:
    """Yield the models that `provider` serves and does not list, with the provider whose price it charges."""
    for other_id in provider.fallback_model_providers or ():
        for other in providers:
            if other.id == other_id:
                for model in other.models:
                    if provider.find_model(model.id, all_providers=providers) is model:
                        yield other, model


def default_write_classes(provider: str, model: str) -> tuple[str, ...]:
    """Return the classes of a cache write without a stated retention: the provider's default.

    OpenAI keeps a cache for thirty minutes; on Bedrock a log does not say whose default it was, so that the
    price of the vendors with thirty minutes stands under both.
    """
    if provider == "openai" or (provider.startswith("azure.ai") and model.startswith("gpt")):
        return ("cache_write_30m",)
    if provider == "aws.bedrock" and any(vendor in model for vendor in THIRTY_MINUTE_VENDORS):
        return ("cache_write_30m", "cache_write_5m")
    return ("cache_write_5m",)


def is_free_of_charge(provider: str, model_id: str) -> bool:
    """Whether an entry without any price means free of charge, as its name or the provider's list says."""
    return (
        model_id.endswith(":free") or (provider, model_id) == ("openai", "moderation") or model_id.startswith("gemma")
    )


def _add_model(listing: Listing, provider: str, model: types.ModelInfo, *, with_variants: bool, note: str = "") -> None:
    standard = _spans(model, None, is_free=is_free_of_charge(provider, model.id))
    variants: dict[str, dict[Cell, list[Span]]] = {}
    if with_variants:
        for when in {tuple(variant.when.items()) for variant in model.price_variants or ()}:
            tier = TIERS.get(when[0]) if len(when) == 1 else None
            if tier is not None:
                variants[tier] = _extended_back(_spans(model, dict(when)), standard)
            elif when != (("service_tier", "default"),):
                listing.remarks.append(f"{provider}/{model.id}: a price for {dict(when)} has no place in the book")
    for tier, by_cell in ((STANDARD_TIER, standard), *sorted(variants.items())):
        for (price_key, context, window), spans in by_cell.items():
            usage_class, factor = PRICE_KEYS[price_key]
            classes = default_write_classes(provider, model.id) if usage_class == "cache_write" else (usage_class,)
            for one_class in classes:
                key = PriceKey(provider, model.id.lower(), one_class, tier, context, "", *window)
                listing.spans[key] = join_adjacent(_scaled(span, one_class, factor, note) for span in spans)


Cell = tuple[str, int, tuple[str, str]]  # price key, context_from_tokens, daily window


def _spans(model: types.ModelInfo, when: Mapping[str, str] | None, *, is_free: bool = False) -> dict[Cell, list[Span]]:
    """Evaluate every span of dates and every part of the day between the model's own boundaries."""
    constraints = list(_constraints(model))
    dates = sorted({c.start_date for c in constraints if isinstance(c, types.StartDateConstraint)})
    clock = sorted(
        {
            _utc(moment)
            for c in constraints
            if isinstance(c, types.TimeOfDateConstraint)
            for moment in (c.start_time, c.end_time)
        }
        | {time(0)}
    )
    cells: dict[Cell, list[Span]] = defaultdict(list)
    for index, start in enumerate([None, *dates]):
        day = start or (dates[0] - timedelta(days=1) if dates else date(2020, 1, 1))
        span = Span(
            start=_midnight(start) if start else EVER,
            end=_midnight(dates[index]) if index < len(dates) else None,
            price=Decimal(0),
            is_dated=start is not None,
        )
        parts = [
            (begin, end, _prices(model, datetime.combine(day, begin, tzinfo=UTC), when))
            for begin, end in zip(clock, [*clock[1:], time(0)], strict=True)
        ]
        for price_key in {key for _, _, prices in parts for key in prices}:
            for window, price in _by_window([(b, e, prices.get(price_key)) for b, e, prices in parts]):
                for context, amount in _by_context(price):
                    cells[price_key, context, window].append(replace(span, price=amount))
        if is_free and not any(prices for _, _, prices in parts):
            for price_key in ("input_mtok", "output_mtok"):
                cells[price_key, 0, ("", "")].append(replace(span, note="free"))
    return {cell: list(join_adjacent(spans)) for cell, spans in cells.items()}


def _prices(model: types.ModelInfo, at: datetime, when: Mapping[str, str] | None) -> Prices:
    """Return the standard prices at `at`, or those alone that the variants for `when` override."""
    standard = _stated(model.get_prices(at))
    if when is None:
        return standard
    overrides: dict[str, Decimal | types.TieredPrices] = {}
    for variant in model.price_variants or ():
        if variant.when == when and (variant.constraint is None or variant.constraint.active(at)):
            stated = _stated(variant.prices)
            for key, price in (stated or standard).items():  # an empty variant says: listed, as standard
                overrides.setdefault(key, price)
    return overrides


def _stated(prices: types.ModelPrice) -> dict[str, Decimal | types.TieredPrices]:
    stated = {key: price for key, price in vars(prices).items() if price is not None}
    for key, same in SAME_AS_OTHER_KEY.items():
        if key in stated and stated.pop(key) != stated.get(same):
            raise ValueError(f"genai-prices: {key} and {same} differ in {prices!r}")
    return stated


def _by_window(
    parts: list[tuple[time, time, Decimal | types.TieredPrices | None]],
) -> Iterator[tuple[tuple[str, str], Decimal | types.TieredPrices]]:
    """Give the usual price the whole day, and every other part of the day a window of its own."""
    hours: dict[str, timedelta] = defaultdict(timedelta)
    by_text = {repr(price): price for _, _, price in parts}
    for begin, end, price in parts:
        hours[repr(price)] += (_offset(end) or timedelta(days=1)) - _offset(begin)
    usual = max(hours, key=lambda text: hours[text])
    if (price := by_text[usual]) is not None:
        yield ("", ""), price
    others = [(begin, end, price) for begin, end, price in parts if repr(price) != usual]
    for begin, end, price in _join_around_midnight(others):
        if price is None:
            raise ValueError("genai-prices: a price that holds only part of the day needs a price for the rest")
        yield (f"{begin:%H:%M}", f"{end:%H:%M}"), price


def _join_around_midnight(
    parts: list[tuple[time, time, Decimal | types.TieredPrices | None]],
) -> list[tuple[time, time, Decimal | types.TieredPrices | None]]:
    joined: list[tuple[time, time, Decimal | types.TieredPrices | None]] = []
    for begin, end, price in parts:
        if joined and joined[-1][1] == begin and joined[-1][2] == price:
            joined[-1] = (joined[-1][0], end, price)
        else:
            joined.append((begin, end, price))
    if len(joined) > 1 and joined[0][0] == joined[-1][1] == time(0) and joined[0][2] == joined[-1][2]:
        first = joined.pop(0)
        joined[-1] = (joined[-1][0], first[1], first[2])
    return joined


def _by_context(price: Decimal | types.TieredPrices) -> Iterator[tuple[int, Decimal]]:
    if isinstance(price, Decimal):
        yield 0, price
        return
    yield 0, price.base
    for tier in price.tiers:
        yield tier.start, tier.price


def _extended_back(tier: dict[Cell, list[Span]], standard: dict[Cell, list[Span]]) -> dict[Cell, list[Span]]:
    """Let a tier price hold as far back as the standard price beside it.

    The package dates a variant from its verification ("tier history before this verification is not
    modelled"), which would bill every earlier batch request at twice its price. The tier did not begin that
    day; the standard price that it is a fraction of is what dates it.
    """
    extended = {cell: list(spans) for cell, spans in tier.items()}
    first = min((spans[0].start for spans in tier.values()), default=EVER)
    inputs = standard.get(("input_mtok", 0, ("", ""))) or next(iter(standard.values()), list[Span]())
    accompanied = next((span for span in inputs if span.covers(first)), None)
    if first == EVER or accompanied is None or accompanied.start == first:
        return extended
    for spans in extended.values():
        if spans[0].start == first:
            spans.insert(0, replace(spans[0], start=accompanied.start, end=first, note="tier_extended"))
            spans[0] = replace(spans[0], is_dated=accompanied.is_dated)
    return extended


def _scaled(span: Span, usage_class: str, factor: Decimal, note: str) -> Span:
    """Bring the price to the unit of its class, and to the twelve digits that the warehouse keeps."""
    exact = span.price * factor
    places = MTOK_DECIMALS if unit_of(usage_class) == "token" else KCOUNT_DECIMALS
    price = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    codes = [*span.note.split(), *note.split(), *(["rounded"] if price != exact else [])]
    return replace(span, price=price, note=" ".join(codes))


def _constraints(model: types.ModelInfo) -> Iterator[types.StartDateConstraint | types.TimeOfDateConstraint]:
    conditions: Iterable[types.ConditionalPrice] = model.prices if isinstance(model.prices, list) else ()
    for condition in (*conditions, *(model.price_variants or ())):
        if condition.constraint is not None:
            yield condition.constraint


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), tzinfo=UTC)


def _utc(moment: time) -> time:
    if moment.tzinfo is None:
        return moment
    return datetime.combine(date(1970, 1, 2), moment).astimezone(UTC).time()


def _offset(moment: time) -> timedelta:
    return timedelta(hours=moment.hour, minutes=moment.minute)
