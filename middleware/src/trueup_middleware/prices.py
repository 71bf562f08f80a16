"""What a call costs: the warehouse's price book, exported to a file, applied by the same rules to the same line.

Belongs here: reading the file, the price in force, the cost of a line in whole 10⁻¹² USD. Does not belong here: what
counts mean (`usage.reading`), and where prices come from (`trueup prices export`).

The rules are those of `int_model_prices__pivoted` and `int_llm_requests__priced`; a differential test holds the two
together, to the last digit. Nothing is a float and nothing is divided but by powers of ten.
"""

from __future__ import annotations

import gzip
import json
import time
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from trueup_middleware.names import model_lookup_name, priced_tier, provider_name
from trueup_middleware.usage.reading import Line, Usage, read_usage
from trueup_middleware.usage.semantics import (
    APIECE_CLASSES,
    EXTRA_CLASSES,
    FALLBACK_CLASSES,
    PART_CLASSES,
    PRICE_CLASSES,
    PRICED_PER_TOKEN,
    TOKEN_CLASSES,
)

FORMAT: Final = "trueup.prices.v1"

_MICRO: Final = 10**6
_MINUTES_A_DAY: Final = 24 * 60
_MOST_LANES: Final = 10_000
_STANDARD: Final = "standard"
_STILL_COUNTS: Final = (408, 499)


class PriceFileError(ValueError):
    """A file of prices cannot be read; the message names it and says what was expected."""


class Estimate(NamedTuple):
    """What a line costs by the price book.

    Attributes:
        status: `priced`, `unpriced_model`, `unpriced_usage_class`, `usage_unknown`, `response_cache_hit` or
            `refused_by_provider`, as in the warehouse.
        list_cost_pico_usd: At list price, in 10⁻¹² USD; None is unknown, 0 is free.
        cost_pico_usd: At what was agreed, in 10⁻¹² USD.
    """

    status: str
    list_cost_pico_usd: int | None
    cost_pico_usd: int | None

    @property
    def cost_nano_usd(self) -> int | None:
        """What is owed in 10⁻⁹ USD, rounded up: a ledger must not think that less was spent."""
        return None if self.cost_pico_usd is None else -(-self.cost_pico_usd // 1000)

    @property
    def cost_usd(self) -> str | None:
        """What is owed in USD, as a decimal text with twelve digits after the point."""
        if self.cost_pico_usd is None:
            return None
        whole, fraction = divmod(self.cost_pico_usd, 10**12)
        return f"{whole}.{fraction:012d}"


_NOTHING_OWED: Final = {status: Estimate(status, 0, 0) for status in ("response_cache_hit", "refused_by_provider")}
_UNPRICED_MODEL: Final = Estimate("unpriced_model", None, None)

Prices = Mapping[str, int | None]
"""Class to price in 10⁻¹² USD a token or a thing; None where no price is known."""


class _Tariff:
    """Prices prepared for counting.

    Attributes:
        prices: By class.
        request: Of the call itself.
        parts: Part, whole, and what a token of the part costs more than one of the whole.
        dearest_input, dearest_output: Of the classes that such a token may be in; None when none is known.
    """

    __slots__ = ("dearest_input", "dearest_output", "parts", "prices", "request")

    def __init__(self, prices: Prices) -> None:
        self.prices = prices
        self.request = prices["request"] or 0
        self.parts = [
            (part, whole, of_part - of_whole)
            for part, whole in PART_CLASSES.items()
            if (of_part := prices[part]) is not None and (of_whole := prices[whole]) is not None
        ]
        self.dearest_input = max(
            (price for name in _INPUT_CLASSES if (price := prices[name]) is not None), default=None
        )
        self.dearest_output = max(
            (price for name in _OUTPUT_CLASSES if (price := prices[name]) is not None), default=None
        )


class _Cell:
    """The prices that hold for everything that is alike in tier, place, account, context and moment."""

    __slots__ = ("agreed", "apiece_classes", "has_apiece_price", "has_token_price", "is_request_priced", "listed")

    def __init__(self, listed: Prices, agreed: Prices | None) -> None:
        self.listed = _Tariff(listed)
        self.agreed = None if agreed is None else _Tariff(agreed)
        self.has_token_price = listed["input"] is not None or listed["output"] is not None
        self.apiece_classes = [name for name in APIECE_CLASSES if listed[name] is not None]
        self.is_request_priced = listed["request"] is not None
        self.has_apiece_price = self.is_request_priced or bool(self.apiece_classes)


class _Lane(NamedTuple):
    """Calls of one model that differ in length and moment only."""

    model: _Model
    tier: str
    place: str
    account: str


class PriceFile:
    """The price book of one version."""

    def __init__(self, content: Mapping[str, Any], version: str) -> None:
        """Take the content of a file; models are prepared when they are first asked for.

        Raises:
            PriceFileError: The content has another format.
        """
        if content.get("format") != FORMAT:
            raise PriceFileError(f"price file {version}: format is {content.get('format')!r}, expected {FORMAT!r}")
        self.version = version
        self._rows: dict[str, dict[str, list[list[Any]]]] = content["models"]
        self._aliases: dict[str, dict[str, str]] = content["aliases"]
        self._multipliers: list[list[Any]] = content["multipliers"]
        self._terms: list[list[Any]] = content["terms"]
        self._models: dict[tuple[str, str], _Model] = {}
        self._lanes: dict[tuple[Any, ...], _Lane | None] = {}

    @classmethod
    def parse(cls, packed: bytes) -> PriceFile:
        """Read what a file holds that `trueup prices export` wrote.

        Raises:
            PriceFileError: It is no such file, or of another format.
        """
        try:
            content = cast("dict[str, Any]", json.loads(gzip.decompress(packed)))
            return cls(content, str(content.get("version", "unknown")))
        except (OSError, ValueError, KeyError, EOFError, AttributeError, zlib.error) as error:
            if isinstance(error, PriceFileError):
                raise
            raise PriceFileError(f"no price file: {error}") from error

    @classmethod
    def load(cls, path: Path | str) -> PriceFile:
        """Read a file.

        Raises:
            PriceFileError: It is missing, is no price file, or of another format.
        """
        try:
            return cls.parse(Path(path).read_bytes())
        except (OSError, PriceFileError) as error:
            raise PriceFileError(f"{path}: cannot be read as a price file: {error}") from error

    def estimate(self, line: Line) -> Estimate:
        """Return what a line costs; its fields are those of `llm.request`."""
        usage = read_usage(line)
        if line.get("response_cache_hit"):
            return _NOTHING_OWED["response_cache_hit"]
        if usage.output_tokens is None and _is_refused(line):
            return _NOTHING_OWED["refused_by_provider"]
        cell = self._cell(line, usage.input_tokens or 0)
        if cell is None:
            return _UNPRICED_MODEL
        return _estimate(usage, cell)

    def upper_bound_nano_usd(
        self, line: Line, max_input_tokens: int | None, max_output_tokens: int | None
    ) -> int | None:
        """Return the most that a call can cost in 10⁻⁹ USD: every token in the dearest class that it may be in.

        Args:
            line: What is known before the call: `ts`, `provider`, `model`, `service_tier`, ….
            max_input_tokens: None is unknown.
            max_output_tokens: None is unknown.

        Returns:
            None when the model is unpriced or a length is unknown.
        """
        if max_input_tokens is None or max_output_tokens is None:
            return None
        cell = self._cell(line, max_input_tokens)
        if cell is None:
            return None
        tariff = cell.agreed or cell.listed
        if (tariff.dearest_input is None and max_input_tokens) or (tariff.dearest_output is None and max_output_tokens):
            return None
        pico = max_input_tokens * (tariff.dearest_input or 0) + max_output_tokens * (tariff.dearest_output or 0)
        return -(-(pico + tariff.request) // 1000)

    def _cell(self, line: Line, total_input: int) -> _Cell | None:
        said = (
            line.get("provider"),
            line.get("model"),
            line.get("service_tier"),
            line.get("inference_geo") or line.get("region"),
            line.get("provider_account"),
        )
        if said in self._lanes:
            lane = self._lanes[said]
        else:
            if len(self._lanes) >= _MOST_LANES:
                self._lanes.clear()
            lane = self._lanes[said] = self._lane(*said)
        return None if lane is None else lane.model.cell(lane, total_input, _second(line.get("ts")))

    def _lane(self, provider: object, name: object, served: Any, place: object, account: object) -> _Lane | None:
        tier = priced_tier(served)
        model = self._model(provider_name(str(provider or "")), str(name or ""))
        if tier is None or model is None:
            return None
        return model.lane(tier, str(place or "").lower(), str(account or ""))

    def _model(self, provider: str, name: str) -> _Model | None:
        of_provider = self._rows.get(provider)
        if of_provider is None:
            return None
        name = model_lookup_name(name)
        model = name if name in of_provider else self._aliases.get(provider, {}).get(name)
        if model is None or model not in of_provider:
            return None
        known = self._models.get((provider, model))
        if known is None:
            multipliers = [row[1:] for row in self._multipliers if row[0] == provider and row[3] in ("", model)]
            terms = [row[1:] for row in self._terms if row[0] == provider and row[2] in ("", model)]
            known = self._models[provider, model] = _Model(of_provider[model], multipliers, terms)
        return known


_INPUT_CLASSES: Final = tuple(name for name in TOKEN_CLASSES if not name.startswith("output"))
_OUTPUT_CLASSES: Final = (
    "output",
    "output_audio",
    *(part for part, whole in PART_CLASSES.items() if whole == "output"),
)


# -- which price ------------------------------------------------------------------------------------------------


class _Row(NamedTuple):
    usage_class: str
    service_tier: str
    context_from: int
    region: str
    minute_from: int | None
    minute_to: int | None
    valid_from: int
    valid_to: int | None
    pico_usd: int
    precedence: int


class _Factor(NamedTuple):
    dimension: str
    value: str
    model: str
    micro: int
    valid_from: int
    valid_to: int | None


class _Term(NamedTuple):
    account: str
    model: str
    usage_class: str
    service_tier: str
    discount_e4_pct: int | None
    pico_usd: int | None
    valid_from: int
    valid_to: int | None


class _Key(NamedTuple):
    """What is alike for all requests of a cell: names that prices speak of, or '' for the rest, and starts of spans."""

    tier: str
    place: str
    account: str
    context_from: int
    second: int
    minute: int


class _Model:
    """The prices of one model, by everything that they depend on."""

    def __init__(self, rows: list[list[Any]], factors: list[list[Any]], terms: list[list[Any]]) -> None:
        self._rows = [_Row(*row) for row in rows]
        self._factors = [_Factor(*row) for row in factors]
        self._terms = [_Term(*row) for row in terms]
        dated: list[_Row | _Factor | _Term] = [*self._rows, *self._factors, *self._terms]
        ends = {row.valid_to for row in dated if row.valid_to is not None}
        self._moments = sorted({row.valid_from for row in dated} | ends)
        self._contexts = sorted({row.context_from for row in self._rows} | {0})
        windows = [(row.minute_from, row.minute_to) for row in self._rows if row.minute_from is not None]
        self._minutes = sorted({0, *(minute for window in windows for minute in window if minute is not None)})
        places = [factor.value for factor in self._factors if factor.dimension != "speed"]
        self._has_regional = "regional" in places
        self._places = {*places, *(row.region for row in self._rows if row.region)} - {"regional"}
        if self._has_regional:
            self._places |= {"", "global"}
        self._tiers = {row.service_tier for row in self._rows} - {_STANDARD}
        self._tiers |= {factor.value for factor in self._factors if factor.dimension == "speed"}
        self._tiers |= {term.service_tier for term in self._terms if term.service_tier}
        self._accounts = {term.account for term in self._terms if term.account}
        self._cells: dict[tuple[str, str, str, int, int, int], _Cell | None] = {}

    def lane(self, tier: str, place: str, account: str) -> _Lane:
        """Return what is alike in price: names that no price speaks of are one."""
        if place not in self._places:
            place = "regional" if self._has_regional else ""
        return _Lane(self, tier if tier in self._tiers else "", place, account if account in self._accounts else "")

    def cell(self, lane: _Lane, total_input: int, second: int) -> _Cell | None:
        """Return the prices that hold, or None when there are none. Prices change on whole seconds."""
        span = bisect_right(self._moments, second) - 1
        if span < 0:
            return None
        # A context of 200,000 begins with the token after.
        context = self._contexts[max(bisect_left(self._contexts, total_input) - 1, 0)]
        start = self._minutes[bisect_right(self._minutes, second // 60 % _MINUTES_A_DAY) - 1]
        key = (lane.tier, lane.place, lane.account, context, self._moments[span], start)
        if key not in self._cells:
            self._cells[key] = self._make(_Key(*key))
        return self._cells[key]

    def _make(self, key: _Key) -> _Cell | None:
        tier, place, at = key.tier or _STANDARD, key.place, key.second
        fitting = [
            row
            for row in self._rows
            if _holds(row, at)
            and row.service_tier in (tier, _STANDARD)
            and row.region in (place, "")
            and row.context_from <= key.context_from
            and _is_hour_of(row, key.minute)
        ]
        # The last of a class is its best.
        chosen = {row.usage_class: row for row in sorted(fitting, key=lambda row: _rank(row, tier, place))}
        if not chosen:
            return None
        in_force = [factor for factor in self._factors if _holds(factor, at)]
        by_place = [f.micro for f in in_force if f.dimension != "speed" and f.value == place]
        by_speed = [f.micro for f in in_force if f.dimension == "speed" and f.value == tier]
        listed = {
            name: _times(
                row.pico_usd,
                max(by_place, default=_MICRO) if row.region == "" and name in PRICED_PER_TOKEN else _MICRO,
                max(by_speed, default=_MICRO) if row.service_tier != tier and name in PRICED_PER_TOKEN else _MICRO,
            )
            for name, row in chosen.items()
        }
        agreed = self._agreed(listed, key)
        return _Cell(_with_fallbacks(listed, {}), None if agreed is None else _with_fallbacks(listed, agreed))

    def _agreed(self, listed: dict[str, int], key: _Key) -> dict[str, int] | None:
        terms = [
            term
            for term in self._terms
            if _holds(term, key.second) and term.account in (key.account, "") and term.service_tier in (key.tier, "")
        ]
        agreed: dict[str, int] = {}
        has_terms = False
        for name in PRICE_CLASSES:
            fitting = [
                term
                for term in terms
                if term.usage_class in (name, "") and (term.pico_usd is None or name in PRICED_PER_TOKEN)
            ]
            if not fitting:
                continue
            has_terms = True
            # The most specific wins: by account, then model, then class, then tier.
            best = max(fitting, key=_specificity)
            if best.pico_usd is not None:
                agreed[name] = best.pico_usd
            elif name in listed:
                agreed[name] = _rounded(listed[name] * (_MICRO - (best.discount_e4_pct or 0)), _MICRO)
        return agreed if has_terms else None


def _rank(row: _Row, tier: str, place: str) -> tuple[bool, bool, int, bool, int]:
    has_hours = row.minute_from is not None
    return (row.service_tier == tier, row.region == place, row.precedence, has_hours, row.context_from)


def _specificity(term: _Term) -> tuple[bool, bool, bool, bool]:
    return (term.account != "", term.model != "", term.usage_class != "", term.service_tier != "")


def _holds(row: _Row | _Factor | _Term, at: int) -> bool:
    return row.valid_from <= at and (row.valid_to is None or at < row.valid_to)


def _is_hour_of(row: _Row, minute: int) -> bool:
    if row.minute_from is None or row.minute_to is None:
        return True
    if row.minute_from < row.minute_to:
        return row.minute_from <= minute < row.minute_to
    return minute >= row.minute_from or minute < row.minute_to


def _times(pico_usd: int, *micros: int) -> int:
    product, divisor = pico_usd, 1
    for micro in micros:
        if micro != _MICRO:
            product, divisor = product * micro, divisor * _MICRO
    return _rounded(product, divisor)


def _rounded(product: int, divisor: int) -> int:
    """Return a quotient to the nearest whole, halves away from zero, as a cast to twelve digits does."""
    quotient = (2 * abs(product) + divisor) // (2 * divisor)
    return quotient if product >= 0 else -quotient


def _with_fallbacks(listed: Mapping[str, int], agreed: Mapping[str, int]) -> Prices:
    """Return a price for every class: its own, else that of what stands in for it.

    A part of another class has no price where it would be the price of the whole: its tokens are charged there.
    """

    def own(name: str) -> int | None:
        return agreed.get(name, listed.get(name))

    prices: dict[str, int | None] = {}
    for name in PRICE_CLASSES:
        whole = PART_CLASSES.get(name)
        is_past_whole = False
        for candidate in (name, *FALLBACK_CLASSES.get(name, ())):
            if candidate == whole:
                is_past_whole = True
                continue
            if is_past_whole and (
                candidate in FALLBACK_CLASSES.get(str(whole), ()) or listed.get(str(whole)) is not None
            ):
                continue
            if (price := own(candidate)) is not None:
                prices[name] = price
                break
        else:
            prices[name] = None
    return prices


# -- what it comes to -------------------------------------------------------------------------------------------


def _is_refused(line: Line) -> bool:
    """Whether the provider refused the call: nothing is owed for that."""
    status = line.get("http_status")
    if line.get("outcome") == "rate_limited":
        return True
    return isinstance(status, int) and 400 <= status <= 499 and status not in _STILL_COUNTS


def _estimate(usage: Usage, cell: _Cell) -> Estimate:
    has_token_count = usage.input_tokens is not None or usage.output_tokens is not None
    has_apiece_cost = cell.is_request_priced or any(name in usage.things for name in cell.apiece_classes)
    # A call is billed by its tokens or apiece, never by both: an image or a second of speech is tokens too.
    is_apiece = (cell.has_apiece_price and not cell.has_token_price) or (has_apiece_cost and not has_token_count)
    cost = _apiece_cost if is_apiece else _token_cost
    list_cost = None if is_apiece and not has_apiece_cost else cost(usage, cell.listed)
    if list_cost is not None:
        return Estimate("priced", list_cost, list_cost if cell.agreed is None else cost(usage, cell.agreed))
    if is_apiece:
        is_unknown = not has_apiece_cost
    else:
        is_unknown = usage.class_tokens["input"] is None or usage.class_tokens["output"] is None
    return Estimate("usage_unknown" if is_unknown else "unpriced_usage_class", None, None)


def _token_cost(usage: Usage, tariff: _Tariff) -> int | None:
    """Return the cost in 10⁻¹² USD of a call that is billed by its tokens; None when a count or price is unknown."""
    prices, class_tokens = tariff.prices, usage.class_tokens
    total = tariff.request
    for name, tokens in class_tokens.items():
        if tokens:
            price = prices[name]
            if price is None:
                return None
            total += tokens * price
        elif tokens is None:
            return None
    for part, whole, more_pico_usd in tariff.parts:
        count = usage.parts.get(part)
        if count and count > 0:
            total += min(count, class_tokens[whole] or 0) * more_pico_usd
    extra = _extra_cost(usage, tariff)
    return None if extra is None else total + extra


def _apiece_cost(usage: Usage, tariff: _Tariff) -> int | None:
    """Return the cost in 10⁻¹² USD of a call that is billed apiece."""
    total = tariff.request
    for name in APIECE_CLASSES:
        total += _thing_cost(usage.things.get(name), tariff.prices[name]) or 0
    extra = _extra_cost(usage, tariff)
    return None if extra is None else total + extra


def _extra_cost(usage: Usage, tariff: _Tariff) -> int | None:
    """Return what is charged beside, such as searches."""
    total = 0
    if usage.things:
        for name in EXTRA_CLASSES:
            cost = _thing_cost(usage.things.get(name), tariff.prices[name])
            if cost is None:
                return None
            total += cost
    return total


def _thing_cost(millionths: int | None, pico_usd: int | None) -> int | None:
    if not millionths:
        return 0
    return None if pico_usd is None else _rounded(millionths * pico_usd, _MICRO)


def _second(ts: object) -> int:
    """Return the second since 1970 in which a call started; now, when its line does not say."""
    if isinstance(ts, str):
        return int(datetime.fromisoformat(ts).timestamp())
    return ts // 1000 if isinstance(ts, int) else int(time.time())
