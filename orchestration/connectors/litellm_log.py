"""LiteLLM's own log: `StandardLoggingPayload`s as its callbacks write them, one JSON object a line.

Belongs here: the landed table and the way from lines to rows. Does not belong here: what a payload means
(`litellm_payload`), which lines are new (`log_files`). LiteLLM's spend table and HTTP endpoints are other
sources: they tell of the same calls in other words.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, cast

import orjson
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from orchestration.connectors.base import (
    PullSink,
    QuarantinedRow,
    SecretResolver,
    TableKind,
    TableSpec,
    Window,
)
from orchestration.connectors.litellm_payload import LATEST_AHEAD, Attribution, BadPayloadError, read_payload
from orchestration.connectors.log_files import Segment, find_inputs, masked, new_segments
from orchestration.connectors.log_rows import RowWriter, UserHasher, numbered_lines, without_cycle_collection

ROWS_AT_ONCE = 50_000

_TEXT, _COUNT, _MS = pa.string(), pa.int64(), pa.float64()

REQUESTS = TableSpec(
    "litellm_requests",
    TableKind.APPEND,
    pa.schema(
        [
            ("request_id", _TEXT),
            ("response_id", _TEXT),
            ("started_at", pa.timestamp("us", tz="UTC")),
            ("provider", _TEXT),
            ("model", _TEXT),
            ("request_model", _TEXT),
            ("feature", _TEXT),
            ("tenant_id", _TEXT),
            ("user_hash", _TEXT),
            ("outcome", _TEXT),
            ("error_type", _TEXT),
            ("latency_ms", _MS),
            ("time_to_first_token_ms", _MS),
            ("call_type", _TEXT),
            ("input_tokens", _COUNT),
            ("output_tokens", _COUNT),
            ("cache_read_tokens", _COUNT),
            ("cache_write_5m_tokens", _COUNT),
            ("cache_write_1h_tokens", _COUNT),
            ("cache_write_tokens", _COUNT),
            ("reasoning_tokens", _COUNT),
            ("web_search_requests", _COUNT),
            ("service_tier", _TEXT),
            ("inference_geo", _TEXT),
            ("trace_id", _TEXT),
            ("conversation_id", _TEXT),
            ("response_cache_hit", pa.bool_()),
            ("cost_usd", pa.decimal128(38, 12)),
            ("tags", _TEXT),
            ("input_file", _TEXT),
        ]
    ),
)
"""One row per call through the gateway. `input_tokens` include cache; `cost_usd` is LiteLLM's estimate."""


class LitellmLogConfig(BaseModel):
    """Where the log lies, and where tenant, feature and user stand in it.

    The three lists are looked through in order; see `Attribution` for what an entry may be. By default a
    field that the caller sets comes before the team of its key, as one key usually serves many customers.
    Where callers are not trusted, put `metadata.user_api_key_team_id` first or alone.

    Attributes:
        path: A file, a folder or a glob of JSON lines (`.gz` too).
        allow_empty: Do not fail when nothing is there yet.
        tenant_from: Where the tenant is found.
        feature_from: Where the feature is found; add `bare_tag` when the feature is the only tag.
        user_from: Where the user id is found; it is hashed before anything is written.
        user_hash_key_env: Variable that holds the key of the user-id hash; read when a user id comes by.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1)
    allow_empty: bool = False
    tenant_from: tuple[str, ...] = (
        "end_user",
        "metadata.user_api_key_end_user_id",
        "tag:tenant:",
        "metadata.user_api_key_team_id",
        "model_parameters.user",
    )
    feature_from: tuple[str, ...] = (
        "tag:feature:",
        "metadata.spend_logs_metadata.feature",
        "metadata.requester_metadata.feature",
    )
    user_from: tuple[str, ...] = (
        "metadata.spend_logs_metadata.user_id",
        "metadata.requester_metadata.user_id",
        "metadata.user_api_key_user_id",
    )
    user_hash_key_env: str = "TRUEUP_USER_HASH_KEY"


class LitellmLog:
    """Lands the calls of a LiteLLM log."""

    kind: ClassVar[str] = "litellm_log"
    tables: ClassVar[tuple[TableSpec, ...]] = (REQUESTS,)
    Config: ClassVar[type[LitellmLogConfig]] = LitellmLogConfig

    def __init__(self, source_name: str, config: LitellmLogConfig, secrets: SecretResolver) -> None:
        self._source_name = source_name
        self._config = config
        self._attribution = Attribution(config.tenant_from, config.feature_from, config.user_from)
        self._hash_user = UserHasher(lambda: secrets(config.user_hash_key_env))

    def pull(self, sink: PullSink, window: Window | None) -> None:
        """Land every call that is new; a log is read by what is new in it, not by days.

        Args:
            sink: The pull to write to.
            window: Ignored.

        Raises:
            ConnectorError: There is no input.
            MissingSecretError: A payload names a user and the key of the hash is not set.
        """
        del window
        inputs = find_inputs(self._source_name, self._config.path, allow_empty=self._config.allow_empty)
        for segment in new_segments(sink, REQUESTS, inputs):
            if not sink.already_landed(REQUESTS, segment.content_hash):
                with without_cycle_collection():
                    self._land_segment(sink, segment)

    def _land_segment(self, sink: PullSink, segment: Segment) -> None:
        writer = RowWriter(sink, REQUESTS, f"{segment.content_hash}.rows")
        quarantined = list(segment.quarantined)
        cut_off = {row.line_number for row in segment.quarantined}
        read, blank = len(quarantined), 0
        rows: list[dict[str, Any]] = []
        for number, line in numbered_lines(segment):
            text = line.strip()
            if not text:
                # An empty line stands where one was cut off; that one is counted already.
                blank += number not in cut_off
                continue
            read += 1
            try:
                rows.append(self._row(text, segment, sink.pulled_at + LATEST_AHEAD))
            except BadPayloadError as error:
                quarantined.append(QuarantinedRow(segment.input_file, number, error.reason, masked(text)))
            if len(rows) >= ROWS_AT_ONCE:
                _write(writer, rows)
                rows = []
        _write(writer, rows)
        writer.append(segment.content_hash, segment.input_file)
        sink.count_read(REQUESTS, read + blank, blank)
        sink.quarantine(REQUESTS, quarantined)

    def _row(self, text: bytes, segment: Segment, latest: datetime) -> dict[str, Any]:
        try:
            payload: Any = orjson.loads(text)
        except ValueError as error:
            raise BadPayloadError("invalid_json") from error
        if not isinstance(payload, dict):
            raise BadPayloadError("invalid_json")
        row = read_payload(cast("dict[str, Any]", payload), self._attribution, latest)
        row["user_hash"] = self._hash_user(row.pop("user_id"))
        row["input_file"] = segment.input_file
        return row


def _write(writer: RowWriter, rows: list[dict[str, Any]]) -> None:
    writer.write({name: [row[name] for row in rows] for name in REQUESTS.schema.names})
