"""What the LiteLLM gateway logged: StandardLoggingPayload lines of ticket_classifier.

Belongs here: the payload's shape as LiteLLM 1.109 writes it. Does not belong here: what happened.

The gateway is set up with a success callback only, a common configuration, so its log lacks failed calls.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from orchestration.sample_company import columns
from orchestration.sample_company.attempts import Attempts
from orchestration.sample_company.catalog import (
    MODEL_IDS,
    PROVIDER_NAMES,
    PROVIDER_OF_MODEL,
    REQUEST_MODEL_IDS,
    TIER_NAMES,
    Kind,
    Model,
    Outcome,
    Provider,
)
from orchestration.sample_company.company import Company
from orchestration.sample_company.ids import hex_ids, mix
from orchestration.sample_company.ledger import list_pico_usd
from orchestration.sample_company.operations import Operations
from orchestration.sample_company.prices import PICO, TokenClass
from orchestration.sample_company.text_columns import (
    Ints,
    Text,
    dashed,
    digits_of,
    join,
    number_field,
    pick,
    seconds,
    text_buffer,
    text_field,
)

_REDACTED = (
    ',"messages":[{"role":"user","content":"redacted-by-litellm"}],"response":{"choices":[{"message":'
    '{"content":"redacted-by-litellm","role":"assistant"}}]}'
)


class GatewayLog:
    """Writes the gateway's lines of one part of a day."""

    def __init__(self, company: Company, observed_share: float, cut_ms: int | None) -> None:
        self._company = company
        self._observed = int(observed_share * 10_000)
        self._cut_ms = cut_ms

    def write(self, ops: Operations, attempts: Attempts, out: Any) -> int:
        """Write the lines to a binary file; returns how many."""
        sampled = mix(ops.uid, 80) % np.uint64(10_000) < self._observed
        rows = np.flatnonzero(
            (attempts.kind == Kind.CLASSIFY)
            & (attempts.outcome == Outcome.SUCCESS)
            & ~attempts.cached_response
            & (attempts.provider != Provider.AZURE)
            & sampled[attempts.operation]
        )
        if len(rows):
            out.write(text_buffer(self._lines(ops, attempts, rows)))
        return len(rows)

    def _lines(self, ops: Operations, attempts: Attempts, rows: Ints) -> Text:
        operation = attempts.operation[rows]
        start = attempts.start_ms[rows]
        tokens, output = attempts.tokens[rows], attempts.output[rows]
        total = tokens.sum(axis=1)
        after_cut = (start >= self._cut_ms).astype(np.int64) if self._cut_ms is not None else np.zeros_like(start)
        pico = list_pico_usd(attempts.model[rows], attempts.tier[rows], tokens, output, after_cut=after_cut)
        call = mix(attempts.uid[rows], 17), mix(attempts.uid[rows], 18)
        return join(
            '{"id":"',
            columns.openai_response_ids(attempts, rows),
            '","litellm_call_id":"',
            dashed(hex_ids("", *call), (8, 12, 16, 20)),
            '","trace_id":"',
            columns.trace_ids(ops.uid[operation]),
            '","session_id":""',
            pick([_head(Model(model), tier) for model in Model for tier in range(3)],
                 attempts.model[rows] * 3 + attempts.tier[rows]),
            ',"startTime":',
            seconds(start),
            ',"endTime":',
            seconds(start + attempts.latency_ms[rows]),
            ',"completionStartTime":',
            seconds(start + attempts.latency_ms[rows]),
            number_field("prompt_tokens", total),
            number_field("completion_tokens", output),
            number_field("total_tokens", total + output),
            ',"response_cost":',
            digits_of(pico / PICO),
            text_field("end_user", columns.tenant_ids(self._company, ops, operation)),
            ',"metadata":{"user_api_key_alias":"ticket-classifier","user_api_key_team_id":"support"',
            text_field("user_api_key_end_user_id", columns.tenant_ids(self._company, ops, operation)),
            *_usage_object(attempts, rows),
            "}",
            _REDACTED,
            "}\n",
        )  # fmt: skip


def _head(model: Model, tier: int) -> str:
    provider = PROVIDER_NAMES[PROVIDER_OF_MODEL[model]]
    return (
        ',"call_type":"acompletion","cache_hit":false,"stream":false,"status":"success"'
        f',"custom_llm_provider":"{provider}","model":"{MODEL_IDS[model]}"'
        f',"model_group":"{REQUEST_MODEL_IDS[model]}","request_tags":["feature:ticket_classifier"]'
        f',"model_parameters":{{"service_tier":"{TIER_NAMES[tier]}"}}'
    )


def _usage_object(attempts: Attempts, rows: Ints) -> list[Text | str]:
    tokens, output = attempts.tokens[rows], attempts.output[rows]
    is_claude = attempts.provider[rows] == Provider.ANTHROPIC
    writes = tokens[:, TokenClass.CACHE_WRITE_5M :].sum(axis=1)
    tier = pick(["default", "batch", "flex"], attempts.tier[rows])
    return [
        ',"usage_object":{"object":"usage"',
        number_field("prompt_tokens", tokens.sum(axis=1)),
        number_field("completion_tokens", output),
        number_field("total_tokens", tokens.sum(axis=1) + output),
        ',"prompt_tokens_details":{"audio_tokens":null',
        number_field("cached_tokens", tokens[:, TokenClass.CACHE_READ]),
        number_field("cache_creation_tokens", writes, is_claude),
        '},"completion_tokens_details":{"audio_tokens":null',
        number_field("reasoning_tokens", attempts.reasoning[rows]),
        "}",
        number_field("cache_creation_input_tokens", writes, is_claude),
        number_field("cache_read_input_tokens", tokens[:, TokenClass.CACHE_READ], is_claude),
        text_field("service_tier", tier, ~is_claude),
        text_field("service_tier", pick(["standard"], np.zeros(len(rows), dtype=int)), is_claude),
        "}",
    ]
