"""Spans and metrics of calls by OpenTelemetry's GenAI conventions, and what they cost.

Belongs here: names of attributes and instruments. Does not belong here: exporters and providers; the application sets
them up as for everything else, and Langfuse is one more OTLP endpoint. Content is never put on a span.

Conventions: open-telemetry/semantic-conventions-genai as of 2026-11. Langfuse reads its own `usage_details` and
`cost_details` before anything else, so it shows this cost instead of its own guess. Metrics are doubles, by
OpenTelemetry's data model; what is exact is the log line, and `trueup.cost_usd` on the span, which is a text.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextvars import Token
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from trueup_middleware.prices import Estimate
from trueup_middleware.usage.reading import Line, Usage, read_usage

_SCOPE: Final = "trueup_middleware"
_OTHER_TENANTS: Final = "_other"
_PICO: Final = 1e-12

_SPAN_ATTRIBUTES: Final = {
    "operation_name": "gen_ai.operation.name",
    "provider": "gen_ai.provider.name",
    "request_model": "gen_ai.request.model",
    "conversation_id": "gen_ai.conversation.id",
    "prompt_name": "gen_ai.prompt.name",
    "prompt_version": "gen_ai.prompt.version",
    "feature": "trueup.feature",
    "operation_id": "trueup.operation.id",
    "request_id": "trueup.request.id",
    "attempt_number": "trueup.attempt.number",
    "release": "langfuse.release",
    "environment": "langfuse.environment",
    "session_id": "langfuse.session.id",
}
_END_ATTRIBUTES: Final = {
    "model": "gen_ai.response.model",
    "response_id": "gen_ai.response.id",
    "outcome": "trueup.outcome",
    "service_tier": "trueup.service_tier",
}
#: Our classes in the words of Langfuse's own integrations.
_LANGFUSE_CLASSES: Final = {
    "cache_read": "input_cached_tokens",
    "cache_write_5m": "input_cache_creation_5m",
    "cache_write_1h": "input_cache_creation_1h",
    "cache_write_30m": "input_cache_creation_30m",
    "cache_write_12h": "input_cache_creation_12h",
    "input_audio": "input_audio_tokens",
    "input_image": "input_image_tokens",
    "output_audio": "output_audio_tokens",
}
_OUTCOME_SPANS: Final = frozenset(("success", "cancelled"))

# Of the conventions: tokens by powers of four, seconds by powers of two.
_TOKEN_BUCKETS: Final = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864]
_SECOND_BUCKETS: Final = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]


class OpenTelemetry:
    """Spans and metrics of a meter's calls."""

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        is_tenant_shown: bool = False,
        most_tenants: int = 100,
    ) -> None:
        """Take the application's providers.

        Args:
            tracer_provider: By default the global one.
            meter_provider: By default the global one.
            is_tenant_shown: Put the tenant on spans and metrics. Off, because each is a series of its own.
            most_tenants: So many tenants get a series; those that come later are `_other`.
        """
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        meter = metrics.get_meter(_SCOPE, meter_provider=meter_provider)
        self._token_usage = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Input and output tokens of a call.",
            explicit_bucket_boundaries_advisory=_TOKEN_BUCKETS,
        )
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="Time from the call to its end.",
            explicit_bucket_boundaries_advisory=_SECOND_BUCKETS,
        )
        self._first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="Time from the call to the first piece of a streamed answer.",
            explicit_bucket_boundaries_advisory=_SECOND_BUCKETS,
        )
        self._tokens = meter.create_counter("llm.tokens", unit="{token}", description="Tokens by class.")
        self._cost = meter.create_counter("llm.cost_usd", unit="{USD}", description="Estimated cost by the price book.")
        self._unpriced = meter.create_counter(
            "llm.calls.unpriced", unit="{call}", description="Calls whose cost is unknown, by why."
        )
        self._tenants = _Tenants(most_tenants) if is_tenant_shown else None

    def start(self, known: Line, plan_tier: str | None) -> _CallSpan:
        """Begin a call's span and make it the current one; its ids go onto the call's line."""
        attributes: dict[str, str | int] = {
            name: known[field] for field, name in _SPAN_ATTRIBUTES.items() if known.get(field) is not None
        }
        attributes["langfuse.observation.type"] = "generation"
        tenant = self._tenant(known)
        if tenant is not None:
            attributes["trueup.tenant.id"] = tenant
        operation = known.get("operation_name") or "chat"
        name = f"{operation} {known['request_model']}" if known.get("request_model") else str(operation)
        span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        context = span.get_span_context()
        if context.is_valid and isinstance(known, dict):
            known["trace_id"] = trace.format_trace_id(context.trace_id)
            known["span_id"] = trace.format_span_id(context.span_id)
        return _CallSpan(self, span, plan_tier)

    def record(self, span: Span, fields: Line, estimate: Estimate | None, plan_tier: str | None) -> None:
        """Put what became of a call on its span and into the metrics."""
        usage = read_usage(fields)
        cost_usd = None if estimate is None or estimate.cost_pico_usd is None else estimate.cost_pico_usd * _PICO
        if span.is_recording():
            span.set_attributes(_outcome_attributes(fields, usage, cost_usd))
            if fields["outcome"] not in _OUTCOME_SPANS:
                span.set_status(Status(StatusCode.ERROR, fields["outcome"]))
        self._measure(fields, usage, plan_tier)
        ours = self._own_attributes(fields, plan_tier)
        for usage_class, tokens in usage.class_tokens.items():
            if tokens:
                self._tokens.add(tokens, {**ours, "usage_class": usage_class})
        if cost_usd is not None:
            self._cost.add(cost_usd, ours)
        else:
            self._unpriced.add(1, {**ours, "reason": "no_price_book" if estimate is None else estimate.status})

    def _measure(self, fields: Line, usage: Usage, plan_tier: str | None) -> None:
        """Record the instruments of the conventions, with their attributes only."""
        del plan_tier
        standard: dict[str, str] = {
            "gen_ai.operation.name": fields["operation_name"],
            "gen_ai.provider.name": fields["provider"],
            "gen_ai.response.model": fields["model"],
        }
        if fields.get("request_model"):
            standard["gen_ai.request.model"] = fields["request_model"]
        for kind, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if tokens is not None:
                self._token_usage.record(tokens, {**standard, "gen_ai.token.type": kind})
        failed = {} if fields["outcome"] == "success" else {"error.type": fields.get("error_type") or fields["outcome"]}
        self._duration.record(max(fields["latency_ms"], 0) / 1000, {**standard, **failed})
        if fields.get("time_to_first_token_ms") is not None:
            self._first_chunk.record(max(fields["time_to_first_token_ms"], 0) / 1000, standard)

    def _own_attributes(self, fields: Line, plan_tier: str | None) -> dict[str, str]:
        found = {
            "feature": fields.get("feature") or "unattributed",
            "model": fields["model"],
            "outcome": fields["outcome"],
            "plan_tier": plan_tier or "unknown",
        }
        tenant = self._tenant(fields)
        return found if tenant is None else {**found, "tenant": tenant}

    def _tenant(self, fields: Line) -> str | None:
        return None if self._tenants is None else self._tenants.shown(fields.get("tenant_id") or "unattributed")


class _CallSpan:
    """The span of one call; current inside its block."""

    def __init__(self, telemetry: OpenTelemetry, span: Span, plan_tier: str | None) -> None:
        self._telemetry = telemetry
        self._span = span
        self._plan_tier = plan_tier
        self._token: Token[otel_context.Context] | None = otel_context.attach(trace.set_span_in_context(span))

    def leave(self) -> None:
        """End being the current span; the call may go on as a stream."""
        if self._token is not None:
            token, self._token = self._token, None
            otel_context.detach(token)

    def end(self, fields: Line, estimate: Estimate | None) -> None:
        """The call has ended."""
        try:
            self._telemetry.record(self._span, fields, estimate, self._plan_tier)
        finally:
            self._span.end()


class _Tenants:
    """The tenants that have a series of their own: the first so many of the process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def shown(self, tenant: str) -> str:
        if tenant in self._known:
            return tenant
        with self._lock:
            if len(self._known) >= self._most:
                return _OTHER_TENANTS
            self._known.add(tenant)
            return tenant


def _outcome_attributes(fields: Line, usage: Usage, cost_usd: float | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: fields[field] for field, name in _END_ATTRIBUTES.items() if fields.get(field) is not None
    }
    found["langfuse.observation.model.name"] = fields["model"]
    found["gen_ai.provider.name"] = fields["provider"]
    found["gen_ai.operation.name"] = fields["operation_name"]
    classes = usage.class_tokens
    written = [classes.get(name) for name in classes if name.startswith("cache_write")]
    counts = {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": classes.get("cache_read"),
        "gen_ai.usage.cache_write.input_tokens": None if None in written else sum(count or 0 for count in written),
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
    }
    found |= {name: count for name, count in counts.items() if count is not None}
    if fields.get("error_type"):
        found["error.type"] = fields["error_type"]
    if fields.get("time_to_first_token_ms") is not None:
        found["gen_ai.response.time_to_first_chunk"] = fields["time_to_first_token_ms"] / 1000
    if details := langfuse_usage(usage):
        found["langfuse.observation.usage_details"] = json.dumps(details)
    if cost_usd is not None:
        found["trueup.cost_usd"] = fields["cost_usd"]
        found["langfuse.observation.cost_details"] = json.dumps({"total": cost_usd})
    return found


def langfuse_usage(usage: Usage) -> Mapping[str, int]:
    """Return tokens by Langfuse's names: disjoint, like ours, and with reasoning apart from the rest of the output."""
    details = {_LANGFUSE_CLASSES.get(name, name): count for name, count in usage.class_tokens.items() if count}
    reasoning = min(usage.reasoning_tokens or 0, details.get("output", 0))
    if reasoning:
        details["output"] -= reasoning
        details["output_reasoning_tokens"] = reasoning
    if usage.input_tokens is not None and usage.output_tokens is not None:
        details["total"] = usage.input_tokens + usage.output_tokens
    return details
