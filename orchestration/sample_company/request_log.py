"""The application's own request log: `llm.request` lines.

Belongs here: which fields a line has and how each feature's service spells them. Does not belong here: what
happened (`attempts`).

`support_copilot` and `draft_writer` write the provider's usage object, the others flat counts. `search_assist` is
a service of its own that writes camelCase keys and epoch milliseconds, and no project or key.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.sample_company import columns
from orchestration.sample_company.attempts import Attempts
from orchestration.sample_company.catalog import (
    BILLING_SLOTS,
    CALL_PROFILES,
    FEATURE_NAMES,
    FEATURE_OF_KIND,
    MODEL_IDS,
    OUTCOME_NAMES,
    PROVIDER_NAMES,
    PROVIDER_OF_MODEL,
    REQUEST_MODEL_IDS,
    TIER_NAMES,
    Feature,
    Kind,
    Outcome,
    Provider,
    billing_slot,
)
from orchestration.sample_company.columns import ReleaseCalendar
from orchestration.sample_company.company import Company
from orchestration.sample_company.ids import join, number_field, pick, text_buffer, text_field
from orchestration.sample_company.operations import Operations
from orchestration.sample_company.prices import TokenClass

ROWS_AT_A_TIME = 65_536
"""Measured: a million lines take 1.6 s in slices of this size, 2.9 s as one (fresh memory for every column)."""

_STATUS = {
    Outcome.SUCCESS: (200, None),
    Outcome.TIMEOUT: (None, "timeout"),
    Outcome.RATE_LIMITED: (429, "rate_limit_exceeded"),
    Outcome.ERROR: (503, "server_error"),
    Outcome.CANCELLED: (200, None),
}


def camel(name: str) -> str:
    """Return the camelCase spelling of a snake_case name."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def log_order(attempts: Attempts) -> npt.NDArray[np.int64]:
    """Return the attempts in the order of their log lines: as they ended; a repeated line comes again later."""
    logged = np.flatnonzero(attempts.is_logged)
    ends = (attempts.start_ms + attempts.latency_ms)[logged]
    again = logged[attempts.is_repeated[logged]]
    # The shipper sends its buffer again after half a minute.
    late = (attempts.start_ms + attempts.latency_ms)[again] + 30_000
    both = np.concatenate([logged, again])
    return both[np.argsort(np.concatenate([ends, late]), kind="stable")]


class RequestLog:
    """Writes request lines of one part of a day."""

    def __init__(self, company: Company, releases: ReleaseCalendar) -> None:
        self._company = company
        self._releases = releases

    def write(self, ops: Operations, attempts: Attempts, out: Any) -> int:
        """Write the lines to a binary file; returns how many."""
        order = log_order(attempts)
        release = self._releases.of(attempts)
        for start in range(0, len(order), ROWS_AT_A_TIME):
            out.write(text_buffer(self._lines(ops, attempts, release, order[start : start + ROWS_AT_A_TIME])))
        return len(order)

    def _lines(
        self, ops: Operations, attempts: Attempts, release: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
    ) -> pa.Array:
        is_camel = attempts.kind[rows] == Kind.SEARCH
        parts = [
            self._spelled(ops, attempts, release, rows[is_camel], in_camel_case=True),
            self._spelled(ops, attempts, release, rows[~is_camel], in_camel_case=False),
        ]
        order = np.empty(len(rows), dtype=np.int64)
        order[np.concatenate([np.flatnonzero(is_camel), np.flatnonzero(~is_camel)])] = np.arange(len(rows))
        return pa.concat_arrays(parts).take(pa.array(order))

    def _spelled(
        self,
        ops: Operations,
        attempts: Attempts,
        release: npt.NDArray[np.int64],
        rows: npt.NDArray[np.int64],
        *,
        in_camel_case: bool,
    ) -> pa.Array:
        def name(field: str) -> str:
            return camel(field) if in_camel_case else field

        operation = attempts.operation[rows]
        uid, operation_uid = attempts.uid[rows], ops.uid[operation]
        tagged = ~attempts.is_untagged[rows]
        start = attempts.start_ms[rows]
        ts = number_field("ts", start) if in_camel_case else text_field("ts", columns.moments(start))
        return join(
            '{"event":"llm.request"',
            ts,
            text_field(name("request_id"), columns.request_ids(uid)),
            self._fixed(attempts, release, rows, in_camel_case),
            text_field(name("tenant_id"), columns.tenant_ids(self._company, ops, operation), tagged),
            text_field(name("user_id"), columns.user_ids(self._company, ops, operation), tagged),
            number_field(name("latency_ms"), attempts.latency_ms[rows]),
            number_field(
                name("time_to_first_token_ms"),
                attempts.first_token_ms[rows],
                attempts.first_token_ms[rows] >= 0,
            ),
            *(_flat_usage(attempts, rows, in_camel_case)),
            *([] if in_camel_case else _usage_objects(attempts, rows)),
            text_field(name("response_id"), columns.response_ids(attempts, rows)),
            text_field(name("trace_id"), columns.trace_ids(operation_uid)),
            text_field(name("span_id"), columns.span_ids(uid)),
            text_field(name("operation_id"), columns.operation_ids(operation_uid)),
            text_field(
                name("conversation_id"),
                columns.conversation_ids(ops.conversation[operation]),
                np.isin(attempts.kind[rows], (Kind.COPILOT_TURN, Kind.RAG_CHAT)),
            ),
            text_field(
                name("retry_of"), columns.request_ids(attempts.retried_uid[rows]), attempts.number[rows] > 1
            ),
            "}\n",
        )

    def _fixed(
        self,
        attempts: Attempts,
        release: npt.NDArray[np.int64],
        rows: npt.NDArray[np.int64],
        in_camel_case: bool,
    ) -> pa.Array:
        """Return the part of each line that has few distinct values, rendered once for each of them."""
        parts = (
            attempts.kind[rows],
            attempts.model[rows],
            attempts.tier[rows],
            attempts.outcome[rows],
            attempts.number[rows],
            attempts.is_fallback[rows].astype(np.int64),
            attempts.is_untagged[rows].astype(np.int64),
            attempts.cached_response[rows].astype(np.int64),
            release[rows],
        )
        code = np.zeros(len(rows), dtype=np.int64)
        for part in parts:
            code = code * 64 + part
        _, first, group = np.unique(code, return_index=True, return_inverse=True)
        rendered = [
            self._render(tuple(int(part[row]) for part in parts), in_camel_case=in_camel_case)
            for row in first
        ]
        return pick(rendered, group)

    def _render(self, values: tuple[int, ...], *, in_camel_case: bool) -> str:
        kind, model, tier, outcome, number, is_fallback, is_untagged, cached_response, release = values
        provider = PROVIDER_OF_MODEL[model]
        status, error = _STATUS[Outcome(outcome)]
        slot = BILLING_SLOTS[billing_slot(Kind(kind), provider)]
        deployed = self._releases.releases[release]
        fields: dict[str, str | int | bool | None] = {
            "provider": PROVIDER_NAMES[provider],
            "model": MODEL_IDS[model],
            "request_model": REQUEST_MODEL_IDS[model],
            "operation_name": CALL_PROFILES[kind].operation_name,
            "feature": None if is_untagged else FEATURE_NAMES[FEATURE_OF_KIND[kind]],
            "outcome": OUTCOME_NAMES[outcome],
            "http_status": status,
            "error_type": error,
            "service_tier": TIER_NAMES[tier] if provider in (Provider.OPENAI, Provider.ANTHROPIC) else None,
            "provider_project": slot.project_id if slot.is_logged else None,
            "provider_api_key_id": slot.api_key_id if slot.is_logged else None,
            "attempt_number": number,
            "is_fallback": True if is_fallback else None,
            "response_cache_hit": True if cached_response else None,
            "rerank_units": 1 if kind == Kind.RAG_RERANK and outcome == Outcome.SUCCESS else None,
            "prompt_name": deployed.prompt_name if CALL_PROFILES[kind].operation_name == "chat" else None,
            "prompt_version": deployed.prompt_version
            if CALL_PROFILES[kind].operation_name == "chat"
            else None,
            "release": deployed.release_id,
            "environment": "production",
        }
        return "".join(
            f',"{camel(key) if in_camel_case else key}":{_json(value)}'
            for key, value in fields.items()
            if value is not None
        )


def _json(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


_WRITES_USAGE_OBJECT = np.array(
    [feature in (Feature.SUPPORT_COPILOT, Feature.DRAFT_WRITER) for feature in FEATURE_OF_KIND]
)
_COUNTS_TOKENS = np.array([kind is not Kind.RAG_RERANK for kind in Kind])
_IS_CHAT = np.array([profile.operation_name == "chat" for profile in CALL_PROFILES])


def _flat_usage(attempts: Attempts, rows: npt.NDArray[np.int64], in_camel_case: bool) -> list[pa.Array]:
    kind = attempts.kind[rows]
    known = attempts.has_usage[rows] & ~_WRITES_USAGE_OBJECT[kind] & _COUNTS_TOKENS[kind]
    is_chat = known & _IS_CHAT[kind]
    is_claude = is_chat & (attempts.provider[rows] == Provider.ANTHROPIC)
    thinks = is_chat & (attempts.reasoning[rows] > 0) & (attempts.outcome[rows] != Outcome.CANCELLED)
    tokens = attempts.tokens[rows]
    fields = (
        ("input_tokens", tokens.sum(axis=1), known),
        ("output_tokens", attempts.logged_output[rows], is_chat),
        ("cache_read_tokens", tokens[:, TokenClass.CACHE_READ], is_chat),
        ("cache_write_5m_tokens", tokens[:, TokenClass.CACHE_WRITE_5M], is_claude),
        ("cache_write_1h_tokens", tokens[:, TokenClass.CACHE_WRITE_1H], is_claude),
        ("reasoning_tokens", attempts.reasoning[rows], thinks),
    )
    return [
        number_field(camel(field) if in_camel_case else field, values, where)
        for field, values, where in fields
    ]


def _usage_objects(attempts: Attempts, rows: npt.NDArray[np.int64]) -> list[pa.Array]:
    """Return `usage_api` and `usage` as the providers' own answers have them, null for flat lines."""
    known = attempts.has_usage[rows] & _WRITES_USAGE_OBJECT[attempts.kind[rows]]
    is_claude = attempts.provider[rows] == Provider.ANTHROPIC
    tokens = attempts.tokens[rows]
    output = attempts.logged_output[rows]
    writes = tokens[:, TokenClass.CACHE_WRITE_5M :].sum(axis=1)
    total = tokens.sum(axis=1)
    tier = pick(["standard", "batch", "standard"], attempts.tier[rows])
    claude = join(
        ',"usage_api":"anthropic.messages","usage":{"input_tokens":',
        _digits(tokens[:, TokenClass.INPUT]),
        number_field("cache_creation_input_tokens", writes),
        number_field("cache_read_input_tokens", tokens[:, TokenClass.CACHE_READ]),
        ',"cache_creation":{"ephemeral_5m_input_tokens":',
        _digits(tokens[:, TokenClass.CACHE_WRITE_5M]),
        number_field("ephemeral_1h_input_tokens", tokens[:, TokenClass.CACHE_WRITE_1H]),
        "}",
        number_field("output_tokens", output),
        text_field("service_tier", tier),
        "}",
    )
    openai = join(
        ',"usage_api":"openai.chat","usage":{"prompt_tokens":',
        _digits(total),
        number_field("completion_tokens", output),
        number_field("total_tokens", total + output),
        ',"prompt_tokens_details":{"cached_tokens":',
        _digits(tokens[:, TokenClass.CACHE_READ]),
        ',"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}',
    )
    nothing = pa.scalar(None, pa.string())
    return [
        pc.if_else(pa.array(known & is_claude), claude, nothing),
        pc.if_else(pa.array(known & ~is_claude), openai, nothing),
    ]


def _digits(values: npt.NDArray[np.int64]) -> pa.Array:
    return pc.cast(pa.array(values), pa.string())
