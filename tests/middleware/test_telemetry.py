"""Spans and metrics: the names of the conventions, our cost, and nobody's content."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from lines import read_lines
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from trueup_middleware import Meter
from trueup_middleware.prices import FORMAT, PriceFile
from trueup_middleware.telemetry import OpenTelemetry

ANSWER = {
    "id": "c-1",
    "object": "chat.completion",
    "model": "gpt-test-2026",
    "choices": [{"message": {"content": "the answer"}}],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 60},
        "completion_tokens_details": {"reasoning_tokens": 20},
    },
}
# 2, 0.5 and 8 USD a million tokens.
PRICES = PriceFile(
    {
        "format": FORMAT,
        "models": {
            "openai": {
                "gpt-test-2026": [
                    [name, "standard", 0, "", None, None, 0, None, pico, 20]
                    for name, pico in (("input", 2_000_000), ("cache_read", 500_000), ("output", 8_000_000))
                ]
            }
        },
        "aliases": {},
        "multipliers": [],
        "terms": [],
    },
    "test",
)
COST_USD = (40 * 2 + 60 * 0.5 + 50 * 8) / 1e6


class Exported:
    """An application's OpenTelemetry, with everything that it exports."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.spans = InMemorySpanExporter()
        self.metrics = InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        telemetry = OpenTelemetry(
            tracer_provider=tracers, meter_provider=MeterProvider(metric_readers=[self.metrics]), **options
        )
        self.meter = Meter(folder, prices=PRICES, telemetry=telemetry, user_hash_key=b"key of the test")

    def points(self, name: str) -> list[tuple[dict[str, Any], Any]]:
        data = self.metrics.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        found = [metric for scope in scopes for metric in scope.metrics if metric.name == name]
        return [(dict(point.attributes or {}), point) for metric in found for point in metric.data.data_points]


@pytest.fixture
def exported(folder: Path) -> Exported:
    return Exported(folder)


def test_a_call_is_a_span_of_the_conventions_and_its_line_has_the_spans_ids(exported: Exported, folder: Path) -> None:
    asked = {"feature": "search", "tenant_id": "acme", "user_id": "maria", "provider": "openai", "model": "gpt-test"}
    with exported.meter.request(**asked) as call:
        call.finish(ANSWER)
    (span,) = exported.spans.get_finished_spans()
    assert exported.meter.flush()
    (line,) = read_lines(folder)
    assert span.name == "chat gpt-test"
    assert span.context is not None
    assert (line["trace_id"], line["span_id"]) == (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")
    found = dict(span.attributes or {})
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-test",
        "gen_ai.response.model": "gpt-test-2026",
        "gen_ai.response.id": "c-1",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.cache_read.input_tokens": 60,
        "gen_ai.usage.reasoning.output_tokens": 20,
        "trueup.cost_usd": line["cost_usd"],
    }
    assert expected.items() <= found.items()
    assert float(line["cost_usd"]) == COST_USD
    assert json.loads(str(found["langfuse.observation.usage_details"])) == {
        "input": 40,
        "input_cached_tokens": 60,
        "output": 30,
        "output_reasoning_tokens": 20,
        "total": 150,
    }
    assert json.loads(str(found["langfuse.observation.cost_details"])) == {"total": pytest.approx(COST_USD, rel=1e-15)}


def test_tokens_and_cost_are_counted_by_feature_model_outcome_and_plan(exported: Exported) -> None:
    for _ in range(2):
        with exported.meter.request(feature="search", provider="openai", model="m", plan_tier="pro") as call:
            call.finish(ANSWER)
    with pytest.raises(TimeoutError), exported.meter.request(feature="search", provider="openai", model="m"):
        raise TimeoutError
    ours = {"feature": "search", "model": "gpt-test-2026", "outcome": "success", "plan_tier": "pro"}
    tokens = {attributes["usage_class"]: point.value for attributes, point in exported.points("llm.tokens")}
    assert tokens == {"input": 80, "cache_read": 120, "output": 100}
    assert [(attributes, point.value) for attributes, point in exported.points("llm.cost_usd")] == [
        (ours, pytest.approx(2 * COST_USD))
    ]
    ((unpriced, point),) = exported.points("llm.calls.unpriced")
    assert (unpriced["outcome"], unpriced["reason"], point.value) == ("timeout", "unpriced_model", 1)
    sums = {a["gen_ai.token.type"]: point.sum for a, point in exported.points("gen_ai.client.token.usage")}
    assert sums == {"input": 200, "output": 100}
    durations = {a.get("error.type"): point.count for a, point in exported.points("gen_ai.client.operation.duration")}
    assert durations == {None: 2, "TimeoutError": 1}


def test_tenants_are_shown_on_request_and_so_many(folder: Path) -> None:
    exported = Exported(folder, is_tenant_shown=True, most_tenants=2)
    for tenant in ("a", "b", "c", "d", "a"):
        with exported.meter.request(tenant_id=tenant, provider="openai") as call:
            call.finish(ANSWER)
    counted = {attributes["tenant"]: point.value for attributes, point in exported.points("llm.cost_usd")}
    assert counted.keys() == {"a", "b", "_other"}


def test_neither_content_nor_identity_is_exported(exported: Exported, folder: Path) -> None:
    secrets = ("the answer", "the prompt", "maria@example.com", "sk-secret")
    asked = {"tenant_id": "acme-tenant", "user_id": "maria@example.com", "provider": "openai"}
    with exported.meter.request(**asked) as call:
        call.finish({**ANSWER, "usage": {**ANSWER["usage"], "text": "the prompt", "key": "sk-secret"}})
    with pytest.raises(ValueError, match="prompt"), exported.meter.request(**asked):
        raise ValueError("the prompt with sk-secret")
    assert exported.meter.flush()
    told = [
        b"".join(path.read_bytes() for path in folder.iterdir()).decode(errors="replace"),
        *(span.to_json() for span in exported.spans.get_finished_spans()),
        exported.metrics.get_metrics_data().to_json(),  # pyright: ignore[reportOptionalMemberAccess]
    ]
    assert not [secret for secret in secrets for text in told if secret in text]
    assert not ["acme-tenant" for text in told[1:] if "acme-tenant" in text]


def test_langfuse_reads_tokens_and_cost_from_its_otlp_endpoint(folder: Path) -> None:
    """By the names of langfuse.com/integrations/native/opentelemetry; both details are JSON."""
    bodies: dict[str, bytes] = {}

    class Langfuse(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            bodies[self.path] = gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Langfuse) as server:
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        tracers = TracerProvider()
        endpoint = f"http://127.0.0.1:{server.server_port}/api/public/otel/v1/traces"
        tracers.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint, timeout=30)))
        meter = Meter(folder, prices=PRICES, telemetry=OpenTelemetry(tracer_provider=tracers))
        with meter.request(feature="search", provider="openai", model="gpt-test", session_id="s-1") as call:
            call.finish(ANSWER)
        serving.join()
    ((path, body),) = bodies.items()
    assert path == "/api/public/otel/v1/traces"
    (span,) = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
    found = {pair.key: pair.value.string_value for pair in span.attributes}
    assert found["langfuse.observation.type"] == "generation"
    assert found["langfuse.observation.model.name"] == "gpt-test-2026"
    assert found["langfuse.session.id"] == "s-1"
    usage = json.loads(found["langfuse.observation.usage_details"])
    assert usage.pop("total") == sum(usage.values()) == 150
    assert json.loads(found["langfuse.observation.cost_details"]) == {"total": pytest.approx(COST_USD, rel=1e-15)}
