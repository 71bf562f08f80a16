"""The application's own log of its model calls: `llm.request`, one JSON object a line, one line per attempt.

The shape is ours and is written down in `schemas/llm_request.v1.json`. Belongs here: its fields and their landed
types. Does not belong here: what a provider's usage object means; it lands verbatim and is read by dbt staging.
"""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from orchestration.connectors.base import PullSink, SecretResolver, TableKind, TableSpec, Window
from orchestration.connectors.jsonl import Field as LineField
from orchestration.connectors.jsonl import LineFormat, land_json_lines

OUTCOMES = ("success", "timeout", "rate_limited", "error", "cancelled")

_COUNTS = (
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
    LineField("ts", "moment", column="started_at", required=True),
    LineField("request_id", required=True),
    LineField("provider", required=True),
    LineField("model", required=True),
    LineField("request_model"),
    LineField("feature"),
    LineField("tenant_id"),
    LineField("user_id", "user_id", column="user_hash"),
    LineField("outcome", required=True, allowed=OUTCOMES),
    LineField("http_status", "integer"),
    LineField("error_type"),
    LineField("latency_ms", "number"),
    LineField("time_to_first_token_ms", "number"),
    LineField("operation_name"),
    LineField("usage_api"),
    LineField("usage", "object"),
    *(LineField(name, "integer") for name in _COUNTS),
    *(LineField(name, "decimal", type="decimal(18, 6)") for name in _FEES),
    *(LineField(name) for name in _TEXTS),
    LineField("attempt_number", "integer"),
    LineField("retry_of"),
    LineField("is_fallback", "boolean"),
    LineField("response_cache_hit", "boolean"),
    LineField("prompt_name"),
    LineField("prompt_version"),
    LineField("release"),
    LineField("environment"),
    LineField("cost_usd", "decimal", type="decimal(38, 12)"),
    LineField("tags", "object"),
)

_TYPES = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "moment": pa.timestamp("us", tz="UTC"),
}
_DECIMALS = {"decimal(18, 6)": pa.decimal128(18, 6), "decimal(38, 12)": pa.decimal128(38, 12)}


def landed_columns(fields: tuple[LineField, ...]) -> pa.Schema:
    """Return the Arrow schema of a log's fields, in their order, with the input's name at the end."""
    columns = [
        pa.field(field.target, _DECIMALS[field.type] if field.type else _TYPES.get(field.kind, pa.string()))
        for field in fields
    ]
    return pa.schema([*columns, pa.field("input_file", pa.string())])


LLM_REQUESTS = TableSpec("llm_requests", TableKind.APPEND, landed_columns(FIELDS))
FORMAT = LineFormat(LLM_REQUESTS, "llm.request", FIELDS)


class LogConfig(BaseModel):
    """Where a log lies.

    Attributes:
        path: A file, a folder (searched through for .jsonl, .ndjson, .json, .log, also .gz) or a glob.
        allow_empty: Do not fail when nothing is there yet.
        user_hash_key_env: Environment variable with the key under which user ids are hashed; needed only when the
            lines have user ids.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1)
    allow_empty: bool = False
    user_hash_key_env: str = "TRUEUP_USER_HASH_KEY"


class LlmRequestLog:
    """Lands `llm.request` lines."""

    kind: ClassVar[str] = "llm_request_log"
    tables: ClassVar[tuple[TableSpec, ...]] = (LLM_REQUESTS,)
    Config = LogConfig

    def __init__(self, source_name: str, config: LogConfig, secrets: SecretResolver) -> None:
        self._source_name = source_name
        self._config = config
        self._secrets = secrets

    def pull(self, sink: PullSink, window: Window | None) -> None:  # noqa: ARG002
        """Land every line that is new; a log is read by what is new in it, not by days.

        Raises:
            ConnectorError: When there is no input.
            MissingSecretError: When a line has a user id and the key is not set.
        """
        land_json_lines(
            sink,
            FORMAT,
            self._config.path,
            allow_empty=self._config.allow_empty,
            user_key=lambda: self._secrets(self._config.user_hash_key_env),
        )
