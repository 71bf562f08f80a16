"""The calls that operations need: which model, how many tokens, what of them was cached, on which tier.

Belongs here: a call as it was meant to go, and how the incidents change what is meant. Does not belong here:
failures, retries and time (`attempts`).
"""

from __future__ import annotations

import numpy as np

from orchestration.sample_company.catalog import (
    CALL_PROFILES,
    PROVIDER_OF_MODEL,
    Flow,
    Kind,
    Model,
    Provider,
    Tier,
)
from orchestration.sample_company.figures import LogNormal
from orchestration.sample_company.ids import mix
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
from orchestration.sample_company.prices import TokenClass
from orchestration.sample_company.text_columns import Flags, Floats, Ints

_PROVIDER = np.array(PROVIDER_OF_MODEL)
_FIRST_KIND_OF_FLOW = np.array(
    [Kind.COPILOT_TURN, Kind.RAG_EMBED, Kind.RAG_INDEX, Kind.DRAFT, Kind.SEARCH, Kind.CLASSIFY]
)
_OPENAI_CACHED_SHARE = {Kind.RAG_CHAT: 0.60, Kind.SEARCH: 0.45, Kind.CLASSIFY: 0.50}


class Calls:
    """All calls of one part of a day, in order of operation; one entry each in every array.

    Attributes:
        operation: Position in the part's operations.
        tokens: Shape (calls, 4): input classes in the order of `TokenClass`; they sum to the total input.
        output, reasoning: Output tokens, and the part of them that is reasoning.
        failure_share, cancel_share: Chance that a first attempt fails, that the user cuts off the stream.
        cached_response: The application answers from its own cache.
        fallback: The model that takes over after a failure, -1 where none does.
        shaped_by: `IncidentKind` that changed the call, 0 for none.
        usual_model, usual_tokens: What the call would have been without that incident.
    """

    def __init__(self, ops: Operations, *, day: int, plan: IncidentPlan, rng: np.random.Generator) -> None:
        self._ops = ops
        self._day = day
        self._plan = plan
        self._rng = rng
        count = self._calls_of_each()
        self.operation: Ints = np.repeat(np.arange(len(ops)), count)
        step = np.arange(len(self.operation)) - np.repeat(np.cumsum(count) - count, count)
        flow = ops.flow[self.operation]
        self.kind: Ints = _FIRST_KIND_OF_FLOW[flow] + np.where(flow == Flow.RAG, step, 0)
        size = len(self.kind)
        self.model: Ints = np.zeros(size, dtype=np.int64)
        self.tier: Ints = np.zeros(size, dtype=np.int64)
        self.tokens: Ints = np.zeros((size, 4), dtype=np.int64)
        self.output: Ints = np.zeros(size, dtype=np.int64)
        self.reasoning: Ints = np.zeros(size, dtype=np.int64)
        self.failure_share: Floats = np.zeros(size)
        self.cancel_share: Floats = np.zeros(size)
        self.cached_response: Flags = np.zeros(size, dtype=bool)
        self.fallback: Ints = np.full(size, -1, dtype=np.int64)
        self.shaped_by: Ints = np.zeros(size, dtype=np.int64)
        self.usual_model: Ints = np.zeros(size, dtype=np.int64)
        self.usual_tokens: Ints = np.zeros((size, 4), dtype=np.int64)
        for kind in Kind:
            rows = np.flatnonzero(self.kind == kind)
            if len(rows):
                self._draw(kind, rows)

    def __len__(self) -> int:
        return len(self.kind)

    def _calls_of_each(self) -> Ints:
        flow = self._ops.flow
        count = np.ones(len(flow), dtype=np.int64)
        copilot, draft = flow == Flow.COPILOT, flow == Flow.DRAFT
        count[copilot] = np.minimum(self._rng.geometric(1 / 2.2, size=int(copilot.sum())), 8)
        count[flow == Flow.RAG] = 3
        count[draft] = 1 + (self._rng.random(int(draft.sum())) < 0.3)
        return count

    def _draw(self, kind: Kind, rows: Ints) -> None:
        rng, size, profile = self._rng, len(rows), CALL_PROFILES[kind]
        draw = rng.random(size)
        self.model[rows] = _choose(profile.models, draw)
        self.failure_share[rows] = profile.failure_share
        self.cancel_share[rows] = profile.cancel_share
        self.cached_response[rows] = rng.random(size) < profile.response_cache_share
        if profile.fallback is not None:
            same = self.model[rows] == profile.fallback
            self.fallback[rows] = np.where(same, Model.SONNET_45, profile.fallback)
        if profile.input_fit is not None:
            total = self._lengths(profile.input_fit, profile.input_scale, profile.input_cap, size)
            if kind is Kind.RAG_INDEX:
                runaway = self._ops.extra_by[self.operation[rows]] == IncidentKind.EMBEDDING_RUNAWAY
                total = np.where(runaway, rng.integers(180_000, 290_000, size=size), total)
            if profile.operation_name == "chat":
                self.tokens[rows] = self._cached(kind, self.model[rows], total, CACHE_HIT_SHARE)
            else:
                self.tokens[rows, TokenClass.INPUT] = total
        if profile.output_fit is not None:
            self.output[rows] = self._lengths(profile.output_fit, profile.output_scale, profile.output_cap, size)
        thinks = rows[self.model[rows] == Model.GPT_5_MINI]
        share = rng.uniform(0.3, 0.8, size=len(thinks))
        self.reasoning[thinks] = (self.output[thinks] * share).astype(np.int64)
        self._move_tiers(kind, rows)
        self.usual_model[rows] = self.model[rows]
        self.usual_tokens[rows] = self.tokens[rows]
        self._suffer(kind, rows, draw)

    def _lengths(self, fit: LogNormal, scale: float, cap: int, size: int) -> Ints:
        drawn = self._rng.lognormal(fit.mu + np.log(scale), fit.sigma, size=size)
        # What exceeds the cap is folded back below it, so that no spike of equal lengths stands there.
        over = drawn > cap
        drawn[over] = cap * (0.4 + 0.6 * self._rng.random(int(over.sum())))
        return np.maximum(drawn, 4).astype(np.int64)

    def _cached(self, kind: Kind, model: Ints, total: Ints, hit_share: float) -> Ints:
        """Split total input into the four classes; each row sums to `total`."""
        size = len(total)
        tokens = np.zeros((size, 4), dtype=np.int64)
        draw, wobble = self._rng.random(size), self._rng.uniform(0.9, 1.1, size=size)
        if kind is Kind.COPILOT_TURN:
            hit = draw < hit_share
            prefix = (total * 0.74 * wobble).astype(np.int64)
            read = np.where(hit, prefix, 0)
            # A hit writes the new end of the prefix; a miss writes all of it.
            tokens[:, TokenClass.CACHE_WRITE_5M] = np.where(hit, prefix // 12, prefix)
        elif kind is Kind.DRAFT:
            prefix = (total * 0.6 * wobble).astype(np.int64)
            read = np.where(draw < 0.40, prefix, 0)
            tokens[:, TokenClass.CACHE_WRITE_1H] = np.where((draw >= 0.40) & (draw < 0.55), prefix, 0)
        else:
            # OpenAI caches by itself, from 1,024 tokens on, in steps of 128 tokens.
            prefix = (total * 0.62 * wobble).astype(np.int64) // 128 * 128
            read = np.where((draw < _OPENAI_CACHED_SHARE[kind]) & (prefix >= 1024), prefix, 0)
        # OpenAI charges nothing for writing its cache and counts no writes for these models.
        tokens[_PROVIDER[model] == Provider.OPENAI, TokenClass.CACHE_WRITE_5M :] = 0
        tokens[:, TokenClass.CACHE_READ] = read
        tokens[:, TokenClass.INPUT] = total - tokens.sum(axis=1)
        return tokens

    def _move_tiers(self, kind: Kind, rows: Ints) -> None:
        """From the day of the move on, part of the work that can wait is sent as batch or flex."""
        chance = self._rng.random(len(rows))
        if self._day < self._plan.tier_move_day or kind not in (Kind.CLASSIFY, Kind.DRAFT):
            return
        if kind is Kind.DRAFT:
            self.tier[rows] = np.where(chance < 0.12, Tier.BATCH, Tier.STANDARD)
        else:
            flex = np.where(chance < 0.7, Tier.FLEX, Tier.STANDARD)
            batch = np.where(chance < 0.35, Tier.BATCH, Tier.STANDARD)
            self.tier[rows] = np.where(self.model[rows] == Model.GPT_5_MINI, flex, batch)
        batched = rows[self.tier[rows] == Tier.BATCH]
        if kind is Kind.CLASSIFY:
            # OpenAI's batch price list names no rate for cached input, so there is none.
            self.tokens[batched, TokenClass.INPUT] = self.tokens[batched].sum(axis=1)
            self.tokens[batched, TokenClass.CACHE_READ] = 0
        self.failure_share[batched] = 0.0
        self.cancel_share[batched] = 0.0
        self.cached_response[batched] = False

    def _suffer(self, kind: Kind, rows: Ints, draw: Floats) -> None:
        """Change the calls of one kind by the incident that is on, if any."""
        match kind:
            case Kind.RAG_CHAT if self._is_on(IncidentKind.PROMPT_GROWTH):
                total = self.tokens[rows].sum(axis=1)
                # The documents are new text in every prompt: all of the growth is uncached.
                self.tokens[rows, TokenClass.INPUT] += (total * (PROMPT_GROWTH_FACTOR - 1)).astype(np.int64)
                self.shaped_by[rows] = IncidentKind.PROMPT_GROWTH
            case Kind.COPILOT_TURN if self._is_on(IncidentKind.CACHE_COLLAPSE):
                total = self.tokens[rows].sum(axis=1)
                self.tokens[rows] = self._cached(kind, self.model[rows], total, COLLAPSED_CACHE_HIT_SHARE)
                self.shaped_by[rows] = IncidentKind.CACHE_COLLAPSE
            case Kind.DRAFT if self._is_on(IncidentKind.MODEL_DRIFT):
                self.model[rows] = _choose(DRIFTED_DRAFT_MODELS, draw)
                self.shaped_by[rows] = IncidentKind.MODEL_DRIFT
            case Kind.DRAFT if self._is_on(IncidentKind.UNTAGGED_TRAFFIC):
                # By operation: all calls of an operation run in the same worker.
                worker = mix(self._ops.uid[self.operation[rows]], 77) % np.uint64(10_000)
                self.shaped_by[rows[worker < UNTAGGED_SHARE * 10_000]] = IncidentKind.UNTAGGED_TRAFFIC
            case Kind.CLASSIFY if self._is_on(IncidentKind.UNPRICED_MODEL):
                moved = rows[self._rng.random(len(rows)) < UNPRICED_SHARE]
                self.model[moved] = self.usual_model[moved] = Model.INTERNAL_PREVIEW
                self.tier[moved] = Tier.STANDARD
                self.reasoning[moved] = 0
                self.shaped_by[moved] = IncidentKind.UNPRICED_MODEL
            case Kind.SEARCH if self._is_on(IncidentKind.RETRY_STORM):
                self.failure_share[rows] = STORM_FAILURE_SHARE
                self.shaped_by[rows] = IncidentKind.RETRY_STORM
            case _:
                pass

    def _is_on(self, kind: IncidentKind) -> bool:
        return self._plan.on(kind, self._day) is not None


def _choose(shares: tuple[tuple[Model, float], ...], draw: Floats) -> Ints:
    models = np.array([int(model) for model, _ in shares])
    edges = np.cumsum([share for _, share in shares])
    return models[np.minimum(np.searchsorted(edges, draw, side="right"), len(models) - 1)]
