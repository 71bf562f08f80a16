"""The price book held against LiteLLM's own cost function: random usages, and the prices that make the two differ.

Belongs here: drawing the usages, tracing a difference in cost to prices. Does not belong here: running LiteLLM
(`litellm_function`), reading its price map (`litellm_source`), and who is right (`litellm_verdicts`).

LiteLLM's function knows the present alone, so the book is asked about the day on which it took LiteLLM's map. A
difference in cost is traced to prices by asking again: moving the tokens of one class into `input` changes the cost by
the difference of the two prices and leaves the request in its context tier.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Final

from orchestration.pricebook.book import PriceBook, PriceRow
from orchestration.pricebook.litellm_function import Call
from orchestration.pricebook.litellm_source import SOURCE, Entry, PriceMap
from orchestration.pricebook.pricing import Priced, price_usage
from orchestration.pricebook.vocabulary import STANDARD_TIER

#: The book's providers that are compared → LiteLLM's names of them.
PROVIDERS: Final = {
    "openai": "openai",
    "anthropic": "anthropic",
    "gcp.gemini": "gemini",
    "gcp.vertex_ai": "vertex_ai",
    "aws.bedrock": "bedrock",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure_ai",
    "mistral_ai": "mistral",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "x_ai": "xai",
    "groq": "groq",
}
TIERS: Final = (STANDARD_TIER, "batch", "flex", "priority")
_CLASSES: Final = ("input", "cache_read", "cache_write_5m", "cache_write_30m", "cache_write_1h", "output")
_MTOK: Final = 1_000_000
#: Its prices are floats, and costs are sums of up to ten of them.
_FLOAT_NOISE: Final = Decimal("1e-9")
#: A price per million that was found as the difference of two such sums.
_PRICE_NOISE: Final = Decimal("1e-5")

Ask = Callable[[Sequence[Call], datetime], Sequence[float | None]]


@dataclass(frozen=True)
class Case:
    """One request, as both sides are asked about it."""

    entry: Entry
    model: str
    service_tier: str
    usage: Mapping[str, int]

    def call(self, usage: Mapping[str, int] | None = None) -> Call:
        """The request as LiteLLM is asked about it, or one that differs in its usage."""
        return Call(self.entry.key, PROVIDERS[self.entry.provider], self.service_tier, dict(usage or self.usage))


@dataclass(frozen=True)
class Difference:
    """A price that makes the costs differ.

    Attributes:
        kind: One of `KINDS`.
        case: The first request that met it.
        usage_class: What it is the price of.
        row: The row of the book.
        price: USD per million tokens, by the book.
        other_price: USD per million tokens, as LiteLLM's function charges.
    """

    kind: str
    case: Case
    usage_class: str
    row: PriceRow
    price: Decimal
    other_price: Decimal


@dataclass
class Comparison:
    """What became of the requests.

    Attributes:
        requests_count: Requests that were priced.
        agreeing_count: Requests that cost the same on both sides.
        unknown_to_it_count: Requests whose model only the book prices.
        unknown_to_us: Keys of its map that name no model of the book.
        differing_count: Requests that do not cost the same.
        differences: Prices that make them differ, with the number of requests each.
    """

    requests_count: int
    agreeing_count: int
    unknown_to_it_count: int
    unknown_to_us: list[str]
    differing_count: int
    differences: list[tuple[Difference, int]]


KINDS: Final = {
    "sources_differ": "Both price lists state a price for it, and not the same.",
    "only_ours": "The book has a row for it; LiteLLM's map has none and its function charges something else.",
    "only_theirs": "LiteLLM's map has a price for it; the book charges what stands in for it.",
    "nobodys": "Neither list states a price; each side charges what it takes to stand in for it.",
    "function": "LiteLLM's function charges something else than LiteLLM's own map says.",
}


def moment_of_the_map(book: PriceBook) -> tuple[str, datetime]:
    """Return the newest version of LiteLLM's map that the book holds, and noon UTC of the day it was taken.

    Raises:
        ValueError: When no row of the book is from it.
    """
    taken = [(row.captured_on, row.source_version) for row in book.rows if row.source == SOURCE and row.captured_on]
    if not taken:
        raise ValueError("the price book holds no row from LiteLLM's map")
    captured_on, version = max(taken)
    return version, datetime.combine(captured_on, time(12), UTC)


def compare(book: PriceBook, price_map: PriceMap, ask: Ask, at: datetime, *, count: int, seed: int) -> Comparison:
    """Price `count` random requests on both sides, over every entry of the map that the book resolves."""
    entries = [e for e in price_map.entries if e.provider in PROVIDERS and ("input", STANDARD_TIER, 0) in e.prices]
    known = [(entry, model) for entry in entries if (model := book.resolve(entry.provider, entry.name)) is not None]
    cases = _draw(book, known, at, count, random.Random(seed))  # noqa: S311 - cases, not secrets
    differing: list[tuple[Case, Decimal]] = []
    comparison = Comparison(count, 0, 0, sorted({e.key for e in entries} - {e.key for e, _ in known}), 0, [])
    for case, answer in zip(cases, ask([case.call() for case in cases], at), strict=True):
        ours = _priced(book, case, at).cost_usd
        if answer is None:
            comparison.unknown_to_it_count += 1
        elif ours is not None and abs(ours - _decimal(answer)) <= _FLOAT_NOISE * max(ours, _FLOAT_NOISE):
            comparison.agreeing_count += 1
        else:
            differing.append((case, _decimal(answer)))
    comparison.differing_count = len(differing)
    comparison.differences = _traced(book, differing, ask, at)
    return comparison


def _priced(book: PriceBook, case: Case, at: datetime) -> Priced:
    key = case.entry
    return price_usage(
        book, key.provider, case.model, case.usage, at=at, service_tier=case.service_tier, region=key.region
    )


def _draw(
    book: PriceBook, known: Sequence[tuple[Entry, str]], at: datetime, count: int, rng: random.Random
) -> list[Case]:
    by_provider: dict[str, list[tuple[Entry, str]]] = defaultdict(list)
    for entry, model in known:
        by_provider[entry.provider].append((entry, model))
    stated = {(row.key.provider, row.key.model, row.key.usage_class) for row in book.rows if row.is_valid_at(at)}
    thresholds: dict[tuple[str, str], set[int]] = defaultdict(set)
    for row in book.rows:
        if row.key.context_from_tokens:
            thresholds[row.key.provider, row.key.model].add(row.key.context_from_tokens)
    cases: list[Case] = []
    for _ in range(count):
        entry, model = rng.choice(by_provider[rng.choice(sorted(by_provider))])
        on_its_map = {usage_class for usage_class, _, _ in entry.prices}
        usage = {
            name: _tokens(rng)
            for name in _CLASSES
            # What neither list prices, nobody uses.
            if name in on_its_map or (entry.provider, model, name) in stated
            if name in ("input", "output") or rng.random() < 0.5
        }
        edges = sorted(thresholds[entry.provider, model])
        if edges and rng.random() < 0.5:
            rest = sum(tokens for name, tokens in usage.items() if name not in ("input", "output"))
            usage["input"] = max(0, rng.choice(edges) + rng.choice((-1, 0, 1)) - rest)
        cases.append(Case(entry, model, rng.choice((STANDARD_TIER, *TIERS)), usage))
    return cases


def _tokens(rng: random.Random) -> int:
    return 0 if rng.random() < 0.05 else int(10 ** rng.uniform(0, 5.6))


def _traced(
    book: PriceBook, differing: Sequence[tuple[Case, Decimal]], ask: Ask, at: datetime
) -> list[tuple[Difference, int]]:
    """Return the prices that make requests cost something else, each with the number of these requests."""
    calls: list[Call] = []
    for case, _ in differing:
        calls.append(case.call({**case.usage, "output": case.usage.get("output", 0) + _MTOK}))
        for name in _cached(case):
            moved = case.usage["input"] + case.usage[name]
            calls.append(case.call({**case.usage, "input": moved, name: 0}))
    answers = iter(ask(calls, at))
    found: dict[tuple[str, ...], Difference] = {}
    requests: Counter[tuple[str, ...]] = Counter()
    for case, cost in differing:
        for difference in _differences(book, case, _prices(case, cost, answers), at):
            case_of = difference.case
            key = (
                difference.kind,
                case_of.entry.key,
                case_of.service_tier,
                difference.usage_class,
                str(difference.price),
                str(difference.other_price),
            )
            found.setdefault(key, difference)
            requests[key] += 1
    return [(difference, requests[key]) for key, difference in found.items()]


def _cached(case: Case) -> list[str]:
    return [name for name, tokens in case.usage.items() if tokens and name not in ("input", "output")]


def _prices(case: Case, cost: Decimal, answers: Iterable[float | None]) -> dict[str, Decimal]:
    """Return USD per million tokens that LiteLLM charges for each class of the request.

    Args:
        case: The request.
        cost: What it costs.
        answers: What it costs with a million tokens more of output, then with each class moved into `input`.
    """
    given = iter(answers)

    def next_cost() -> Decimal:
        answer = next(given)
        if answer is None:
            raise ValueError(f"{case.entry.key}: priced once and not again")
        return _decimal(answer)

    prices = {"output": next_cost() - cost}
    rest = cost - prices["output"] * case.usage.get("output", 0) / _MTOK
    above_input = {name: cost - next_cost() for name in _cached(case)}
    total = sum(tokens for name, tokens in case.usage.items() if name != "output")
    if total:
        prices["input"] = (rest - sum(above_input.values())) * _MTOK / total
        for name, difference in above_input.items():
            prices[name] = prices["input"] + difference * _MTOK / case.usage[name]
    return {name: round(price, 6) for name, price in prices.items()}


def _differences(book: PriceBook, case: Case, prices: Mapping[str, Decimal], at: datetime) -> Iterable[Difference]:
    total = sum(tokens for name, tokens in case.usage.items() if name != "output")
    for line in _priced(book, case, at).lines:
        row = line.row
        if row is None or line.quantity == 0:
            continue
        ours, theirs = row.usd_per_unit * _MTOK, prices[line.usage_class]
        if not _differ(ours, theirs):
            continue
        said = _said(case.entry, line.usage_class, case.service_tier, total)
        is_ours = (row.key.usage_class, row.key.service_tier) == (line.usage_class, case.service_tier)
        # At xAI the book writes the threshold as one token less.
        is_theirs = said is not None and said[0] >= row.key.context_from_tokens - 1
        if said is not None and _differ(said[1], theirs):
            kind = "function"
        elif is_ours:
            kind = "sources_differ" if is_theirs else "only_ours"
        else:
            kind = "only_theirs" if is_theirs else "nobodys"
        yield Difference(kind, case, line.usage_class, row, ours, theirs)


def _said(entry: Entry, usage_class: str, service_tier: str, total: int) -> tuple[int, Decimal] | None:
    """What the map states for exactly this, in the highest context tier that the request is above, and that tier."""
    found = [
        (above, price)
        for (name, tier, above), price in entry.prices.items()
        if (name, tier) == (usage_class, service_tier) and total > above
    ]
    return max(found) if found else None


def _differ(price: Decimal, other: Decimal) -> bool:
    return abs(price - other) > _PRICE_NOISE * max(price, Decimal(1))


def _decimal(usd: float) -> Decimal:
    return Decimal(repr(usd))
