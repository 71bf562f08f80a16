"""From a line to disjoint classes of usage, as the warehouse makes them of the same line.

Belongs here: reading counts by `semantics.json`, and taking totals apart. Does not belong here: prices. The
warehouse's own reading is `staging/llm_request_log` and `int_llm_requests__usage_normalised`; a differential test holds
the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache
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
        things: What is charged apiece, in 10⁻⁶ of a thing.
    """

    input_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    class_tokens: dict[str, int | None]
    parts: dict[str, int | None]
    things: dict[str, int | None]


def read_usage(line: Line) -> Usage:
    """Return what a line says was used."""
    counts = _Counts(line)
    counted_input, output = counts.tokens("input", "input_tokens"), counts.tokens("output", "output_tokens")
    usage_api = line.get("usage_api")
    operation = line.get("operation_name") or ("embeddings" if usage_api == "openai.embeddings" else "chat")
    if operation in _WITHOUT_OUTPUT and counted_input is not None:
        output = output or 0
    reasoning = counts.tokens("reasoning", "reasoning_tokens")
    others = counts.others()
    read = counts.tokens("cache_read", "cache_read_tokens") or 0
    written_5m = counts.tokens("cache_write_5m", "cache_write_5m_tokens") or 0
    written_1h = counts.tokens("cache_write_1h", "cache_write_1h_tokens") or 0
    written_30m = counts.tokens("cache_write_30m") or 0
    written_12h = counts.tokens("cache_write_12h") or 0
    split = written_5m + written_1h + written_30m + written_12h
    # The sum and its breakdown by retention name the same tokens: the larger is the whole, never both.
    written = max(counts.tokens("cache_write", "cache_write_tokens") or 0, split)
    unsplit = written - split
    holds_half_an_hour = provider_name(str(line.get("provider", ""))) in _WRITES_FOR_HALF_AN_HOUR
    # A cached second of speech is a cached token first: what its source counts as audio holds it too.
    audio = max((counts.tokens("input_audio", "input_audio_tokens") or 0) - (others.get("cache_read_audio") or 0), 0)
    image = max((counts.tokens("input_image", "input_image_tokens") or 0) - (others.get("cache_read_image") or 0), 0)
    spoken = counts.tokens("output_audio", "output_audio_tokens") or 0
    classes: dict[str, int | None]
    if counted_input is None:
        total = None
        classes = dict.fromkeys(_INPUT_CLASSES)
    else:
        # More cache than input can only mean that the input excludes it, whatever the source's convention says.
        is_inclusive = counts.input_includes_cache and read + written <= counted_input
        total = counted_input if is_inclusive else counted_input + read + written
        uncached = total - read - written
        classes = {
            "input": max(uncached - audio - image, 0),
            "cache_read": read,
            "cache_write_5m": written_5m + (0 if holds_half_an_hour else unsplit),
            "cache_write_1h": written_1h,
            "cache_write_30m": written_30m + (unsplit if holds_half_an_hour else 0),
            "cache_write_12h": written_12h,
            "input_audio": min(audio, uncached),
            "input_image": min(image, max(uncached - audio, 0)),
        }
    classes["output"] = None if output is None else max(output - spoken, 0)
    classes["output_audio"] = None if output is None else min(spoken, output)
    return Usage(total, output, reasoning, classes, {**others, "reasoning": reasoning}, counts.things(others))


_INPUT_CLASSES: Final = (
    *("input", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_30m", "cache_write_12h"),
    *("input_audio", "input_image"),
)


class _Counts:
    """The counts of one line: of its usage object by its API, else its flat fields."""

    def __init__(self, line: Line) -> None:
        self._line = line
        usage, usage_api = line.get("usage"), line.get("usage_api")
        self._usage: Mapping[str, Any] = cast("Mapping[str, Any]", usage) if isinstance(usage, dict) else {}
        has_usage = usage is not None and usage_api is not None
        self._paths = USAGE_APIS.get(str(usage_api)) if has_usage else None
        self.input_includes_cache: bool = True if self._paths is None else self._paths["input_includes_cache"]

    def tokens(self, field: str, flat: str | None = None) -> int | None:
        """Return a count of tokens; an impossible one is unknown."""
        if self._paths is not None:
            found = self._at(self._paths.get(field))
        else:
            found = _whole(self._line.get(flat)) if flat else None
        return found if found is not None and 0 <= found <= _MOST_TOKENS else None

    def others(self) -> dict[str, int | None]:
        """Return the counts of classes that have no field of their own."""
        paths = None if self._paths is None else self._paths.get("others")
        if paths is None:
            return {}
        if isinstance(paths, str):  # the object is one of the classes themselves
            return {name: _whole(value) for name, value in self._usage.items()}
        return {name: self._at(path) for name, path in paths.items()}

    def things(self, others: Mapping[str, int | None]) -> dict[str, int | None]:
        """Return what is charged apiece, in 10⁻⁶ of a thing."""
        found: dict[str, int | None] = {name: _times_a_million(count) for name, count in others.items()}
        for name, (field, flat) in _THINGS.items():
            path = None if self._paths is None else self._paths.get(field)
            if name in ("web_search", "rerank_search"):
                of_usage = _times_a_million(self._at(path))
            else:
                of_usage = _millionths(self._value(path)) if isinstance(path, str) else None
            found[name] = _millionths(self._line.get(flat)) if of_usage is None else of_usage
        return found

    def _at(self, path: Any) -> int | None:
        if path is None:
            return None
        if isinstance(path, str):
            return _whole(self._value(path))
        if isinstance(path, dict):
            return self._of_modality(cast("dict[str, str]", path))
        counts = [count for each in path if (count := _whole(self._value(each))) is not None]
        return sum(counts) if counts else None

    def _of_modality(self, where: Mapping[str, str]) -> int | None:
        items = self._value(where["list"])
        if isinstance(items, list):
            for item in cast("list[Any]", items):
                if isinstance(item, dict):
                    counted = cast("dict[str, Any]", item)
                    if counted.get("modality") == where["modality"]:
                        return _whole(counted.get("tokenCount"))
        return None

    def _value(self, path: str) -> Any:
        found: Any = self._usage
        for name in _steps(path):
            if not isinstance(found, dict):
                return None
            found = cast("dict[str, Any]", found).get(name)
        return found


@cache
def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.removeprefix("$.").split("."))


#: Class to the name of its count in `semantics.json` and the field of the line.
_THINGS: Final = {
    "web_search": ("web_search", "web_search_requests"),
    "rerank_search": ("rerank_units", "rerank_units"),
    "image": ("image", "images"),
    "second": ("second", "audio_seconds"),
    "character": ("character", "characters"),
}


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


def _times_a_million(count: int | None) -> int | None:
    return None if count is None else count * 1_000_000
