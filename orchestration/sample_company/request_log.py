"""The application's own request log: `llm.request` lines.

Belongs here: which fields a line has and how each feature's service spells them. Does not belong here: what
happened (`attempts`).

`support_copilot` and `draft_writer` write the provider's usage object, the others flat counts.
`search_assist` is a service of its own that writes camelCase keys and epoch milliseconds, and no project or
key.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

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
from orchestration.sample_company.columns import ReleaseCalendar, ResponseIdForm
from orchestration.sample_company.company import Company
from orchestration.sample_company.ids import hex_ids
from orchestration.sample_company.operations import Operations
from orchestration.sample_company.prices import TokenClass
from orchestration.sample_company.text_columns import (
    Ints,
    Text,
    concat,
    digits_of,
    join,
    moments,
    pick,
    take,
    text_buffer,
)

ROWS_AT_A_TIME = 65_536
"""Measured: slices of this size take half the time of one piece, whose every column is fresh memory."""

_STATUS = {
    Outcome.SUCCESS: (200, None),
    Outcome.TIMEOUT: (None, "timeout"),
    Outcome.RATE_LIMITED: (429, "rate_limit_exceeded"),
    Outcome.ERROR: (503, "server_error"),
    Outcome.CANCELLED: (200, None),
}


class UsageForm(IntEnum):
    """How a line states its usage."""

    NONE = 0
    INPUT_ONLY = 1
    FLAT = 2
    FLAT_WITH_REASONING = 3
    FLAT_CLAUDE = 4
    CLAUDE_OBJECT = 5
    OPENAI_OBJECT = 6


@dataclass(frozen=True)
class _Shape:
    """What decides which fields a line has; lines of one shape are written together."""

    in_camel_case: bool
    usage: UsageForm
    response_id: ResponseIdForm
    is_tagged: bool
    has_first_token: bool
    has_conversation: bool
    is_retry: bool

    def name(self, field: str) -> str:
        """Return a field's name as this line spells it."""
        return camel(field) if self.in_camel_case else field


def camel(name: str) -> str:
    """Return the camelCase spelling of a snake_case name."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def log_order(attempts: Attempts) -> Ints:
    """Return the attempts in the order of their lines: as they ended; a repeated line comes again later."""
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
        shape = _shape_codes(attempts)
        for start in range(0, len(order), ROWS_AT_A_TIME):
            rows = order[start : start + ROWS_AT_A_TIME]
            out.write(text_buffer(self._lines(ops, attempts, release, shape[rows], rows)))
        return len(order)

    def _lines(self, ops: Operations, attempts: Attempts, release: Ints, shape: Ints, rows: Ints) -> Text:
        by_shape = np.argsort(shape, kind="stable")
        codes, starts = np.unique(shape[by_shape], return_index=True)
        groups = np.split(by_shape, starts[1:])
        lines = concat(
            [
                self._lines_of(_shape_of(int(code)), ops, attempts, release, rows[group])
                for code, group in zip(codes, groups, strict=True)
            ]
        )
        place = np.empty(len(rows), dtype=np.int64)
        place[by_shape] = np.arange(len(rows))
        return take(lines, place)

    def _lines_of(self, shape: _Shape, ops: Operations, attempts: Attempts, release: Ints, rows: Ints) -> Text:
        name = shape.name
        operation = attempts.operation[rows]
        uid, operation_uid = attempts.uid[rows], ops.uid[operation]
        start = attempts.start_ms[rows]
        pieces: list[Text | str] = ['{"event":"llm.request","ts":']
        pieces += [digits_of(start)] if shape.in_camel_case else ['"', moments(start), '"']
        pieces += [
            hex_ids(f',"{name("request_id")}":"req_', uid, after='"'),
            self._fixed(attempts, release, rows, shape),
        ]
        if shape.is_tagged:
            tenant = columns.tenant_ids(self._company, ops, operation)
            user = digits_of(ops.user[operation] + 1)
            pieces += [f',"{name("tenant_id")}":"', tenant, f'","{name("user_id")}":"user-', user, "@"]
            pieces += [tenant, '.example"']
        pieces += [f',"{name("latency_ms")}":', digits_of(attempts.latency_ms[rows])]
        if shape.has_first_token:
            pieces += [f',"{name("time_to_first_token_ms")}":', digits_of(attempts.first_token_ms[rows])]
        pieces += _usage(shape, attempts, rows)
        if shape.response_id is not ResponseIdForm.NONE:
            pieces += [columns.response_id_field(shape.response_id, f',"{name("response_id")}":"', uid)]
        pieces += [
            columns.trace_ids(operation_uid, f',"{name("trace_id")}":"', '"'),
            columns.span_ids(uid, f',"{name("span_id")}":"', '"'),
            columns.operation_ids(operation_uid, f',"{name("operation_id")}":"', '"'),
        ]
        if shape.has_conversation:
            conversation = ops.conversation[operation]
            pieces += [columns.conversation_ids(conversation, f',"{name("conversation_id")}":"', '"')]
        if shape.is_retry:
            pieces += [columns.request_ids(attempts.retried_uid[rows], f',"{name("retry_of")}":"', '"')]
        return join(*pieces, "}\n")

    def _fixed(self, attempts: Attempts, release: Ints, rows: Ints, shape: _Shape) -> Text:
        """Return the part of each line that has few distinct values, rendered once for each of them."""
        parts = (
            attempts.kind[rows],
            attempts.model[rows],
            attempts.tier[rows],
            attempts.outcome[rows],
            attempts.number[rows],
            attempts.is_fallback[rows].astype(np.int64),
            attempts.cached_response[rows].astype(np.int64),
            release[rows],
        )
        code = np.zeros(len(rows), dtype=np.int64)
        for part in parts:
            code = code * 64 + part
        _, first, group = np.unique(code, return_index=True, return_inverse=True)
        rendered = [self._render([int(part[row]) for part in parts], shape) for row in first]
        return pick(rendered, group)

    def _render(self, values: list[int], shape: _Shape) -> str:
        kind, model, tier, outcome, number, is_fallback, cached_response, release = values
        provider = PROVIDER_OF_MODEL[model]
        status, error = _STATUS[Outcome(outcome)]
        slot = BILLING_SLOTS[billing_slot(Kind(kind), provider)]
        operation = CALL_PROFILES[kind].operation_name
        deployed = self._releases.releases[release]
        fields: dict[str, str | int | bool | None] = {
            "provider": PROVIDER_NAMES[provider],
            "model": MODEL_IDS[model],
            "request_model": REQUEST_MODEL_IDS[model],
            "operation_name": None if operation == "chat" else operation,
            "feature": FEATURE_NAMES[FEATURE_OF_KIND[kind]] if shape.is_tagged else None,
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
            "prompt_version": deployed.prompt_version if operation == "chat" else None,
            "release": deployed.release_id,
        }
        return "".join(f',"{shape.name(field)}":{_json(value)}' for field, value in fields.items() if value is not None)


def _json(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


_WRITES_USAGE_OBJECT = np.array(
    [feature in (Feature.SUPPORT_COPILOT, Feature.DRAFT_WRITER) for feature in FEATURE_OF_KIND]
)
_COUNTS_TOKENS = np.array([kind is not Kind.RAG_RERANK for kind in Kind])
_IS_CHAT = np.array([profile.operation_name == "chat" for profile in CALL_PROFILES])


def _shape_codes(attempts: Attempts) -> Ints:
    """Return each attempt's shape as one number; `_shape_of` reads it."""
    kind = attempts.kind
    is_claude = attempts.provider == Provider.ANTHROPIC
    thinks = (attempts.reasoning > 0) & (attempts.outcome != Outcome.CANCELLED)
    flat = np.where(
        is_claude,
        UsageForm.FLAT_CLAUDE,
        np.where(thinks, UsageForm.FLAT_WITH_REASONING, UsageForm.FLAT),
    )
    objects = np.where(is_claude, UsageForm.CLAUDE_OBJECT, UsageForm.OPENAI_OBJECT)
    usage = np.where(_WRITES_USAGE_OBJECT[kind], objects, flat)
    usage = np.where(_IS_CHAT[kind], usage, UsageForm.INPUT_ONLY)
    usage = np.where(attempts.has_usage & _COUNTS_TOKENS[kind], usage, UsageForm.NONE)
    code = usage.astype(np.int64) * 4 + columns.response_id_forms(attempts)
    for flag in (
        kind == Kind.SEARCH,
        ~attempts.is_untagged,
        attempts.first_token_ms >= 0,
        np.isin(kind, (Kind.COPILOT_TURN, Kind.RAG_CHAT)),
        attempts.number > 1,
    ):
        code = code * 2 + flag
    return code


def _shape_of(code: int) -> _Shape:
    usage, response_id = divmod(code >> 5, 4)
    return _Shape(
        in_camel_case=bool(code & 16),
        usage=UsageForm(usage),
        response_id=ResponseIdForm(response_id),
        is_tagged=bool(code & 8),
        has_first_token=bool(code & 4),
        has_conversation=bool(code & 2),
        is_retry=bool(code & 1),
    )


def _usage(shape: _Shape, attempts: Attempts, rows: Ints) -> list[Text | str]:
    """Return the fields that state the usage, in the form of the shape."""
    if shape.usage is UsageForm.NONE:
        return []
    tokens, output = attempts.tokens[rows], attempts.logged_output[rows]
    total = tokens.sum(axis=1)
    read = digits_of(tokens[:, TokenClass.CACHE_READ])
    match shape.usage:
        case UsageForm.CLAUDE_OBJECT:
            return [
                ',"usage_api":"anthropic.messages","usage":{"input_tokens":',
                digits_of(tokens[:, TokenClass.INPUT]),
                ',"cache_creation_input_tokens":',
                digits_of(tokens[:, TokenClass.CACHE_WRITE_5M :].sum(axis=1)),
                ',"cache_read_input_tokens":',
                read,
                ',"cache_creation":{"ephemeral_5m_input_tokens":',
                digits_of(tokens[:, TokenClass.CACHE_WRITE_5M]),
                ',"ephemeral_1h_input_tokens":',
                digits_of(tokens[:, TokenClass.CACHE_WRITE_1H]),
                '},"output_tokens":',
                digits_of(output),
                "}",
            ]
        case UsageForm.OPENAI_OBJECT:
            return [
                ',"usage_api":"openai.chat","usage":{"prompt_tokens":',
                digits_of(total),
                ',"completion_tokens":',
                digits_of(output),
                ',"total_tokens":',
                digits_of(total + output),
                ',"prompt_tokens_details":{"cached_tokens":',
                read,
                '},"completion_tokens_details":{"reasoning_tokens":0}}',
            ]
        case _:
            pass
    fields: list[tuple[str, Text]] = [("input_tokens", digits_of(total))]
    if shape.usage is not UsageForm.INPUT_ONLY:
        fields += [("output_tokens", digits_of(output)), ("cache_read_tokens", read)]
    if shape.usage is UsageForm.FLAT_CLAUDE:
        fields += [
            ("cache_write_5m_tokens", digits_of(tokens[:, TokenClass.CACHE_WRITE_5M])),
            ("cache_write_1h_tokens", digits_of(tokens[:, TokenClass.CACHE_WRITE_1H])),
        ]
    if shape.usage is UsageForm.FLAT_WITH_REASONING:
        fields.append(("reasoning_tokens", digits_of(attempts.reasoning[rows])))
    return [piece for field, values in fields for piece in (f',"{shape.name(field)}":', values)]
