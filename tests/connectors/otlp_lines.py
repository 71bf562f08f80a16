"""Builders of OTLP/JSON in the shape that the Collector's file exporter writes."""

from __future__ import annotations

import json
from typing import Any

SCOPE = "opentelemetry.instrumentation.openai_v2"
T0_NANO = 1_795_168_800_123_456_789  # 2026-11-20T10:00:00.123456789Z


def value(inner: Any) -> dict[str, Any]:
    """Wrap a Python value as an AnyValue; 64-bit integers become strings, as OTLP/JSON writes them."""
    match inner:
        case bool():
            return {"boolValue": inner}
        case int():
            return {"intValue": str(inner)}
        case float():
            return {"doubleValue": inner}
        case str():
            return {"stringValue": inner}
        case list():
            return {"arrayValue": {"values": [value(item) for item in inner]}}
        case _:
            raise TypeError(inner)


def pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": value(inner)} for name, inner in attributes.items()]


def span(
    span_id: int,
    attributes: dict[str, Any] | None = None,
    *,
    parent: int | None = None,
    trace_id: int = 1,
    start_nano: int = T0_NANO,
    duration_ms: float = 1000.0,
    status: int = 0,
    **fields: Any,
) -> dict[str, Any]:
    """One span as JSON; `fields` are set verbatim, None removes one."""
    made: dict[str, Any] = {
        "traceId": f"{trace_id:032x}",
        "spanId": f"{span_id:016x}",
        "parentSpanId": "" if parent is None else f"{parent:016x}",
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(start_nano),
        "endTimeUnixNano": str(start_nano + int(duration_ms * 1e6)),
        "attributes": pairs(attributes or {}),
        "status": {"code": status} if status else {},
        **fields,
    }
    return {name: inner for name, inner in made.items() if inner is not None}


def chat(input_tokens: int | None = 100, output_tokens: int | None = 10, **more: Any) -> dict[str, Any]:
    """Attributes of an OpenAI chat call."""
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.response.model": "gpt-5-2025-08-07",
        "gen_ai.usage.input_tokens": input_tokens,
        "gen_ai.usage.output_tokens": output_tokens,
        **more,
    }
    return {name: inner for name, inner in attributes.items() if inner is not None}


def line(
    spans: list[dict[str, Any]],
    *,
    resource: dict[str, Any] | None = None,
    scope: str = SCOPE,
    version: str = "2.4b0",
) -> str:
    """One ExportTraceServiceRequest, without the newline."""
    group = {"scope": {"name": scope, "version": version}, "spans": spans}
    batch = {"resource": {"attributes": pairs(resource or {})}, "scopeSpans": [group]}
    return json.dumps({"resourceSpans": [batch]})
