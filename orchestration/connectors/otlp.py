"""OTLP/JSON traces: one line of an export file → spans.

Belongs here: the protobuf JSON mapping with OTLP's own exceptions (hex ids, 64-bit integers as strings, enums
as integers, unknown fields ignored) and the shape of an `ExportTraceServiceRequest`. Does not belong here:
what an attribute means. Only attributes that the caller names are decoded, so content never gets further.

Source: OTLP specification, "JSON Protobuf Encoding"; the Collector's `fileexporter` (one request a line).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

import orjson

Scalar: TypeAlias = str | int | float | bool
AttributeValue: TypeAlias = Scalar | list["AttributeValue"] | dict[str, "AttributeValue"]
Attributes: TypeAlias = dict[str, AttributeValue]

STATUS_ERROR = 2
_EMPTY: Mapping[str, Any] = {}
_TRACE_ID_BYTES = 16
_SPAN_ID_BYTES = 8


class Scope(NamedTuple):
    """The instrumentation that emitted a span; `schema_url` tells the generation of its attribute names."""

    name: str | None
    version: str | None
    schema_url: str | None


class Span(NamedTuple):
    """One span as sent. Times are Unix nanoseconds; ids are lower-case hex; None is absent."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    start_unix_nano: int
    end_unix_nano: int | None
    has_error_status: bool
    exception_type: str | None
    attributes: Attributes
    resource: Attributes
    scope: Scope


class UnreadableSpan(NamedTuple):
    """A span without a usable identity or start, with the attributes that tell whether it mattered."""

    reason: str
    attributes: Attributes


class NotTracesError(ValueError):
    """A line is not an `ExportTraceServiceRequest`; `reason` is the stable quarantine code."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def spans_of_line(line: bytes | str, keep: frozenset[str]) -> Iterator[Span | UnreadableSpan] | None:
    """Read one line of an export file.

    Args:
        line: One JSON object. Numbers may be JSON numbers or strings.
        keep: Names of the attributes to decode; all others are dropped unread.

    Returns:
        The spans in file order, or None when the line carries another signal (logs, metrics, profiles).

    Raises:
        NotTracesError: `invalid_json` when the line is not a JSON object, `missing:resourceSpans` when it is
            of no known signal, `wrong_type:resourceSpans` when what is below is not lists of objects.
    """
    try:
        parsed: Any = orjson.loads(line)
    except ValueError as error:
        raise NotTracesError("invalid_json") from error
    if not isinstance(parsed, dict):
        raise NotTracesError("invalid_json")
    request = cast("dict[str, Any]", parsed)
    batches = request.get("resourceSpans")
    if batches is None:
        if any(signal in request for signal in ("resourceLogs", "resourceMetrics", "resourceProfiles")):
            return None
        raise NotTracesError("missing:resourceSpans")
    return iter(_spans_of_batches(batches, keep))


def _spans_of_batches(batches: Any, keep: frozenset[str]) -> list[Span | UnreadableSpan]:
    spans: list[Span | UnreadableSpan] = []
    try:
        for batch in batches:
            resource = decode_attributes((batch.get("resource") or _EMPTY).get("attributes"), keep)
            # `instrumentationLibrarySpans` is what OTLP before 0.15 (March 2022) called `scopeSpans`.
            for group in batch.get("scopeSpans") or batch.get("instrumentationLibrarySpans") or ():
                library = group.get("scope") or group.get("instrumentationLibrary") or _EMPTY
                scope = Scope(
                    library.get("name") or None,
                    library.get("version") or None,
                    group.get("schemaUrl") or batch.get("schemaUrl") or None,
                )
                spans.extend(_span(raw, keep, resource, scope) for raw in group.get("spans") or ())
    except (AttributeError, TypeError) as error:
        raise NotTracesError("wrong_type:resourceSpans") from error
    return spans


def _span(raw: Mapping[str, Any], keep: frozenset[str], resource: Attributes, scope: Scope) -> Span | UnreadableSpan:
    attributes = decode_attributes(raw.get("attributes"), keep)
    trace_id = _hex_id(raw.get("traceId"), _TRACE_ID_BYTES)
    span_id = _hex_id(raw.get("spanId"), _SPAN_ID_BYTES)
    if trace_id is None or span_id is None:
        field = "traceId" if trace_id is None else "spanId"
        return UnreadableSpan(f"wrong_type:{field}" if raw.get(field) else f"missing:{field}", attributes)
    try:
        start = int(raw.get("startTimeUnixNano") or 0)
        end = int(raw.get("endTimeUnixNano") or 0)
    except (TypeError, ValueError):
        return UnreadableSpan("wrong_type:startTimeUnixNano", attributes)
    if start <= 0:
        return UnreadableSpan("missing:startTimeUnixNano", attributes)
    status = raw.get("status")
    has_error = bool(status) and status.get("code") in (STATUS_ERROR, "2", "STATUS_CODE_ERROR")
    return Span(
        trace_id,
        span_id,
        _hex_id(raw.get("parentSpanId"), _SPAN_ID_BYTES),
        start,
        end or None,
        has_error,
        _exception_type(raw.get("events")),
        attributes,
        resource,
        scope,
    )


def decode_attributes(pairs: Sequence[Mapping[str, Any]] | None, keep: frozenset[str]) -> Attributes:
    """Decode the `KeyValue` list of a span, scope or resource, keeping only the names in `keep`."""
    if not pairs:
        return {}
    attributes: Attributes = {}
    for pair in pairs:
        name = pair.get("key")
        if name in keep:
            wrapped = pair.get("value")
            # Nearly all are text; looking for it first saves a tenth of the time a span takes.
            value = wrapped.get("stringValue") if wrapped else None
            if type(value) is not str:
                value = decode_any_value(wrapped)
            if value is not None:
                attributes[name] = value
    return attributes


def decode_any_value(value: Any) -> AttributeValue | None:
    """Decode an `AnyValue`; None when it is empty or of no known kind.

    `intValue` is accepted as a string or a number; one that is neither comes back as the text it was, so that
    whoever reads the attribute can refuse it by name.
    """
    if not isinstance(value, dict):
        return None
    for kind, inner in cast("dict[str, Any]", value).items():
        decode = _DECODERS.get(kind)
        if decode is not None and inner is not None:
            return decode(inner)
    return None


def _plain(value: Any) -> str | bool:
    return value if isinstance(value, str | bool) else str(value)


def _integer(value: Any) -> int | str:
    try:
        return int(value) if isinstance(value, str | int) else str(value)
    except ValueError:
        return str(value)


def _double(value: Any) -> float | str:
    # The protobuf JSON mapping writes NaN and the infinities as strings.
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)


def _array(value: Any) -> list[AttributeValue]:
    items = (decode_any_value(item) for item in value.get("values") or ())
    return [item for item in items if item is not None]


def _key_values(value: Any) -> dict[str, AttributeValue]:
    items = ((pair.get("key"), decode_any_value(pair.get("value"))) for pair in value.get("values") or ())
    return {name: item for name, item in items if isinstance(name, str) and item is not None}


_DECODERS: Mapping[str, Callable[[Any], AttributeValue]] = {
    "stringValue": _plain,
    "boolValue": _plain,
    "bytesValue": _plain,
    "intValue": _integer,
    "doubleValue": _double,
    "arrayValue": _array,
    "kvlistValue": _key_values,
}


def _hex_id(value: Any, size_bytes: int) -> str | None:
    """Return an id as lower-case hex; None when absent, all zeros (OTLP's "invalid id") or not an id.

    Exporters that use a stock protobuf JSON printer write base64, whose length cannot be mistaken for hex.
    """
    if not isinstance(value, str) or not value:
        return None
    try:
        is_hex = len(value) == 2 * size_bytes
        decoded = bytes.fromhex(value) if is_hex else base64.b64decode(value, validate=True)
    except ValueError:
        return None
    return decoded.hex() if len(decoded) == size_bytes and decoded.strip(b"\0") else None


def _exception_type(events: Any) -> str | None:
    for event in events or ():
        if event.get("name") == "exception":
            found = decode_attributes(event.get("attributes"), frozenset({"exception.type"}))
            value = found.get("exception.type")
            return value if isinstance(value, str) and value else None
    return None
