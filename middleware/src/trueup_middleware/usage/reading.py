"""From a line to disjoint classes of usage, as the warehouse makes them of the same line.

Belongs here: reading counts by `semantics.json`, and taking totals apart. Does not belong here: prices. The
warehouse's own reading is `staging/llm_request_log` and `int_llm_requests__usage_normalised`; a differential test holds
the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache, partial
from typing import Any, Final, cast

from trueup_middleware.names import provider_name
from trueup_middleware.usage.semantics import USAGE_APIS

Line = Mapping[str, Any]
"""The fields of an `llm.request` line."""

#: A call cannot take this many tokens: a count beyond it is unknown.
_MOST_TOKENS: Final = 10**12
_INT64: Final = range(-(2**63), 2**63)
_MICRO: Final = Decimal("0.000001")
_MOST_QUANTITY: Final = Decimal(10**12)
_WITHOUT_OUTPUT: Final = ("embeddings", "moderation")
_WRITES_FOR_HALF_AN_HOUR: Final = ("openai", "azure.ai.openai")


@dataclass(slots=True)
class Usage:
    """What was used; None is unknown, 0 is none.

    Attributes:
        input_tokens: All input, cached and written tokens included.
        output_tokens: All output, reasoning included.
        reasoning_tokens: Part of the output.
        class_tokens: Tokens by class, each token in one.
        parts: Tokens of classes that are a part of another.
        things: What is charged apiece, in 10⁻⁶ of a thing; what is unknown is not there.
    """

    input_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    class_tokens: dict[str, int | None]
    parts: Mapping[str, int | None]
    things: Mapping[str, int]


def read_usage(line: Line) -> Usage:
    """Return what a line says was used."""
    usage, usage_api = line.get("usage"), line.get("usage_api")
    shape = _shape(str(usage_api)) if usage is not None and usage_api is not None else None
    if shape is None:
        tokens, others, things, is_inclusive = _flat_tokens(line), _NO_OTHERS, _flat_things(line), True
    else:
        of_usage = cast("dict[str, Any]", usage) if isinstance(usage, dict) else {}
        tokens, others, is_inclusive = shape.tokens(of_usage), shape.others(of_usage), shape.input_includes_cache
        apiece = {name: count for name, count in others.items() if name not in _THINGS} if others else others
        things = _times_a_million(apiece) | _flat_things(line) | shape.things(of_usage)
    counted_input, output, reasoning = tokens.get("input"), tokens.get("output"), tokens.get("reasoning")
    if output is None and counted_input is not None:
        operation = line.get("operation_name") or ("embeddings" if usage_api == "openai.embeddings" else "chat")
        output = 0 if operation in _WITHOUT_OUTPUT else None
    read = tokens.get("cache_read", 0)
    written_5m, written_1h = tokens.get("cache_write_5m", 0), tokens.get("cache_write_1h", 0)
    written_30m, written_12h = tokens.get("cache_write_30m", 0), tokens.get("cache_write_12h", 0)
    split = written_5m + written_1h + written_30m + written_12h
    # The sum and its breakdown by retention name the same tokens: the larger is the whole, never both.
    written = max(tokens.get("cache_write", 0), split)
    if written > split:
        if provider_name(str(line.get("provider", ""))) in _WRITES_FOR_HALF_AN_HOUR:
            written_30m += written - split
        else:
            written_5m += written - split
    # A cached second of speech is a cached token first: what its source counts as audio holds it too.
    audio = max(tokens.get("input_audio", 0) - (others.get("cache_read_audio") or 0), 0)
    image = max(tokens.get("input_image", 0) - (others.get("cache_read_image") or 0), 0)
    spoken = tokens.get("output_audio", 0)
    classes: dict[str, int | None]
    if counted_input is None:
        total = None
        classes = dict.fromkeys(_INPUT_CLASSES)
    else:
        # More cache than input can only mean that the input excludes it, whatever the source's convention says.
        is_inclusive = is_inclusive and read + written <= counted_input
        total = counted_input if is_inclusive else counted_input + read + written
        uncached = total - read - written
        classes = {
            "input": max(uncached - audio - image, 0),
            "cache_read": read,
            "cache_write_5m": written_5m,
            "cache_write_1h": written_1h,
            "cache_write_30m": written_30m,
            "cache_write_12h": written_12h,
            "input_audio": min(audio, uncached),
            "input_image": min(image, max(uncached - audio, 0)),
        }
    classes["output"] = None if output is None else max(output - spoken, 0)
    classes["output_audio"] = None if output is None else min(spoken, output)
    return Usage(total, output, reasoning, classes, {**others, "reasoning": reasoning}, things)


_INPUT_CLASSES: Final = (
    *("input", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_30m", "cache_write_12h"),
    *("input_audio", "input_image"),
)


_TOKEN_FIELDS: Final = {
    "input": "input_tokens",
    "output": "output_tokens",
    "reasoning": "reasoning_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "cache_write_30m": None,
    "cache_write_12h": None,
    "input_audio": "input_audio_tokens",
    "input_image": "input_image_tokens",
    "output_audio": "output_audio_tokens",
}
"""Name in `semantics.json` to the line's own field."""

_NO_OTHERS: Final[Mapping[str, int | None]] = {}


class _Shape:
    """How the usage object of one API is read: the paths of `semantics.json`, taken apart once."""

    def __init__(self, paths: Mapping[str, Any]) -> None:
        self.input_includes_cache: bool = paths["input_includes_cache"]
        self._tokens = [(name, _value_at(paths[name])) for name in _TOKEN_FIELDS if name in paths]
        others = paths.get("others")
        self._is_all_others = isinstance(others, str)  # the object is one of the classes themselves
        self._others = [] if others is None or self._is_all_others else [(n, _value_at(p)) for n, p in others.items()]
        fields = {name: paths[field] for name, (field, _) in _THINGS.items() if field in paths}
        self._whole_things = [(name, _value_at(fields[name])) for name in _WHOLE_THINGS if name in fields]
        self._things = [(name, _value_at(path)) for name, path in fields.items() if name not in _WHOLE_THINGS]

    def tokens(self, usage: dict[str, Any]) -> dict[str, int]:
        """Return the counts of tokens; an impossible one is unknown, and not there."""
        found: dict[str, int] = {}
        for name, value_at in self._tokens:
            value = value_at(usage)
            if value is not None and (count := _tokens(value)) is not None:
                found[name] = count
        return found

    def others(self, usage: dict[str, Any]) -> Mapping[str, int | None]:
        """Return the counts of classes that have no field of their own."""
        if self._is_all_others:
            return {name: _whole(value) for name, value in usage.items()}
        return {name: _whole(value_at(usage)) for name, value_at in self._others} if self._others else _NO_OTHERS

    def things(self, usage: dict[str, Any]) -> dict[str, int]:
        """Return what is charged apiece, in 10⁻⁶ of a thing."""
        found = _times_a_million({name: _whole(value_at(usage)) for name, value_at in self._whole_things})
        for name, value_at in self._things:
            if (millionths := _millionths(value_at(usage))) is not None:
                found[name] = millionths
        return found


@cache
def _shape(usage_api: str) -> _Shape | None:
    paths = USAGE_APIS.get(usage_api)
    return None if paths is None else _Shape(paths)


_Value = Callable[[dict[str, Any]], Any]


def _value_at(path: Any) -> _Value:
    """Return what finds a value: at `$.a.b`, the sum of several, or the count of one modality in a list."""
    if isinstance(path, str):
        return _Path(path)
    if isinstance(path, dict):
        where = cast("dict[str, str]", path)
        return partial(_of_modality, _Path(where["list"]), where["modality"])
    return partial(_sum, [_Path(each) for each in cast("list[str]", path)])


class _Path:
    __slots__ = ("_first", "_more")

    def __init__(self, path: str) -> None:
        self._first, *self._more = path.removeprefix("$.").split(".")

    def __call__(self, usage: dict[str, Any]) -> Any:
        found = usage.get(self._first)
        for name in self._more:
            if not isinstance(found, dict):
                return None
            found = cast("dict[str, Any]", found).get(name)
        return found


def _sum(paths: list[_Path], usage: dict[str, Any]) -> int | None:
    counts = [count for path in paths if (count := _whole(path(usage))) is not None]
    return sum(counts) if counts else None


def _of_modality(path: _Path, modality: str, usage: dict[str, Any]) -> Any:
    items = path(usage)
    if isinstance(items, list):
        for item in cast("list[Any]", items):
            if isinstance(item, dict):
                counted = cast("dict[str, Any]", item)
                if counted.get("modality") == modality:
                    return counted.get("tokenCount")
    return None


def _flat_tokens(line: Line) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, field in _TOKEN_FIELDS.items():
        value = None if field is None else line.get(field)
        if value is not None and (count := _tokens(value)) is not None:
            found[name] = count
    return found


def _flat_things(line: Line) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, (_, flat) in _THINGS.items():
        value = line.get(flat)
        if value is not None and (millionths := _millionths(value)) is not None:
            found[name] = millionths
    return found


#: Class to the name of its count in `semantics.json` and the field of the line.
_THINGS: Final = {
    "web_search": ("web_search", "web_search_requests"),
    "rerank_search": ("rerank_units", "rerank_units"),
    "image": ("image", "images"),
    "second": ("second", "audio_seconds"),
    "character": ("character", "characters"),
}


_WHOLE_THINGS: Final = ("web_search", "rerank_search")


def _tokens(value: Any) -> int | None:
    """Return a count of tokens; an impossible one is unknown."""
    count = value if type(value) is int else _whole(value)
    return count if count is not None and 0 <= count <= _MOST_TOKENS else None


def _whole(value: Any) -> int | None:
    """Return a number as the warehouse casts its text to a whole one: halves away from zero."""
    if isinstance(value, bool) or value is None:
        return None
    if not isinstance(value, int):
        number = _decimal(value)
        if number is None:
            return None
        value = int(number.quantize(Decimal(1), ROUND_HALF_UP))
    return value if value in _INT64 else None


def _millionths(value: Any) -> int | None:
    number = None if isinstance(value, bool) or value is None else _decimal(value)
    if number is None or abs(number) >= _MOST_QUANTITY:
        return None
    return int((number.quantize(_MICRO, ROUND_HALF_UP) * 1_000_000).to_integral_value())


def _decimal(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < Decimal(10**20) else None


def _times_a_million(counts: Mapping[str, int | None]) -> dict[str, int]:
    return {name: count * 1_000_000 for name, count in counts.items() if count is not None}
