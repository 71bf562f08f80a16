"""What the providers served and what the application saw of it: the attempts of one part of one day.

Belongs here: failures, retries, fallbacks, cut-off streams and time. Does not belong here: what a call was
meant to be (`calls`), the text of any log (`request_log`, `otel_log`, `gateway_log`) and money.

An attempt has two sides. `served`, `tokens` and `output` are the provider's truth and are what it bills.
`has_usage` and `logged_output` are what the application knows: a call that timed out on the client is billed
and has no usage in the log, a stream that the user cut off has none or only the part that had arrived.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.sample_company.calls import Calls
from orchestration.sample_company.catalog import (
    BILLING_SLOTS,
    CALL_PROFILES,
    PROVIDER_OF_MODEL,
    Kind,
    Model,
    Outcome,
    Provider,
    Tier,
    billing_slot,
)
from orchestration.sample_company.ids import U64, mix
from orchestration.sample_company.incidents import IncidentKind, IncidentPlan
from orchestration.sample_company.operations import Operations
from orchestration.sample_company.options import SampleOptions
from orchestration.sample_company.prices import TokenClass
from orchestration.sample_company.text_columns import Flags, Ints

CLIENT_TIMEOUT_MS = 30_000
MOST_ATTEMPTS = 3
FALLBACK_SHARE = 0.35
"""Share of retries that go to another model."""
SPANS_ONLY_SHARE = 0.04
"""Share of search_assist that a new service serves; it has spans and no request log."""
REPEATED_LINE_SHARE = 0.0008
"""Share of log lines that the shipper delivers twice."""
LONGEST_OPERATION_MS = 1_500_000
"""Less than the half hour that the last day keeps free."""

_PROVIDER = np.array(PROVIDER_OF_MODEL)
_SLOT = np.array([[billing_slot(kind, provider) for provider in Provider] for kind in Kind])
_SLOT_IS_LOGGED = np.array([slot.is_logged for slot in BILLING_SLOTS])
_IS_CHAT = np.array([profile.operation_name == "chat" for profile in CALL_PROFILES])
_STREAMED = (Kind.COPILOT_TURN, Kind.DRAFT, Kind.SEARCH)


@dataclass(frozen=True)
class Attempts:
    """Attempts of one part of a day in order of operation and time; one entry each in every array.

    Attributes:
        operation: Position in the part's operations.
        retried_uid: `uid` of the attempt that this one repeats, 0 for a first attempt.
        number: 1 for the first attempt of a call.
        start_ms: UTC epoch milliseconds. `first_token_ms`: -1 where there is none.
        tokens: Shape (attempts, 4): input classes in the order of `TokenClass`, as the provider counts them.
        output, reasoning: Output tokens as the provider counts them, and their part that is reasoning.
        served: The provider worked on it and bills it.
        has_usage: The application knows the usage; its output count is then `logged_output`.
        cached_response: The application answered from its own cache; no provider was asked.
        is_logged: The application's log has a line of it. `is_repeated`: and has it twice.
        is_untagged: The line lacks tenant, user and feature.
        is_last: The last attempt of the last call of its operation.
        extra_by: Incident without which it would not exist. `shaped_by`: incident that changed it.
        usual_model, usual_tokens: What it would have been without the incident in `shaped_by`.
    """

    uid: U64
    retried_uid: U64
    operation: Ints
    kind: Ints
    model: Ints
    tier: Ints
    outcome: Ints
    number: Ints
    is_fallback: Flags
    start_ms: Ints
    latency_ms: Ints
    first_token_ms: Ints
    tokens: Ints
    output: Ints
    reasoning: Ints
    logged_output: Ints
    served: Flags
    has_usage: Flags
    cached_response: Flags
    is_logged: Flags
    is_repeated: Flags
    is_untagged: Flags
    is_last: Flags
    extra_by: Ints
    shaped_by: Ints
    usual_model: Ints
    usual_tokens: Ints

    def __len__(self) -> int:
        return len(self.uid)

    @property
    def provider(self) -> Ints:
        """Position in `PROVIDER_NAMES` of who served."""
        return _PROVIDER[self.model]

    @property
    def slot(self) -> Ints:
        """Position in `BILLING_SLOTS` of where it is billed."""
        return _SLOT[self.kind, self.provider]


def draw_attempts(ops: Operations, plan: IncidentPlan, options: SampleOptions, *, day: int, part: int) -> Attempts:
    """Draw all attempts of the operations of one part of a day."""
    rng = np.random.default_rng([options.seed, 3, day, part])
    calls = Calls(ops, day=day, plan=plan, rng=rng)
    attempts_of_call, final_outcome = _ends(calls, rng)
    call = np.repeat(np.arange(len(calls)), attempts_of_call)
    size = len(call)
    number = np.arange(size) - np.repeat(np.cumsum(attempts_of_call) - attempts_of_call, attempts_of_call) + 1
    kind, operation, shaped_by = calls.kind[call], calls.operation[call], calls.shaped_by[call]
    in_storm = shaped_by == IncidentKind.RETRY_STORM

    # What fails: a third each of rate limits, server errors and client time-outs; in the storm, time-outs.
    cause = np.array([Outcome.RATE_LIMITED, Outcome.ERROR, Outcome.TIMEOUT])[rng.integers(0, 3, size=size)]
    outcome = np.where(number == attempts_of_call[call], final_outcome[call], Outcome.ERROR)
    outcome = np.where(outcome == Outcome.ERROR, np.where(in_storm, Outcome.TIMEOUT, cause), outcome)
    cancelled = outcome == Outcome.CANCELLED
    cached_response = calls.cached_response[call]
    served = np.isin(outcome, (Outcome.SUCCESS, Outcome.TIMEOUT, Outcome.CANCELLED)) & ~cached_response
    never_answered = ~served & ~cached_response

    fallback = calls.fallback[call]
    is_fallback = (number > 1) & (fallback >= 0) & ~in_storm & (rng.random(size) < FALLBACK_SHARE)
    model = np.where(is_fallback, fallback, calls.model[call])
    # What a fallback served is not what the incident shaped.
    shaped_by = np.where(is_fallback & (shaped_by == IncidentKind.UNPRICED_MODEL), 0, shaped_by)
    tokens, usual_tokens = calls.tokens[call], calls.usual_tokens[call]
    for classes in (tokens, usual_tokens):
        # Another provider knows none of the cached prefix.
        classes[is_fallback, TokenClass.INPUT] = classes[is_fallback].sum(axis=1)
        classes[is_fallback, TokenClass.CACHE_READ :] = 0
        classes[never_answered] = 0

    cut = np.maximum(1, (calls.output[call] * rng.uniform(0.2, 0.9, size=size)).astype(np.int64))
    output = np.where(never_answered, 0, np.where(cancelled, cut, calls.output[call]))
    thinks = (model == Model.GPT_5_MINI) & ~never_answered & ~cancelled
    knows = rng.random(size)
    # A late answer to a call that the client had given up reaches the log in half of the storm's cases.
    has_usage = (
        (outcome == Outcome.SUCCESS)
        | ((outcome == Outcome.TIMEOUT) & in_storm & (knows < 0.5))
        | (cancelled & (knows < 0.4))
    )
    arrived = np.maximum(1, (output * rng.uniform(0.0, 1.0, size=size)).astype(np.int64))

    latency_ms, first_token_ms = _latencies(kind, outcome, tokens.sum(axis=1), output, cached_response, rng=rng)
    uid = mix(np.arange(size, dtype=np.uint64) + np.uint64((day * 1024 + part) << 32), options.seed * 8 + 3)
    retried_uid = np.zeros(size, dtype=np.uint64)
    retried_uid[1:] = np.where(number[1:] > 1, uid[:-1], 0)
    is_last = np.ones(size, dtype=bool)
    is_last[:-1] = operation[1:] != operation[:-1]
    # Nobody would see them at all if the spans were not exported.
    spans_only = mix(ops.uid[operation], 78) % np.uint64(10_000) < (SPANS_ONLY_SHARE * options.observed_share * 10_000)
    is_logged = ~(spans_only & (kind == Kind.SEARCH))
    extra_by = ops.extra_by[operation]
    return Attempts(
        uid=uid,
        retried_uid=retried_uid,
        operation=operation,
        kind=kind,
        model=model,
        tier=np.where(is_fallback, Tier.STANDARD, calls.tier[call]),
        outcome=outcome,
        number=number,
        is_fallback=is_fallback,
        start_ms=_starts(ops, operation, outcome, latency_ms, rng),
        latency_ms=latency_ms,
        first_token_ms=first_token_ms,
        tokens=tokens,
        output=output,
        reasoning=np.where(thinks, calls.reasoning[call], 0),
        logged_output=np.where(cancelled, np.minimum(arrived, output), output),
        served=served,
        has_usage=has_usage,
        cached_response=cached_response,
        is_logged=is_logged,
        is_repeated=is_logged & (rng.random(size) < REPEATED_LINE_SHARE),
        is_untagged=shaped_by == IncidentKind.UNTAGGED_TRAFFIC,
        is_last=is_last,
        extra_by=np.where((extra_by == 0) & in_storm & (number > 1), IncidentKind.RETRY_STORM, extra_by),
        shaped_by=shaped_by,
        usual_model=np.where(is_fallback, fallback, calls.usual_model[call]),
        usual_tokens=usual_tokens,
    )


def _ends(calls: Calls, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Return how many attempts each call takes, and how the last one ends."""
    size = len(calls)
    share = np.where(calls.cached_response, 0.0, calls.failure_share)
    fails = rng.random((size, MOST_ATTEMPTS)) < share[:, None]
    gives_up = rng.random((size, MOST_ATTEMPTS)) < 0.08
    attempts = np.ones(size, dtype=np.int64)
    going = np.ones(size, dtype=bool)
    for number in range(MOST_ATTEMPTS - 1):
        going &= fails[:, number] & ~gives_up[:, number]
        attempts += going
    last_fails = fails[np.arange(size), attempts - 1]
    cancelled = ~last_fails & (rng.random(size) < calls.cancel_share) & ~calls.cached_response
    success = np.where(cancelled, Outcome.CANCELLED, Outcome.SUCCESS)
    return attempts, np.where(last_fails, Outcome.ERROR, success)


def _latencies(
    kind: Ints, outcome: Ints, input_tokens: Ints, output: Ints, cached: Flags, *, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Return latency and time to first token in milliseconds, the latter -1 where nothing streams."""
    jitter = rng.uniform(0.8, 1.3, size=len(kind))
    first = ((220 + input_tokens / 130) * jitter).astype(np.int64)
    latency = first + np.where(_IS_CHAT[kind], output * 7 * jitter, 0).astype(np.int64)
    refused = np.isin(outcome, (Outcome.RATE_LIMITED, Outcome.ERROR))
    latency = np.where(outcome == Outcome.TIMEOUT, CLIENT_TIMEOUT_MS, latency)
    latency = np.where(refused, (90 * jitter).astype(np.int64), latency)
    latency = np.where(cached, (12 * jitter).astype(np.int64), latency)
    streams = np.isin(kind, _STREAMED) & np.isin(outcome, (Outcome.SUCCESS, Outcome.CANCELLED)) & ~cached
    return latency, np.where(streams, np.minimum(first, latency), -1)


def _starts(ops: Operations, operation: Ints, outcome: Ints, latency_ms: Ints, rng: np.random.Generator) -> Ints:
    """Return when each attempt starts; those of an operation follow one another."""
    size = len(operation)
    pause = np.where(outcome == Outcome.SUCCESS, rng.integers(20, 400, size=size), rng.integers(500, 4000, size=size))
    passed = np.cumsum(latency_ms + pause) - (latency_ms + pause)
    begins = np.ones(size, dtype=bool)
    begins[1:] = operation[1:] != operation[:-1]
    first = np.flatnonzero(begins)
    offset = passed - np.repeat(passed[first], np.diff(np.append(first, size)))
    return ops.start_ms[operation] + np.minimum(offset, LONGEST_OPERATION_MS)
