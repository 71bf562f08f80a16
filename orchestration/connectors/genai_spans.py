"""Spans of whole traces → one row per call to a model.

Belongs here: reading a row out of a span, inheriting what the application said on an ancestor, and choosing
which of several nested spans stands for a call. Pure: no files, no landing. Names and token semantics are
data in `genai_attributes`.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple, TypeAlias, cast

from orchestration.connectors.call_outcome import CallOutcome, failed_call_outcome, http_status_of
from orchestration.connectors.genai_attributes import (
    CONTEXT_ATTRIBUTES,
    EMITTER_RULES,
    JSON_ATTRIBUTE,
    SPAN_ATTRIBUTES,
    TEXT_ALIASES,
    TIME_TO_FIRST_TOKEN_MS,
    TOKEN_ALIASES,
    EmitterRule,
    inference_operation,
    input_includes_cache,
    provider_name,
    semconv_generation,
)
from orchestration.connectors.otlp import Attributes, AttributeValue, Span, UnreadableSpan

EARLIEST_NANO = 1_577_836_800_000_000_000
"""2020-01-01T00:00:00Z. Earlier starts are a broken clock or another unit."""
LATEST_AHEAD = timedelta(hours=48)
"""How far in the future of a pull a span may start."""

NOT_OWNED = -1
"""The owner of a span that is only looked at: whoever owns the line it stands on lands it."""

_INT64_MAX = 2**63 - 1
_SERVICE_NAME = "service.name"
_MILLISECONDS = tuple(TIME_TO_FIRST_TOKEN_MS.values())

Found: TypeAlias = dict[str, tuple[int, AttributeValue]]
"""Field → (rank of the attribute name that carried it, its value); rank 0 is the best name."""


class BadSpanError(ValueError):
    """A span that is a call to a model and cannot be landed; `reason` is the stable quarantine code."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Vocabulary:
    """The attribute names and emitter rules that one source reads with.

    Attributes:
        context: Context field → attribute names, best first.
        tokens: Token column → attribute names, best first.
        rules: Emitter rules, first match decides.
    """

    context: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: CONTEXT_ATTRIBUTES)
    tokens: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: TOKEN_ALIASES)
    rules: tuple[EmitterRule, ...] = EMITTER_RULES

    @cached_property
    def attribute_names(self) -> frozenset[str]:
        """Every attribute that this vocabulary reads; nothing else needs to be decoded."""
        return frozenset({*self._context_index, *self._call_index, *SPAN_ATTRIBUTES, _SERVICE_NAME, JSON_ATTRIBUTE})

    def context_of(self, attributes: Attributes) -> Found:
        """Return what these attributes say about the context fields."""
        if JSON_ATTRIBUTE in attributes:
            attributes = _with_json_members(attributes)
        return _best(attributes, self._context_index)

    def call_of(self, attributes: Attributes) -> Found:
        """Return what these attributes say about the call itself: tokens, names, times."""
        return _best(attributes, self._call_index)

    @cached_property
    def _context_index(self) -> dict[str, tuple[tuple[str, int], ...]]:
        return _by_attribute(self.context)

    @cached_property
    def _call_index(self) -> dict[str, tuple[tuple[str, int], ...]]:
        times = {"time_to_first_token": tuple(TIME_TO_FIRST_TOKEN_MS)}
        return _by_attribute({**self.tokens, **TEXT_ALIASES, **times})


def _by_attribute(fields: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[tuple[str, int], ...]]:
    """Turn field → names into name → (field, rank): a span has ten attributes, the aliases are a hundred."""
    index: dict[str, tuple[tuple[str, int], ...]] = {}
    for field_name, names in fields.items():
        for rank, name in enumerate(names):
            index[name] = (*index.get(name, ()), (field_name, rank))
    return index


def _best(attributes: Attributes, index: Mapping[str, tuple[tuple[str, int], ...]]) -> Found:
    found: Found = {}
    for name, value in attributes.items():
        if name in index and value != "":
            for field_name, rank in index[name]:
                held = found.get(field_name)
                if held is None or rank < held[0]:
                    found[field_name] = (rank, value)
    return found


@dataclass(slots=True)
class Call:
    """One call to a model. The names are the columns of the landed table; None is unknown.

    `started_at` is microseconds since 1970 UTC; `line_number` counts from 1; `user_id` is raw and must be
    hashed before it is stored. `owner` tells whose row it becomes, see `TraceWindow`, which also fills in
    the context (`tenant_id` to `environment`).
    """

    line_number: int
    started_at: int
    outcome: CallOutcome
    operation_name: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    provider: str | None = None
    model: str | None = None
    request_model: str | None = None
    http_status: int | None = None
    error_type: str | None = None
    latency_ms: float | None = None
    time_to_first_token_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    service_tier: str | None = None
    response_id: str | None = None
    service_name: str | None = None
    scope_name: str | None = None
    scope_version: str | None = None
    semconv_generation: str | None = None
    input_includes_cache: bool | None = None
    usage_warning: str | None = None
    tenant_id: str | None = None
    feature: str | None = None
    user_id: str | None = None
    operation_id: str | None = None
    conversation_id: str | None = None
    prompt_name: str | None = None
    prompt_version: str | None = None
    release: str | None = None
    environment: str | None = None
    owner: int = 0

    @property
    def has_usage(self) -> bool:
        """Whether any token count is known."""
        return any(getattr(self, column) is not None for column in TOKEN_COLUMNS)

    @property
    def cache_tokens(self) -> int:
        """Cache reads plus writes as sent; 0 when neither was."""
        return (self.cache_read_tokens or 0) + (self.cache_write_tokens or 0)

    @property
    def ended_at(self) -> float:
        """Microseconds since 1970 UTC; the start when no end was sent."""
        return self.started_at + (self.latency_ms or 0) * 1000


TOKEN_COLUMNS = tuple(column for column in TOKEN_ALIASES if column != "total_tokens")
_TOKEN_COLUMNS = frozenset(TOKEN_COLUMNS)
_TEXT_COLUMNS = frozenset({"model", "request_model", "response_id", "service_tier", "error_type"})


def read_call(span: Span, operation: str, vocabulary: Vocabulary, latest_nano: float, line_number: int) -> Call:
    """Read a call from its own span.

    Args:
        span: The span.
        operation: What `inference_operation` said it is.
        vocabulary: Names to read with.
        latest_nano: Starts after this moment (nanoseconds since 1970 UTC) are refused.
        line_number: Where the span stands in its file, from 1.

    Raises:
        BadSpanError: A count is no whole number, negative or beyond 64 bits; or the start is out of range.
    """
    if not EARLIEST_NANO <= span.start_unix_nano <= latest_nano:
        raise BadSpanError("timestamp_out_of_range")
    call = Call(
        line_number=line_number,
        started_at=span.start_unix_nano // 1000,
        outcome="success",
        operation_name=operation,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        latency_ms=_latency_ms(span),
        scope_name=span.scope.name,
        scope_version=span.scope.version,
        semconv_generation=semconv_generation(span.attributes),
        service_name=_text(span.resource.get(_SERVICE_NAME)) or None,
    )
    found = vocabulary.call_of(span.attributes)
    for column, (_, value) in found.items():
        if column in _TEXT_COLUMNS:
            setattr(call, column, _text(value))
        elif column in _TOKEN_COLUMNS:
            setattr(call, column, _whole_number(column, value))
    call.model = call.model or call.request_model
    call.provider = _provider(span.attributes, found)
    call.time_to_first_token_ms = _time_to_first_token_ms(found)
    if call.service_tier == "auto":  # asks the provider to choose: no tier that was served
        call.service_tier = None
    call.error_type = call.error_type or span.exception_type
    call.http_status = http_status_of(found["http_status"][1] if "http_status" in found else call.error_type)
    if span.has_error_status or call.error_type is not None:
        call.outcome = failed_call_outcome(call.error_type, call.http_status)
    call.input_includes_cache = input_includes_cache(
        input_tokens=call.input_tokens,
        cache_tokens=call.cache_tokens,
        provider=call.provider,
        model=call.model,
        scope=call.scope_name,
        version=call.scope_version,
        rules=vocabulary.rules,
    )
    total = _whole_number("total_tokens", found["total_tokens"][1]) if "total_tokens" in found else None
    call.usage_warning = _usage_warning(call, total)
    return call


def _usage_warning(call: Call, total_tokens: int | None) -> str | None:
    """Say what is doubtful about a usage: a stable code, or None."""
    if call.input_tokens is None:
        return None
    if call.input_includes_cache is None:
        return "cache_inclusion_unknown"
    if call.output_tokens is None or total_tokens is None:
        return None
    parts = call.input_tokens + call.output_tokens + (0 if call.input_includes_cache else call.cache_tokens)
    # Gemini's thoughts are in the total and in neither part. They are reported, never priced as output.
    return "total_exceeds_parts" if total_tokens > parts else None


class _Node(NamedTuple):
    parent_span_id: str | None
    context: Found
    call: int | None


class _Trace:
    """What has been seen of one trace, in whatever order it came."""

    __slots__ = ("calls", "nodes", "resources")

    def __init__(self) -> None:
        self.nodes: dict[str, _Node] = {}
        self.calls: list[Call] = []
        self.resources: list[Found] = []

    def open_calls(self) -> Iterator[Call]:
        """Yield the calls whose chain of parents leads to a span that has not been seen."""
        for call in self.calls:
            *_, last = self._lineage(call.span_id)
            if last.parent_span_id is not None and last.parent_span_id not in self.nodes:
                yield call

    def settle(self) -> Settled:
        """Fill in what the calls inherit and tell those that stand from those that repeat others."""
        calls_above = [self._fill_in_context(index) for index in range(len(self.calls))]
        standing = _standing_calls(self.calls, calls_above)
        repeating = [call for index, call in enumerate(self.calls) if index not in standing]
        return Settled([self.calls[index] for index in sorted(standing)], repeating)

    def _lineage(self, span_id: str | None) -> Iterator[_Node]:
        """Yield a span and its ancestors, nearest first; a cycle ends where it closes."""
        seen: set[str] = set()
        while span_id in self.nodes and span_id not in seen:
            seen.add(span_id)
            node = self.nodes[span_id]
            yield node
            span_id = node.parent_span_id

    def _fill_in_context(self, index: int) -> list[int]:
        """Fill the context of one call; return the calls among its ancestors, nearest first."""
        call = self.calls[index]
        best: Found = {}
        calls_above: list[int] = []
        for node in self._lineage(call.span_id):
            _improve(best, node.context)
            if node.call is not None and node.call != index:
                calls_above.append(node.call)
        _improve(best, self.resources[index])
        for context_field, (_, value) in best.items():
            setattr(call, context_field, _text(value))
        return calls_above


class Settled(NamedTuple):
    """The calls of a trace: those that stand for a call to a provider, and those that only repeat others."""

    standing: list[Call]
    repeating: list[Call]


class TraceWindow:
    """The traces that are being put together; what was not added to for longest is settled first.

    Spans of one trace may come in any order, from any line and file. They are seen together as long as no more
    than `capacity` other spans came between them; memory is bounded by that number (2 kB a span).
    """

    def __init__(self, vocabulary: Vocabulary, latest: datetime, capacity: int = 200_000) -> None:
        self._vocabulary = vocabulary
        self._latest_nano = latest.timestamp() * 1e9
        self._capacity = capacity
        self._traces: OrderedDict[str, _Trace] = OrderedDict()
        self._spans_count = 0
        self._last_resource: tuple[Attributes, Found] = ({}, {})

    def add(self, span: Span | UnreadableSpan, line_number: int, owner: int = 0) -> bool:
        """Add one span; tell whether it is a call, and thus a candidate for a row.

        Args:
            span: What the OTLP reader gave.
            line_number: Its line, from 1.
            owner: Whose row it may become: a number of the caller's choice, or `NOT_OWNED`.

        Raises:
            BadSpanError: The span is a call and cannot be landed. It still serves as an ancestor.
        """
        operation = inference_operation(span.attributes)
        if isinstance(span, UnreadableSpan):
            if operation is not None:
                raise BadSpanError(span.reason)
            return False
        trace = self._traces.get(span.trace_id)
        if trace is None:
            trace = self._traces[span.trace_id] = _Trace()
        else:
            self._traces.move_to_end(span.trace_id)
            if span.span_id in trace.nodes:
                return False  # OTLP is delivered at least once: the same span again is not another call.
        self._spans_count += 1
        context = self._vocabulary.context_of(span.attributes)
        trace.nodes[span.span_id] = _Node(span.parent_span_id, context, None)
        if operation is None:
            return False
        call = read_call(span, operation, self._vocabulary, self._latest_nano, line_number)
        call.owner = owner
        trace.nodes[span.span_id] = _Node(span.parent_span_id, context, len(trace.calls))
        trace.calls.append(call)
        trace.resources.append(self._context_of_resource(span.resource))
        return True

    def open_calls(self) -> Iterator[Call]:
        """Yield the calls that may still get an ancestor: the chain of their parents leads out of the window."""
        for trace in self._traces.values():
            yield from trace.open_calls()

    def disown(self, owner: int, from_line_number: int) -> None:
        """Leave an owner's calls from a line on to a later reading; they still inform about the others."""
        for trace in self._traces.values():
            for call in trace.calls:
                if call.owner == owner and call.line_number >= from_line_number:
                    call.owner = NOT_OWNED

    def settle_overflow(self) -> Iterator[Settled]:
        """Settle and forget the traces that were longest not added to, until the rest fits."""
        while self._spans_count > self._capacity:
            yield self._settle_oldest()

    def settle_all(self) -> Iterator[Settled]:
        """Settle and forget everything."""
        while self._traces:
            yield self._settle_oldest()

    def _settle_oldest(self) -> Settled:
        _, trace = self._traces.popitem(last=False)
        self._spans_count -= len(trace.nodes)
        return trace.settle()

    def _context_of_resource(self, resource: Attributes) -> Found:
        # Spans of one batch share their resource object, so one remembered answer serves nearly all.
        if self._last_resource[0] is not resource:
            self._last_resource = (resource, self._vocabulary.context_of(resource))
        return self._last_resource[1]


def _improve(best: Found, said: Found) -> None:
    """Take over what a farther span says where it used a better name; at equal rank the nearer one stands."""
    for context_field, found in said.items():
        held = best.get(context_field)
        if held is None or found[0] < held[0]:
            best[context_field] = found


def _standing_calls(calls: Sequence[Call], calls_above: Sequence[Sequence[int]]) -> set[int]:
    """Choose, in every tree of nested calls, the spans that stand for calls to a provider.

    From the deepest upwards: a call without calls below stands. A call above others falls when usage is known
    below it or not known to it either. When it alone knows the usage, its counts go to the one call below
    that succeeded; with none or several of those they cannot be split, so it stands itself, beside the failed
    ones below, which are attempts of their own.

    Args:
        calls: All calls of the set.
        calls_above: For each of them the indices of the calls among its ancestors, nearest first.
    """
    depth = [len(above) for above in calls_above]
    below: dict[int, list[int]] = {}
    for index, above in enumerate(calls_above):
        # In a cycle two calls are each above the other: neither is deeper, neither stands for the other.
        if above and depth[above[0]] < depth[index]:
            below.setdefault(above[0], []).append(index)
    standing = set(range(len(calls)))
    if not below:
        return standing
    subtree: dict[int, tuple[list[int], bool]] = {}
    for index in sorted(below, key=depth.__getitem__, reverse=True):
        call = calls[index]
        rows: list[int] = []
        usage_known = False
        for child in below[index]:
            child_rows, child_known = subtree.get(child) or ([child], calls[child].has_usage)
            rows += child_rows
            usage_known = usage_known or child_known
        standing.discard(index)
        if not usage_known and call.has_usage:
            usage_known = True
            succeeded = [row for row in rows if calls[row].outcome == "success"]
            if len(succeeded) == 1:
                _give_usage(call, calls[succeeded[0]])
            else:
                standing.difference_update(succeeded)
                standing.add(index)
                rows = [index, *(row for row in rows if row not in succeeded)]
        subtree[index] = (rows, usage_known)
    return standing


def _give_usage(giver: Call, taker: Call) -> None:
    for column in (*TOKEN_COLUMNS, "input_includes_cache"):
        setattr(taker, column, getattr(giver, column))
    taker.usage_warning = giver.usage_warning or "usage_from_ancestor"


def _whole_number(column: str, value: AttributeValue) -> int:
    number = _number(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or number != number // 1:
        raise BadSpanError(f"wrong_type:{column}")
    if number < 0:
        raise BadSpanError(f"negative:{column}")
    if number > _INT64_MAX:
        raise BadSpanError(f"wrong_type:{column}")
    return int(number)


def _number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return None


def _text(value: AttributeValue | None) -> str | None:
    """Return a text; whole numbers as their decimal text. Lists and booleans name nothing."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _provider(attributes: Attributes, found: Found) -> str | None:
    if "provider" not in found:
        return None
    # The best name may hold a framework's own name, which says nothing about the provider.
    return provider_name(found["provider"][1]) or next(
        (name for alias in TEXT_ALIASES["provider"] if (name := provider_name(attributes.get(alias)))), None
    )


def _latency_ms(span: Span) -> float | None:
    if span.end_unix_nano is None or span.end_unix_nano < span.start_unix_nano:
        return None
    return (span.end_unix_nano - span.start_unix_nano) / 1e6


def _time_to_first_token_ms(found: Found) -> float | None:
    rank, value = found.get("time_to_first_token", (0, None))
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value) * _MILLISECONDS[rank]
    return None


def _with_json_members(attributes: Attributes) -> Attributes:
    """Return the attributes with the members of the JSON attribute as `metadata.<key>`."""
    raw = attributes[JSON_ATTRIBUTE]
    try:
        members = json.loads(raw) if isinstance(raw, str) else raw
    except (ValueError, RecursionError):
        return attributes
    if not isinstance(members, dict):
        return attributes
    named = {f"{JSON_ATTRIBUTE}.{name}": value for name, value in cast("Attributes", members).items()}
    return {**named, **attributes}
