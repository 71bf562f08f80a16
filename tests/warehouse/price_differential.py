"""Random usages, priced by genai-prices' own `calc_price`, to hold against whatever prices by our book.

A pricer takes cases and returns a cost in USD, or None, for each: the pure reference here, the warehouse's
SQL in bulk elsewhere. A difference is explained only when it vanishes once the book rows that
`known_differences.csv` names are left out of the book: a listed reason can never cover another mistake.
"""

from __future__ import annotations

import csv
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import genai_prices
from genai_prices import types
from genai_prices.data import providers

from orchestration.pricebook import genai_source
from orchestration.pricebook.book import AliasRow, PriceBook, PriceRow
from orchestration.pricebook.pricing import price_usage

PROVIDER_IDS = (
    "openai",
    "anthropic",
    "google",
    "aws",
    "azure",
    "mistral",
    "cohere",
    "deepseek",
    "x-ai",
    "groq",
)
TIERS = ("standard", "batch", "flex", "priority", "fast")
KNOWN_DIFFERENCES = Path(__file__).with_name("known_differences.csv")
KNOWN_SQL_DIFFERENCES = Path(__file__).with_name("known_sql_differences.csv")

Pricer = Callable[[Sequence["Case"]], Sequence[Decimal | None]]


@dataclass(frozen=True)
class Case:
    """One request: what our side is told, and what genai-prices says it costs."""

    case_id: int
    provider: str
    model_name: str
    service_tier: str
    started_at: datetime
    usage: dict[str, int]
    genai_model: tuple[str, str]
    genai_cost_usd: Decimal


@dataclass(frozen=True)
class KnownDifference:
    """Book rows that make us differ from genai-prices on purpose; `*` matches anything."""

    id: str
    provider: str
    model: str
    usage_class: str
    service_tier: str
    source: str
    note: str
    reason: str

    def is_of(self, provider: str, model: str) -> bool:
        """Whether the difference is about this model."""
        return fnmatchcase(provider, self.provider) and fnmatchcase(model, self.model)

    def covers(self, row: PriceRow) -> bool:
        """Whether the row is one of those that the difference is about."""
        return (
            self.is_of(row.key.provider, row.key.model)
            and fnmatchcase(row.key.usage_class, self.usage_class)
            and fnmatchcase(row.key.service_tier, self.service_tier)
            and fnmatchcase(row.source, self.source)
            and (self.note == "*" or self.note in row.note.split())
        )


def read_known_differences(path: Path = KNOWN_DIFFERENCES) -> list[KnownDifference]:
    with path.open(encoding="utf-8", newline="") as handle:
        return [KnownDifference(**row) for row in csv.DictReader(handle)]


@dataclass(frozen=True)
class KnownSqlDifference:
    """Usages that the warehouse prices unlike the reference on purpose."""

    provider: str
    model: str
    usage_class: str
    reason: str

    def covers(self, case: Case, book: PriceBook) -> bool:
        """Whether the case is one of them."""
        model = book.resolve(case.provider, case.model_name) or ""
        is_of = fnmatchcase(case.provider, self.provider) and fnmatchcase(model, self.model)
        return is_of and case.usage.get(self.usage_class, 0) > 0


def read_known_sql_differences(path: Path = KNOWN_SQL_DIFFERENCES) -> list[KnownSqlDifference]:
    with path.open(encoding="utf-8", newline="") as handle:
        return [KnownSqlDifference(**row) for row in csv.DictReader(handle)]


def reference_pricer(book: PriceBook) -> Pricer:
    def price(cases: Sequence[Case]) -> list[Decimal | None]:
        return [_reference(book, case) for case in cases]

    return price


def _reference(book: PriceBook, case: Case) -> Decimal | None:
    model = book.resolve(case.provider, case.model_name)
    if model is None:
        return None
    return price_usage(
        book, case.provider, model, case.usage, at=case.started_at, service_tier=case.service_tier
    ).cost_usd


@dataclass
class Outcome:
    """What became of the cases."""

    agreeing: int
    explained: Counter[str]
    unexplained: list[tuple[Case, Decimal | None]]


def compare(cases: Sequence[Case], pricer: Pricer, book: PriceBook, known: Sequence[KnownDifference]) -> Outcome:
    """Hold `pricer` against genai-prices; `book` is the book that the pricer prices by."""
    without = _Without(book, known)
    outcome = Outcome(0, Counter(), [])
    for case, cost in zip(cases, pricer(cases), strict=True):
        if cost == case.genai_cost_usd:
            outcome.agreeing += 1
        elif reasons := without.explain(case, cost):
            outcome.explained.update(reasons)
        else:
            outcome.unexplained.append((case, cost))
    return outcome


class _Without:
    """The book without the rows of the known differences."""

    def __init__(self, book: PriceBook, known: Sequence[KnownDifference]) -> None:
        self.full = book
        self.reasons: dict[str, list[str]] = defaultdict(list)
        for row in book.rows:
            for difference in known:
                if difference.note not in ("rounded", "minimum", "name", "elsewhere") and difference.covers(row):
                    self.reasons[row.price_id].append(difference.id)
        self.book = PriceBook((row for row in book.rows if row.price_id not in self.reasons), book.aliases)
        self.rounded = [difference for difference in known if difference.note == "rounded"]
        self.minimum = [difference for difference in known if difference.note == "minimum"]
        self.named = [difference for difference in known if difference.note == "name"]
        self.elsewhere = [difference for difference in known if difference.note == "elsewhere"]
        self.models = {(row.key.provider, row.key.model) for row in self.book.rows}

    def explain(self, case: Case, cost: Decimal | None) -> list[str]:
        if cost is None or cost != _reference(self.full, case):
            return []
        usage = dict(case.usage)
        model = self.full.resolve(case.provider, case.model_name) or ""
        reasons: list[str] = []
        for difference in self.minimum:
            if difference.is_of(case.provider, model) and 0 < usage.get("second", 0) < 10:
                usage["second"] = 10
                reasons.append(difference.id)
        full = price_usage(
            self.full, case.provider, model, case.usage, at=case.started_at, service_tier=case.service_tier
        )
        taken_for, tier = (case.provider, model), case.service_tier
        for difference in self.named:
            if difference.is_of(*taken_for) and model != case.genai_model[1]:
                taken_for = case.genai_model
                reasons.append(difference.id)
        for difference in self.elsewhere:
            if difference.is_of(*taken_for) and taken_for not in self.models:
                taken_for, tier = case.genai_model, "standard"
                reasons.append(difference.id)
        plain = price_usage(self.book, *taken_for, usage, at=case.started_at, service_tier=tier)
        rows = [line.row for line in full.lines if line.row is not None]
        reasons += [reason for row in rows for reason in self.reasons.get(row.price_id, ())]
        slack = Decimal(0)
        for line in plain.lines:
            rounding = [d.id for d in self.rounded if line.row is not None and d.covers(line.row)]
            if rounding:
                reasons += rounding
                slack += line.quantity * Decimal("1e-12")
        is_explained = plain.cost_usd is not None and abs(plain.cost_usd - case.genai_cost_usd) <= slack
        return sorted(set(reasons)) if is_explained else []


def random_cases(aliases: Iterable[AliasRow], count: int, seed: int) -> list[Case]:
    """Return `count` random requests over all models of the compared providers."""
    rng = random.Random(seed)
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in aliases:
        names[row.provider, row.model].append(row.alias)
    offers = [offer for provider_id in PROVIDER_IDS for offer in _offers(provider_id)]
    by_provider: dict[str, list[_Offer]] = defaultdict(list)
    for offer in offers:
        by_provider[offer.provider.id].append(offer)
    cases: list[Case] = []
    while len(cases) < count:
        offer = rng.choice(by_provider[rng.choice(PROVIDER_IDS)])
        case = _random_case(len(cases), offer, names.get((offer.book_provider, offer.model.id.lower()), []), rng)
        if case is not None:
            cases.append(case)
    return cases


@dataclass(frozen=True)
class _Offer:
    provider: types.Provider
    model: types.ModelInfo
    book_provider: str
    moments: tuple[datetime, ...]
    clock: tuple[time, ...]


def _offers(provider_id: str) -> list[_Offer]:
    provider = next(p for p in providers if p.id == provider_id)
    models = [*provider.models, *(model for _, model in genai_source.borrowed_models(provider))]
    offers: list[_Offer] = []
    for model in models:
        conditions = [
            condition.constraint
            for condition in (
                *(model.prices if isinstance(model.prices, list) else ()),
                *(model.price_variants or ()),
            )
        ]
        moments = tuple(
            datetime.combine(c.start_date, time(0), tzinfo=UTC)
            for c in conditions
            if isinstance(c, types.StartDateConstraint)
        )
        clock = tuple(
            edge for c in conditions if isinstance(c, types.TimeOfDateConstraint) for edge in (c.start_time, c.end_time)
        )
        offers += [
            _Offer(provider, model, name, moments, clock) for name in genai_source.book_providers(provider, model.id)
        ]
    return offers


def _random_case(case_id: int, offer: _Offer, aliases: list[str], rng: random.Random) -> Case | None:
    tier = rng.choice(TIERS) if rng.random() < 0.5 else "standard"
    context = _context(offer.provider.id, tier)
    started_at = _moment(offer, rng)
    prices = vars(offer.model.get_prices(started_at, context))
    usage = _usage({key: price for key, price in prices.items() if price is not None}, offer, rng)
    if usage is None:
        return None
    name = rng.choice([offer.model.id.lower(), *aliases])
    arguments = {"genai_request_timestamp": started_at, "price_context": context}
    if _is_known(offer.provider.id, name):
        price = genai_prices.calc_price(_genai_usage(usage), name, provider_id=offer.provider.id, **arguments)
    else:  # a name that only our book knows: ask for the model that it names
        price = offer.model.calc_price(_genai_usage(usage), offer.provider, **arguments)
    genai_model = (_owner(offer, price.model), price.model.id.lower())
    return Case(case_id, offer.book_provider, name, tier, started_at, usage, genai_model, price.total_price)


def _owner(offer: _Offer, model: types.ModelInfo) -> str:
    """The book's name of the provider whose list the price is from; Azure charges some at OpenAI's."""
    if any(model is own for own in offer.provider.models):
        return offer.book_provider
    owner = next(p for p in providers if any(model is own for own in p.models))
    return genai_source.book_providers(owner)[0]


@cache
def _is_known(provider_id: str, name: str) -> bool:
    provider = next(p for p in providers if p.id == provider_id)
    return provider.find_model(name, all_providers=providers) is not None


def _context(provider_id: str, tier: str) -> dict[str, str] | None:
    if tier == "batch":
        return {"processing": "batch"}
    if tier == "standard":
        return {"service_tier": "default"} if provider_id == "openai" else None
    if provider_id == "anthropic":
        return {"speed": "fast"} if tier == "fast" else {"service_tier": tier}
    return {"service_tier": tier}


def _moment(offer: _Offer, rng: random.Random) -> datetime:
    if offer.moments and rng.random() < 0.5:
        moment = rng.choice(offer.moments) + timedelta(seconds=rng.choice((-1, 0, 1)))
    else:
        moment = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(4 * 366 * 86400))
    if offer.clock and rng.random() < 0.5:
        edge = datetime.combine(moment.date(), rng.choice(offer.clock)).replace(tzinfo=UTC)
        moment = edge + timedelta(seconds=rng.choice((-1, 0, 1)))
    return moment


def _usage(prices: dict[str, object], offer: _Offer, rng: random.Random) -> dict[str, int] | None:
    """Draw disjoint classes that genai-prices charges for: an unpriced unit it takes for free."""
    usage: dict[str, int] = {}
    is_free = not prices
    if is_free and not genai_source.is_free_of_charge(offer.book_provider, offer.model.id):
        return None  # genai-prices takes an entry without a price for free; to us it is unknown
    if "input_mtok" in prices or is_free:
        usage["input"] = _count(rng)
        optional = ["cache_read"]
        if not is_free:
            writes = genai_source.default_write_classes(offer.book_provider, offer.model.id.lower())
            optional += [writes[0]] if writes == ("cache_write_30m",) else [rng.choice(writes), "cache_write_1h"]
            for price_key, classes in (
                ("input_audio_mtok", ("input_audio", "cache_read_audio")),
                ("input_image_mtok", ("input_image", "cache_read_image")),
                ("input_video_mtok", ("input_video",)),
            ):
                if price_key in prices or rng.random() < 0.1:
                    optional += classes
        for name in optional:
            if rng.random() < 0.5:
                usage[name] = _count(rng)
        _meet_threshold(usage, prices, rng)
    if "output_mtok" in prices or is_free:
        usage["output"] = _count(rng)
        for name in ("reasoning", "output_audio", "output_image", "output_video"):
            if not is_free and rng.random() < 0.2:
                usage[name] = _count(rng)
    for price_key, name in (
        ("web_searches_kcount", "web_search"),
        ("storage_searches_kcount", "file_search"),
        ("audio_hours", "second"),
        ("input_mchars", "character"),
        ("input_document_kpages", "page"),
        ("input_annotated_document_kpages", "annotated_page"),
    ):
        if price_key in prices and rng.random() < 0.7:
            usage[name] = rng.randrange(0, 40)
    return usage or None


def _count(rng: random.Random) -> int:
    return 0 if rng.random() < 0.05 else int(10 ** rng.uniform(0, 5.6))


def _meet_threshold(usage: dict[str, int], prices: dict[str, object], rng: random.Random) -> None:
    """Put the total input on, or one token beside, a context threshold."""
    starts = {tier.start for price in prices.values() if isinstance(price, types.TieredPrices) for tier in price.tiers}
    if starts and rng.random() < 0.5:
        total = rng.choice(sorted(starts)) + rng.choice((-1, 0, 1))
        others = sum(count for name, count in usage.items() if name != "input")
        if others > total:
            for name in usage:
                usage[name] = 0
            others = 0
        usage["input"] = total - others


def _genai_usage(usage: dict[str, int]) -> genai_prices.Usage:
    def total(*names: str) -> int:
        return sum(usage.get(name, 0) for name in names)

    written = total("cache_write_5m", "cache_write_30m", "cache_write_1h")
    counts = {
        "input_tokens": total(
            "input",
            "cache_read",
            "input_audio",
            "cache_read_audio",
            "input_image",
            "cache_read_image",
            "input_video",
        )
        + written,
        "cache_read_tokens": total("cache_read", "cache_read_audio", "cache_read_image"),
        "cache_write_tokens": written,
        "cache_write_1h_tokens": total("cache_write_1h"),
        "input_audio_tokens": total("input_audio", "cache_read_audio"),
        "cache_audio_read_tokens": total("cache_read_audio"),
        "input_image_tokens": total("input_image", "cache_read_image"),
        "cache_image_read_tokens": total("cache_read_image"),
        "input_video_tokens": total("input_video"),
        "output_tokens": total("output", "reasoning", "output_audio", "output_image", "output_video"),
        "output_reasoning_tokens": total("reasoning"),
        "output_audio_tokens": total("output_audio"),
        "output_image_tokens": total("output_image"),
        "output_video_tokens": total("output_video"),
        "web_searches": total("web_search"),
        "storage_searches": total("file_search"),
        "audio_seconds": total("second"),
        "input_audio_seconds": total("second"),
        "input_characters": total("character"),
        "input_document_pages": total("page", "annotated_page"),
        "input_annotated_document_pages": total("annotated_page"),
    }
    joins = ("cache_audio_read_tokens", "cache_image_read_tokens")  # must be stated, also when none
    return genai_prices.Usage(**{name: count for name, count in counts.items() if count or name in joins})
