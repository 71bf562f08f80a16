"""What the providers served and what the application saw of it: the attempts of one part of one day.

Belongs here: calls, models, tokens, caching, failures, retries, fallbacks, cut-off streams, and how the incidents
change them. Does not belong here: text of any log (`request_log`, `otel_log`, `gateway_log`) and money but for the
size of incidents.

An attempt has two sides. `served`, `tokens` and `output` are the provider's truth and are what it bills. `has_usage`
and `logged_output` are what the application knows: a call that timed out on the client is billed and has no usage in
the log, a stream that the user cut off has none or only the part that had arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestration.sample_company.catalog import (
    BILLING_SLOTS,
    CALL_PROFILES,
    PROVIDER_OF_MODEL,
    Flow,
    Kind,
    Model,
    Outcome,
    Provider,
    Tier,
    billing_slot,
)
from orchestration.sample_company.ids import U64, mix
from orchestration.sample_company.incidents import (
    CACHE_HIT_SHARE,
    COLLAPSED_CACHE_HIT_SHARE,
    DRIFTED_DRAFT_MODELS,
    PROMPT_GROWTH_FACTOR,
    STORM_FAILURE_SHARE,
    UNPRICED_SHARE,
    UNTAGGED_SHARE,
    IncidentKind,
    IncidentPlan,
)
from orchestration.sample_company.operations import Operations
from orchestration.sample_company.options import SampleOptions
from orchestration.sample_company.prices import TokenClass

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

CLIENT_TIMEOUT_MS = 30_000
MOST_ATTEMPTS = 3
SPANS_ONLY_SHARE = 0.04
"""Share of search_assist that a new service serves; it has spans and no request log."""
REPEATED_LINE_SHARE = 0.0008
"""Share of log lines that the shipper delivers twice."""
_PROVIDER_OF_MODEL = np.array(PROVIDER_OF_MODEL)
_SLOT = np.array([[billing_slot(kind, provider) for provider in Provider] for kind in Kind])


@dataclass(frozen=True)
class Calls:
    """The calls that operations need, in order of operation; one entry each in every array."""

    operation: Ints
    kind: Ints


@dataclass
class Attempts:
    """Attempts of one part of a day in order of operation and time; one entry each in every array.

    Attributes:
        operation: Position in the part's operations.
        retried_uid: `uid` of the attempt that this one repeats, 0 for a first attempt.
        start_ms: UTC epoch milliseconds. `latency_ms`, `first_token_ms` in milliseconds, the latter -1 if none.
        tokens: Shape (attempts, 4): input classes in the order of `TokenClass`, as the provider counts them.
        output, reasoning: Output tokens as the provider counts them, and the part of them that is reasoning.
        served: The provider worked on it and bills it.
        has_usage: The application knows the usage; its output count is then `logged_output`.
        cached_response: The application answered from its own cache; no provider was asked.
        is_logged: The application's log has a line of it. `is_repeated`: and has it twice.
        is_untagged: The line lacks tenant, user and feature.
        is_last: The last attempt of the last call of its operation.
        extra_by: Incident without which the attempt would not exist. `shaped_by`: incident that changed it.
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
        return _PROVIDER_OF_MODEL[self.model]

    @property
    def slot(self) -> Ints:
        """Position in `BILLING_SLOTS` of where it is billed."""
        return _SLOT[self.kind, self.provider]

    @property
    def has_project(self) -> Flags:
        """Whether the application logs project and key."""
        return np.array([slot.is_logged for slot in BILLING_SLOTS])[self.slot]


def _calls(ops: Operations, rng: np.random.Generator) -> Calls:
    count = np.ones(len(ops), dtype=np.int64)
    copilot = ops.flow == Flow.COPILOT
    count[copilot] = np.minimum(rng.geometric(1 / 2.2, size=int(copilot.sum())), 8)
    count[ops.flow == Flow.RAG] = 3
    draft = ops.flow == Flow.DRAFT
    count[draft] = 1 + (rng.random(int(draft.sum())) < 0.3)
    operation = np.repeat(np.arange(len(ops)), count)
    step = np.arange(len(operation)) - np.repeat(np.cumsum(count) - count, count)
    first_kind = np.array(
        [Kind.COPILOT_TURN, Kind.RAG_EMBED, Kind.RAG_INDEX, Kind.DRAFT, Kind.SEARCH, Kind.CLASSIFY]
    )
    flow = ops.flow[operation]
    return Calls(operation, first_kind[flow] + np.where(flow == Flow.RAG, step, 0))


def _choose(shares: tuple[tuple[Model, float], ...], draw: npt.NDArray[np.float64]) -> Ints:
    models = np.array([int(model) for model, _ in shares])
    edges = np.cumsum([share for _, share in shares])
    return models[np.minimum(np.searchsorted(edges, draw, side="right"), len(models) - 1)]


def _lengths(fit: Any, scale: float, cap: int, least: int, size: int, rng: np.random.Generator) -> Ints:
    drawn = rng.lognormal(fit.mu + np.log(scale), fit.sigma, size=size)
    # Fold what exceeds the cap back below it, so that no spike of equal lengths stands at the cap.
    over = drawn > cap
    drawn[over] = cap * (0.4 + 0.6 * rng.random(int(over.sum())))
    return np.maximum(drawn, least).astype(np.int64)


class _Draft:
    """Calls being filled in, before they become attempts."""

    def __init__(self, calls: Calls) -> None:
        size = len(calls.kind)
        self.size = size
        self.operation = calls.operation
        self.kind = calls.kind
        self.model = np.zeros(size, dtype=np.int64)
        self.tier = np.zeros(size, dtype=np.int64)
        self.tokens = np.zeros((size, 4), dtype=np.int64)
        self.output = np.zeros(size, dtype=np.int64)
        self.reasoning = np.zeros(size, dtype=np.int64)
        self.failure_share = np.zeros(size)
        self.cancel_share = np.zeros(size)
        self.cached_response = np.zeros(size, dtype=bool)
        self.fallback = np.full(size, -1, dtype=np.int64)
        self.shaped_by = np.zeros(size, dtype=np.int64)
        self.usual_model = np.zeros(size, dtype=np.int64)
        self.usual_tokens = np.zeros((size, 4), dtype=np.int64)


def _cache(kind: Kind, model: Ints, total: Ints, hit_share: float, rng: np.random.Generator) -> Ints:
    """Split total input into the four classes; each row sums to `total`."""
    size = len(total)
    tokens = np.zeros((size, 4), dtype=np.int64)
    draw, part = rng.random(size), rng.uniform(0.9, 1.1, size=size)
    read = np.zeros(size, dtype=np.int64)
    if kind is Kind.COPILOT_TURN:
        hit = draw < hit_share
        prefix = (total * 0.74 * part).astype(np.int64)
        read = np.where(hit, prefix, 0)
        # A hit writes the new end of the prefix; a miss writes all of it.
        tokens[:, TokenClass.CACHE_WRITE_5M] = np.where(hit, prefix // 12, prefix)
    elif kind is Kind.DRAFT:
        read = np.where(draw < 0.40, (total * 0.6 * part).astype(np.int64), 0)
        tokens[:, TokenClass.CACHE_WRITE_1H] = np.where(
            (draw >= 0.40) & (draw < 0.55), (total * 0.6 * part).astype(np.int64), 0
        )
    else:
        # OpenAI caches by itself, from 1,024 tokens on, in steps of 128 tokens.
        share = {Kind.RAG_CHAT: 0.60, Kind.SEARCH: 0.45, Kind.CLASSIFY: 0.50}[kind]
        prefix = (total * 0.62 * part).astype(np.int64) // 128 * 128
        read = np.where((draw < share) & (prefix >= 1024), prefix, 0)
    # OpenAI charges nothing for writing its cache and counts no writes for these models.
    tokens[_PROVIDER_OF_MODEL[model] == Provider.OPENAI, TokenClass.CACHE_WRITE_5M :] = 0
    tokens[:, TokenClass.CACHE_READ] = read
    tokens[:, TokenClass.INPUT] = total - tokens.sum(axis=1)
    return tokens


def _fill(
    draft: _Draft, kind: Kind, ops: Operations, day: int, plan: IncidentPlan, rng: np.random.Generator
) -> None:
    rows = np.flatnonzero(draft.kind == kind)
    size = len(rows)
    if size == 0:
        return
    profile = CALL_PROFILES[kind]
    draw = rng.random(size)
    draft.model[rows] = _choose(profile.models, draw)
    draft.failure_share[rows] = profile.failure_share
    draft.cancel_share[rows] = profile.cancel_share
    draft.cached_response[rows] = rng.random(size) < profile.response_cache_share
    if profile.fallback is not None:
        same = draft.model[rows] == profile.fallback
        draft.fallback[rows] = np.where(same, Model.SONNET_45, profile.fallback)
    if profile.input_fit is not None:
        total = _lengths(profile.input_fit, profile.input_scale, profile.input_cap, 8, size, rng)
        if kind is Kind.RAG_INDEX:
            runaway = ops.extra_by[draft.operation[rows]] == IncidentKind.EMBEDDING_RUNAWAY
            total = np.where(runaway, rng.integers(180_000, 290_000, size=size), total)
        if profile.operation_name == "chat":
            draft.tokens[rows] = _cache(kind, draft.model[rows], total, CACHE_HIT_SHARE, rng)
        else:
            draft.tokens[rows, TokenClass.INPUT] = total
    if profile.output_fit is not None:
        draft.output[rows] = _lengths(
            profile.output_fit, profile.output_scale, profile.output_cap, 1, size, rng
        )
    thinks = rows[draft.model[rows] == Model.GPT_5_MINI]
    draft.reasoning[thinks] = (draft.output[thinks] * rng.uniform(0.3, 0.8, size=len(thinks))).astype(
        np.int64
    )
    _move_tiers(draft, kind, rows, day, plan, rng)
    _apply_incidents(draft, kind, rows, draw, ops, day, plan, rng)


def _move_tiers(
    draft: _Draft, kind: Kind, rows: Ints, day: int, plan: IncidentPlan, rng: np.random.Generator
) -> None:
    """From the day of the move on, part of the work that can wait is sent as batch or flex."""
    chance = rng.random(len(rows))
    if day < plan.tier_move_day:
        return
    if kind is Kind.CLASSIFY:
        draft.tier[rows] = np.where(
            draft.model[rows] == Model.GPT_5_MINI,
            np.where(chance < 0.7, Tier.FLEX, Tier.STANDARD),
            np.where(chance < 0.35, Tier.BATCH, Tier.STANDARD),
        )
    elif kind is Kind.DRAFT:
        draft.tier[rows] = np.where(chance < 0.12, Tier.BATCH, Tier.STANDARD)
    batch = rows[draft.tier[rows] == Tier.BATCH]
    if kind is Kind.CLASSIFY:
        # The batch price list names no rate for cached input, so there is none.
        draft.tokens[batch, TokenClass.INPUT] = draft.tokens[batch].sum(axis=1)
        draft.tokens[batch, TokenClass.CACHE_READ] = 0
    draft.failure_share[batch] = 0.0
    draft.cancel_share[batch] = 0.0
    draft.cached_response[batch] = False


def _apply_incidents(
    draft: _Draft,
    kind: Kind,
    rows: Ints,
    draw: npt.NDArray[np.float64],
    ops: Operations,
    day: int,
    plan: IncidentPlan,
    rng: np.random.Generator,
) -> None:
    draft.usual_model[rows] = draft.model[rows]
    draft.usual_tokens[rows] = draft.tokens[rows]
    if kind is Kind.RAG_CHAT and plan.on(IncidentKind.PROMPT_GROWTH, day):
        total = draft.tokens[rows].sum(axis=1)
        # The documents are new text in every prompt: all of the growth is uncached.
        draft.tokens[rows, TokenClass.INPUT] += (total * (PROMPT_GROWTH_FACTOR - 1.0)).astype(np.int64)
        draft.shaped_by[rows] = IncidentKind.PROMPT_GROWTH
    if kind is Kind.COPILOT_TURN and plan.on(IncidentKind.CACHE_COLLAPSE, day):
        total = draft.tokens[rows].sum(axis=1)
        draft.tokens[rows] = _cache(kind, draft.model[rows], total, COLLAPSED_CACHE_HIT_SHARE, rng)
        draft.shaped_by[rows] = IncidentKind.CACHE_COLLAPSE
    if kind is Kind.DRAFT and plan.on(IncidentKind.MODEL_DRIFT, day):
        draft.model[rows] = _choose(DRIFTED_DRAFT_MODELS, draw)
        draft.shaped_by[rows] = IncidentKind.MODEL_DRIFT
    if kind is Kind.DRAFT and plan.on(IncidentKind.UNTAGGED_TRAFFIC, day):
        # By operation: all calls of an operation run in the same worker.
        worker = mix(ops.uid[draft.operation[rows]], 77) % np.uint64(10_000)
        draft.shaped_by[rows[worker < UNTAGGED_SHARE * 10_000]] = IncidentKind.UNTAGGED_TRAFFIC
    if kind is Kind.CLASSIFY and plan.on(IncidentKind.UNPRICED_MODEL, day):
        moved = rows[rng.random(len(rows)) < UNPRICED_SHARE]
        draft.model[moved] = draft.usual_model[moved] = Model.INTERNAL_PREVIEW
        draft.tier[moved] = Tier.STANDARD
        draft.reasoning[moved] = 0
        draft.shaped_by[moved] = IncidentKind.UNPRICED_MODEL
    if kind is Kind.SEARCH and plan.on(IncidentKind.RETRY_STORM, day):
        draft.failure_share[rows] = STORM_FAILURE_SHARE
        draft.shaped_by[rows] = IncidentKind.RETRY_STORM


def _failures(draft: _Draft, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Return attempts per call, and the outcome of the last one."""
    share = np.where(draft.cached_response, 0.0, draft.failure_share)
    fails = rng.random((draft.size, MOST_ATTEMPTS)) < share[:, None]
    gives_up = rng.random((draft.size, MOST_ATTEMPTS)) < 0.08
    attempts = np.ones(draft.size, dtype=np.int64)
    going = np.ones(draft.size, dtype=bool)
    for number in range(MOST_ATTEMPTS - 1):
        going &= fails[:, number] & ~gives_up[:, number]
        attempts += going
    last_fails = fails[np.arange(draft.size), attempts - 1]
    cancelled = ~last_fails & (rng.random(draft.size) < draft.cancel_share) & ~draft.cached_response
    return attempts, np.where(
        last_fails, Outcome.ERROR, np.where(cancelled, Outcome.CANCELLED, Outcome.SUCCESS)
    )


def draw_attempts(
    ops: Operations, day: int, plan: IncidentPlan, options: SampleOptions, part: int
) -> Attempts:
    """Draw all attempts of the operations of one part of a day."""
    rng = np.random.default_rng([options.seed, 3, day, part])
    draft = _Draft(_calls(ops, rng))
    for kind in Kind:
        _fill(draft, kind, ops, day, plan, rng)
    attempts_of_call, final_outcome = _failures(draft, rng)

    call = np.repeat(np.arange(draft.size), attempts_of_call)
    size = len(call)
    number = np.arange(size) - np.repeat(np.cumsum(attempts_of_call) - attempts_of_call, attempts_of_call) + 1
    is_final = number == attempts_of_call[call]
    kind, operation, shaped_by = draft.kind[call], draft.operation[call], draft.shaped_by[call]

    # What fails: a third each of rate limits, server errors and client time-outs; in the storm, time-outs.
    cause = np.array([Outcome.RATE_LIMITED, Outcome.ERROR, Outcome.TIMEOUT])[rng.integers(0, 3, size=size)]
    cause = np.where(shaped_by == IncidentKind.RETRY_STORM, Outcome.TIMEOUT, cause)
    outcome = np.where(is_final, final_outcome[call], Outcome.ERROR)
    outcome = np.where(outcome == Outcome.ERROR, cause, outcome)

    model, tier, tokens = draft.model[call], draft.tier[call], draft.tokens[call]
    usual_model, usual_tokens = draft.usual_model[call], draft.usual_tokens[call]
    fallback = draft.fallback[call]
    is_fallback = (number > 1) & (fallback >= 0) & (rng.random(size) < 0.35)
    is_fallback &= shaped_by != IncidentKind.RETRY_STORM
    model = np.where(is_fallback, fallback, model)
    usual_model = np.where(is_fallback, fallback, usual_model)
    tier = np.where(is_fallback, Tier.STANDARD, tier)
    for classes in (tokens, usual_tokens):
        # Another provider knows none of the cached prefix.
        classes[is_fallback, TokenClass.INPUT] = classes[is_fallback].sum(axis=1)
        classes[is_fallback, TokenClass.CACHE_READ :] = 0

    cached_response = draft.cached_response[call]
    output = draft.output[call]
    cancelled = outcome == Outcome.CANCELLED
    output = np.where(
        cancelled, np.maximum(1, (output * rng.uniform(0.2, 0.9, size=size)).astype(np.int64)), output
    )
    served = np.isin(outcome, (Outcome.SUCCESS, Outcome.TIMEOUT, Outcome.CANCELLED)) & ~cached_response
    reasoning = np.where(model == Model.GPT_5_MINI, np.minimum(draft.reasoning[call], output), 0)
    knows = rng.random(size)
    # A late answer to a call that the client had given up still reaches the log in half of the storm's cases.
    late = (outcome == Outcome.TIMEOUT) & (shaped_by == IncidentKind.RETRY_STORM) & (knows < 0.5)
    has_usage = (outcome == Outcome.SUCCESS) | late | (cancelled & (knows < 0.4))
    seen = np.maximum(1, (output * rng.uniform(0.0, 1.0, size=size)).astype(np.int64))
    logged_output = np.where(cancelled, np.minimum(seen, output), output)
    not_served = ~served & ~cached_response
    tokens[not_served] = 0
    usual_tokens[not_served] = 0
    output = np.where(not_served, 0, output)
    reasoning = np.where(not_served, 0, np.where(cancelled, 0, reasoning))

    start_ms, latency_ms, first_token_ms = _times(
        ops, operation, outcome, kind, tokens, output, cached_response, rng
    )
    uid = mix(np.arange(size, dtype=np.uint64) + np.uint64((day * 1024 + part) << 32), options.seed * 8 + 3)
    retried_uid = np.zeros(size, dtype=np.uint64)
    retried_uid[1:] = np.where(number[1:] > 1, uid[:-1], 0)
    is_last = np.ones(size, dtype=bool)
    is_last[:-1] = operation[1:] != operation[:-1]
    search = kind == Kind.SEARCH
    # Nobody would see them at all if the spans were not exported.
    spans_only = SPANS_ONLY_SHARE * options.observed_share
    beyond = search & ((mix(ops.uid[operation], 78) % np.uint64(10_000)) < spans_only * 10_000)
    extra_by = ops.extra_by[operation]
    storm_retry = (shaped_by == IncidentKind.RETRY_STORM) & (number > 1)
    return Attempts(
        uid=uid,
        retried_uid=retried_uid,
        operation=operation,
        kind=kind,
        model=model,
        tier=tier,
        outcome=outcome,
        number=number,
        is_fallback=is_fallback,
        start_ms=start_ms,
        latency_ms=latency_ms,
        first_token_ms=first_token_ms,
        tokens=tokens,
        output=output,
        reasoning=reasoning,
        logged_output=logged_output,
        served=served,
        has_usage=has_usage,
        cached_response=cached_response,
        is_logged=~beyond,
        is_repeated=~beyond & (rng.random(size) < REPEATED_LINE_SHARE),
        is_untagged=shaped_by == IncidentKind.UNTAGGED_TRAFFIC,
        is_last=is_last,
        extra_by=np.where((extra_by == 0) & storm_retry, IncidentKind.RETRY_STORM, extra_by),
        shaped_by=shaped_by,
        usual_model=usual_model,
        usual_tokens=usual_tokens,
    )


def _times(
    ops: Operations,
    operation: Ints,
    outcome: Ints,
    kind: Ints,
    tokens: Ints,
    output: Ints,
    cached_response: Flags,
    rng: np.random.Generator,
) -> tuple[Ints, Ints, Ints]:
    """Return start, latency and time to first token; the attempts of an operation follow one another."""
    size = len(operation)
    jitter = rng.uniform(0.8, 1.3, size=size)
    is_chat = np.isin(kind, (Kind.COPILOT_TURN, Kind.RAG_CHAT, Kind.DRAFT, Kind.SEARCH, Kind.CLASSIFY))
    first = ((220 + tokens.sum(axis=1) / 130) * jitter).astype(np.int64)
    latency = first + np.where(is_chat, output * 7 * jitter, 0).astype(np.int64)
    latency = np.where(outcome == Outcome.TIMEOUT, CLIENT_TIMEOUT_MS, latency)
    latency = np.where(
        np.isin(outcome, (Outcome.RATE_LIMITED, Outcome.ERROR)), (90 * jitter).astype(np.int64), latency
    )
    latency = np.where(cached_response, (12 * jitter).astype(np.int64), latency)
    pause = np.where(
        outcome == Outcome.SUCCESS, rng.integers(20, 400, size=size), rng.integers(500, 4000, size=size)
    )
    passed = np.cumsum(latency + pause) - (latency + pause)
    begins = np.ones(size, dtype=bool)
    begins[1:] = operation[1:] != operation[:-1]
    offset = passed - np.repeat(passed[begins], np.diff(np.append(np.flatnonzero(begins), size)))
    # Far below the half hour that the last day keeps free.
    start = ops.start_ms[operation] + np.minimum(offset, 1_500_000)
    streams = np.isin(kind, (Kind.COPILOT_TURN, Kind.DRAFT, Kind.SEARCH)) & np.isin(
        outcome, (Outcome.SUCCESS, Outcome.CANCELLED)
    )
    return start, latency, np.where(streams & ~cached_response, np.minimum(first, latency), -1)
