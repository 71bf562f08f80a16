"""The application's own log of its model calls: `llm.request`, one JSON object a line, one line per attempt.

The shape is ours and is written down in `schemas/llm_request.v1.json`. Belongs here: its fields and their landed
types. Does not belong here: what a provider's usage object means; it lands verbatim and is read by dbt staging.
"""

from __future__ import annotations

from typing import ClassVar

from orchestration.connectors.base import TableSpec
from orchestration.connectors.jsonl import JsonLinesLog
from orchestration.connectors.line_format import Field, FieldKind, LineFormat

OUTCOMES = ("success", "timeout", "rate_limited", "error", "cancelled")

_TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
)
_FEES = ("web_search_requests", "tool_calls", "rerank_units", "images", "audio_seconds", "characters")
_TEXTS = (
    "service_tier",
    "region",
    "inference_geo",
    "provider_account",
    "provider_project",
    "provider_api_key_id",
    "response_id",
    "trace_id",
    "span_id",
    "operation_id",
    "conversation_id",
    "session_id",
)

FIELDS = (
    Field("ts", FieldKind.MOMENT, column="started_at", required=True),
    Field("request_id", required=True),
    Field("provider", required=True),
    Field("model", required=True),
    Field("request_model"),
    Field("feature"),
    Field("tenant_id"),
    Field("user_id", FieldKind.USER_ID, column="user_hash"),
    Field("outcome", required=True, allowed=OUTCOMES),
    Field("http_status", FieldKind.INTEGER),
    Field("error_type"),
    # Clocks are set back; a call is not refused for it.
    Field("latency_ms", FieldKind.NUMBER, can_be_negative=True),
    Field("time_to_first_token_ms", FieldKind.NUMBER, can_be_negative=True),
    Field("operation_name"),
    Field("usage_api"),
    Field("usage", FieldKind.COUNTS),
    *(Field(name, FieldKind.INTEGER) for name in _TOKENS),
    *(Field(name, FieldKind.QUANTITY) for name in _FEES),
    *(Field(name) for name in _TEXTS),
    Field("attempt_number", FieldKind.INTEGER),
    Field("retry_of"),
    Field("is_fallback", FieldKind.FLAG),
    Field("response_cache_hit", FieldKind.FLAG),
    Field("prompt_name"),
    Field("prompt_version"),
    Field("release"),
    Field("environment"),
    Field("cost_usd", FieldKind.USD, can_be_negative=True),
    Field("tags", FieldKind.LABELS),
)

FORMAT = LineFormat("llm_requests", "llm.request", FIELDS)
LLM_REQUESTS = FORMAT.table


class LlmRequestLog(JsonLinesLog):
    """Lands `llm.request` lines."""

    kind: ClassVar[str] = "llm_request_log"
    tables: ClassVar[tuple[TableSpec, ...]] = (LLM_REQUESTS,)
    line_format: ClassVar[LineFormat] = FORMAT
