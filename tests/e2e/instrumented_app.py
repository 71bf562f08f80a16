"""An application as it runs in the field: the real `openai` client under the real instrumentation of it.

Run as `python instrumented_app.py BASE_URL SPANS_FILE`. It calls the provider at BASE_URL and appends its
spans to SPANS_FILE as OTLP/JSON lines. A process of its own, because the instrumentation reads once per
process which generation of attribute names to emit.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openai
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

PLANTED_PROMPT = "planted prompt text: the merger closes on Friday"
PLANTED_USER = "raw-user-4711@example.com"


class OtlpJsonFileExporter(SpanExporter):
    """Append every batch as one line: protobuf JSON with OTLP's hex ids and 64-bit integers as strings."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write the line of one batch."""
        groups: dict[Any, list[ReadableSpan]] = {}
        for span in spans:
            groups.setdefault(span.instrumentation_scope, []).append(span)
        scopes = [
            {
                "scope": {"name": scope.name, "version": scope.version or ""},
                "schemaUrl": scope.schema_url or "",
                "spans": [_span(span) for span in group],
            }
            for scope, group in groups.items()
        ]
        batch = {"resource": {"attributes": _pairs(spans[0].resource.attributes)}, "scopeSpans": scopes}
        with self._path.open("a") as file:
            file.write(json.dumps({"resourceSpans": [batch]}) + "\n")
        return SpanExportResult.SUCCESS


def _span(span: ReadableSpan) -> dict[str, Any]:
    return {
        "traceId": f"{span.context.trace_id:032x}",
        "spanId": f"{span.context.span_id:016x}",
        "parentSpanId": f"{span.parent.span_id:016x}" if span.parent else "",
        "name": span.name,
        "kind": span.kind.value + 1,
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": _pairs(span.attributes or {}),
        "events": [{"name": event.name, "attributes": _pairs(event.attributes or {})} for event in span.events],
        "status": {"code": span.status.status_code.value},
    }


def _pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": str(value)}


def main(base_url: str, spans_file: Path) -> None:
    """Serve five requests of two tenants."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": "assistant", "deployment.environment.name": "production"})
    )
    # Two spans a line: a call and the request that it belongs to often stand on different lines.
    provider.add_span_processor(
        BatchSpanProcessor(OtlpJsonFileExporter(spans_file), max_export_batch_size=2, max_queue_size=2048)
    )
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    tracer = provider.get_tracer("app")
    client = openai.OpenAI(base_url=base_url, api_key="none", max_retries=2)
    messages: Any = [{"role": "user", "content": PLANTED_PROMPT}]

    def request(tenant: str, feature: str) -> Any:
        attributes = {
            "app.tenant_id": tenant,
            "app.feature": feature,
            "app.release": "2026.11.2",
            "user.id": PLANTED_USER,
        }
        return tracer.start_as_current_span("POST /assist", attributes=attributes)

    with request("acme", "support_copilot"):
        client.embeddings.create(model="text-embedding-3-small", input=PLANTED_PROMPT)
        client.chat.completions.create(model="gpt-4.1", messages=messages)
    with request("beta", "search_assist"):
        stream = client.chat.completions.create(
            model="gpt-4.1-mini", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        for _ in stream:
            pass
    with request("acme", "classifier"):
        # Refused with 429 once: the client tries again by itself.
        client.chat.completions.create(model="gpt-4.1-mini", messages=messages)
    with request("beta", "classifier"), contextlib.suppress(openai.BadRequestError):
        client.chat.completions.create(model="gpt-4.1", messages=messages, temperature=3)
    with request("acme", "search_assist"):
        for _ in client.chat.completions.create(model="gpt-4.1", messages=messages, stream=True):
            pass  # no include_usage: the client never learns what was counted
    provider.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
