"""What OpenTelemetry saw: OTLP/JSON lines as a collector's file exporter writes them.

Belongs here: spans, their attributes and how they are batched into lines. Does not belong here: what
happened.

Two services export spans. `rag-api` runs the OpenAI instrumentation of the older generation of names, and its
calls are in the request log as well. `search-edge` is new, writes the newest names, and nothing else knows
its calls. Tenant, feature, release and user stand on the operation's root span only, which may arrive a line
later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from orchestration.sample_company import columns
from orchestration.sample_company.attempts import Attempts
from orchestration.sample_company.catalog import (
    CALL_PROFILES,
    FEATURE_NAMES,
    FEATURE_OF_FLOW,
    MODEL_IDS,
    REQUEST_MODEL_IDS,
    Kind,
    Outcome,
    Provider,
)
from orchestration.sample_company.columns import ReleaseCalendar
from orchestration.sample_company.company import Company
from orchestration.sample_company.ids import mix
from orchestration.sample_company.operations import Operations
from orchestration.sample_company.prices import TokenClass
from orchestration.sample_company.text_columns import (
    Flags,
    Ints,
    Text,
    around,
    comma_joined,
    digits_of,
    join,
    only_where,
    pick,
    text_buffer,
)

OPERATIONS_PER_LINE = 48
_ROOTS_LAG = 12
"""Root spans end last, so a batch holds the roots of slightly earlier operations than its calls."""

_ERROR_TYPES = {
    Outcome.TIMEOUT: "APITimeoutError",
    Outcome.RATE_LIMITED: "RateLimitError",
    Outcome.ERROR: "InternalServerError",
    Outcome.CANCELLED: "CancelledError",
}


@dataclass(frozen=True)
class _Service:
    name: str
    root_name: str
    scope: str
    scope_version: str
    schema_url: str
    newest_names: bool

    def head(self) -> str:
        """Return a line up to its first call span."""
        return (
            '{"resourceSpans":[{"resource":{"attributes":['
            + ",".join(
                (
                    _text("service.name", self.name),
                    _text("deployment.environment.name", "production"),
                    _text("telemetry.sdk.language", "python"),
                    _text("telemetry.sdk.name", "opentelemetry"),
                )
            )
            + ']},"scopeSpans":[{"scope":{"name":"'
            + self.scope
            + '","version":"'
            + self.scope_version
            + '"},"spans":['
        )

    def middle(self) -> str:
        """Return a line's text between its call spans and its root spans."""
        return f'],"schemaUrl":"{self.schema_url}"}},{{"scope":{{"name":"{self.name}"}},"spans":['


_TAIL = "]}]}]}\n"
_RAG = _Service(
    "rag-api",
    "POST /rag/answers",
    "opentelemetry.instrumentation.openai_v2",
    "2.4b0",
    "https://opentelemetry.io/schemas/1.30.0",
    newest_names=False,
)
_SEARCH = _Service(
    "search-edge",
    "POST /search",
    "opentelemetry.util.genai.handler",
    "1.3b0",
    "https://opentelemetry.io/schemas/1.40.0",
    newest_names=True,
)


def _text(key: str, value: str) -> str:
    return f'{{"key":"{key}","value":{{"stringValue":"{value}"}}}}'


def _text_attribute(key: str, values: Text) -> Text:
    return around(f',{{"key":"{key}","value":{{"stringValue":"', values, '"}}')


def _int_attribute(key: str, values: Ints, known: Flags) -> Text:
    return around(f',{{"key":"{key}","value":{{"intValue":"', only_where(known, digits_of(values)), '"}}')


def _nanos(ms: Ints) -> Text:
    return around("", digits_of(ms), "000000")


class OtelLog:
    """Writes the spans of one part of a day."""

    def __init__(self, company: Company, releases: ReleaseCalendar, observed_share: float) -> None:
        self._company = company
        self._releases = releases
        self._observed = int(observed_share * 10_000)

    def write(self, ops: Operations, attempts: Attempts, out: Any) -> int:
        """Write the lines to a binary file; returns the number of spans of calls."""
        sampled = mix(ops.uid, 79) % np.uint64(10_000) < self._observed
        asked = ~attempts.cached_response & (attempts.provider == Provider.OPENAI)
        is_rag = np.isin(attempts.kind, (Kind.RAG_EMBED, Kind.RAG_CHAT)) & sampled[attempts.operation]
        release = self._releases.of(attempts)
        spans = 0
        for service, rows in ((_RAG, is_rag & asked), (_SEARCH, ~attempts.is_logged & asked)):
            chosen = np.flatnonzero(rows)
            spans += len(chosen)
            if len(chosen):
                out.write(text_buffer(self._lines(service, ops, attempts, release, chosen)))
        return spans

    def _lines(self, service: _Service, ops: Operations, attempts: Attempts, release: Ints, rows: Ints) -> Text:
        operations, rank = np.unique(attempts.operation[rows], return_inverse=True)
        last_of = np.append(np.flatnonzero(np.diff(rank)), len(rank) - 1)
        ends = (attempts.start_ms + attempts.latency_ms)[rows]
        roots = self._roots(service, ops, operations, release[rows][last_of], ends[last_of])
        calls = self._calls(service, ops, attempts, rows)
        lines = (len(operations) - 1 + _ROOTS_LAG) // OPERATIONS_PER_LINE + 1
        root_rank = np.arange(len(operations)) + _ROOTS_LAG
        return join(
            service.head(),
            comma_joined(calls, rank // OPERATIONS_PER_LINE, lines),
            service.middle(),
            comma_joined(roots, root_rank // OPERATIONS_PER_LINE, lines),
            _TAIL,
        )

    def _roots(self, service: _Service, ops: Operations, operations: Ints, release: Ints, ends: Ints) -> Text:
        uid = ops.uid[operations]
        names = [FEATURE_NAMES[feature] for feature in FEATURE_OF_FLOW]
        return join(
            '{"traceId":"',
            columns.trace_ids(uid),
            '","spanId":"',
            columns.parent_span_ids(uid),
            f'","name":"{service.root_name}","kind":2,"startTimeUnixNano":"',
            _nanos(ops.start_ms[operations] - 2),
            '","endTimeUnixNano":"',
            _nanos(ends + 3),
            '","attributes":[{"key":"http.request.method","value":{"stringValue":"POST"}}',
            _text_attribute("app.tenant_id", columns.tenant_ids(self._company, ops, operations)),
            _text_attribute("app.feature", pick(names, ops.flow[operations])),
            _text_attribute("app.release", pick([one.release_id for one in self._releases.releases], release)),
            _text_attribute("app.operation_id", columns.operation_ids(uid)),
            _text_attribute("user.id", columns.user_ids(self._company, ops, operations)),
            '],"status":{}}',
        )

    def _calls(self, service: _Service, ops: Operations, attempts: Attempts, rows: Ints) -> Text:
        operation_uid = ops.uid[attempts.operation[rows]]
        is_chat = attempts.kind[rows] != Kind.RAG_EMBED
        known = attempts.has_usage[rows]
        tokens = attempts.tokens[rows]
        newest = np.full(len(rows), service.newest_names)
        return join(
            '{"traceId":"',
            columns.trace_ids(operation_uid),
            '","spanId":"',
            columns.span_ids(attempts.uid[rows]),
            '","parentSpanId":"',
            columns.parent_span_ids(operation_uid),
            self._fixed(service, attempts, rows),
            _text_attribute("gen_ai.response.id", columns.openai_response_ids(attempts, rows)),
            _int_attribute("gen_ai.usage.input_tokens", tokens.sum(axis=1), known),
            _int_attribute("gen_ai.usage.output_tokens", attempts.logged_output[rows], known & is_chat),
            _int_attribute(
                "gen_ai.usage.cache_read.input_tokens",
                tokens[:, TokenClass.CACHE_READ],
                known & is_chat & newest,
            ),
            _int_attribute(
                "gen_ai.usage.reasoning.output_tokens",
                attempts.reasoning[rows],
                known & newest & (attempts.outcome[rows] == Outcome.SUCCESS),
            ),
            '],"startTimeUnixNano":"',
            _nanos(attempts.start_ms[rows]),
            '","endTimeUnixNano":"',
            _nanos(attempts.start_ms[rows] + attempts.latency_ms[rows]),
            pick(
                ['","status":{}}', '","status":{"code":2}}'],
                (attempts.outcome[rows] != Outcome.SUCCESS).astype(int),
            ),
        )

    def _fixed(self, service: _Service, attempts: Attempts, rows: Ints) -> Text:
        code = (attempts.kind[rows] * 16 + attempts.model[rows]) * 16 + attempts.outcome[rows]
        distinct, group = np.unique(code, return_inverse=True)
        rendered = [_render_call(service, int(one) // 256, int(one) // 16 % 16, int(one) % 16) for one in distinct]
        return pick(rendered, group)


def _render_call(service: _Service, kind: int, model: int, outcome: int) -> str:
    operation = CALL_PROFILES[kind].operation_name
    succeeded = outcome == Outcome.SUCCESS
    tier = "openai.response.service_tier" if service.newest_names else "gen_ai.openai.response.service_tier"
    attributes = [
        _text("gen_ai.operation.name", operation),
        _text("gen_ai.provider.name" if service.newest_names else "gen_ai.system", "openai"),
        _text("gen_ai.request.model", REQUEST_MODEL_IDS[model]),
        _text("server.address", "api.openai.com"),
    ]
    if outcome in (Outcome.SUCCESS, Outcome.CANCELLED):
        attributes.append(_text("gen_ai.response.model", MODEL_IDS[model]))
    if succeeded and operation == "chat":
        attributes.append(_text(tier, "default"))
    if not succeeded:
        attributes.append(_text("error.type", _ERROR_TYPES[Outcome(outcome)]))
    return f'","name":"{operation} {REQUEST_MODEL_IDS[model]}","kind":3,"attributes":[' + ",".join(attributes)
