"""What was really used and what it cost at list price, added up from the provider's side of the attempts.

Belongs here: exact sums over attempts, by where they are billed, by who caused them, and by incident. Does
not belong here: bills (`oracle`) and the form in which the truth is written (`truth`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from orchestration.sample_company.attempts import Attempts
from orchestration.sample_company.catalog import FEATURE_OF_KIND, Kind, Outcome
from orchestration.sample_company.incidents import IncidentKind
from orchestration.sample_company.operations import DAY_MS, Operations
from orchestration.sample_company.prices import RERANK_PICO_USD, pico_usd_per_token
from orchestration.sample_company.text_columns import Flags, Ints

LATE_FROM_MS = 21 * 3_600_000
"""The restated day's first answer lacks what began from this time of day on."""

UsageKey = tuple[int, int, int, int, bool]
"""Days since 1970, billing slot, model, tier, whether it began in the last three hours of the day."""
TenantKey = tuple[int, int, int]
"""Days since 1970, tenant, feature."""


@dataclass
class Usage:
    """Usage of one slot, model, tier and day, as the provider counts it; tokens by disjoint class."""

    tokens: list[int] = field(default_factory=lambda: [0] * 5)
    requests: int = 0

    def add(self, other: Usage) -> None:
        """Add the usage of another part."""
        self.tokens = [mine + theirs for mine, theirs in zip(self.tokens, other.tokens, strict=True)]
        self.requests += other.requests


@dataclass
class Cost:
    """Attempts, their tokens and their list cost in pico-dollars (10⁻¹² USD); unpriced ones add 0."""

    attempts: int = 0
    served: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    pico_usd: int = 0

    def add(self, other: Cost) -> None:
        """Add another sum."""
        self.attempts += other.attempts
        self.served += other.served
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.pico_usd += other.pico_usd


@dataclass
class IncidentSize:
    """How large an incident became.

    Attributes:
        affected: The attempts that it touched or created.
        excess: `affected` minus what would have been without it; its `attempts` are those it created.
    """

    affected: Cost = field(default_factory=Cost)
    excess: Cost = field(default_factory=Cost)


@dataclass
class Ledger:
    """Sums over any number of parts."""

    usage: dict[UsageKey, Usage] = field(default_factory=dict[UsageKey, Usage])
    tenants: dict[TenantKey, Cost] = field(default_factory=dict[TenantKey, Cost])
    incidents: dict[IncidentKind, IncidentSize] = field(default_factory=dict[IncidentKind, IncidentSize])
    outcomes: dict[str, int] = field(default_factory=dict[str, int])

    def merge(self, other: Ledger) -> None:
        """Add the sums of another part."""
        for key, usage in other.usage.items():
            self.usage.setdefault(key, Usage()).add(usage)
        for key, cost in other.tenants.items():
            self.tenants.setdefault(key, Cost()).add(cost)
        for kind, size in other.incidents.items():
            mine = self.incidents.setdefault(kind, IncidentSize())
            mine.affected.add(size.affected)
            mine.excess.add(size.excess)
        for name, count in other.outcomes.items():
            self.outcomes[name] = self.outcomes.get(name, 0) + count


def exact_sums(groups: Ints, values: Ints, count: int) -> list[int]:
    """Return the exact sum of non-negative whole values in each group; floats would lose digits above 2⁵³."""
    low = np.bincount(groups, values & 0xFFFFFF, minlength=count)
    high = np.bincount(groups, values >> 24, minlength=count)
    return [int(h) * (1 << 24) + int(lo) for h, lo in zip(high, low, strict=True)]


def list_pico_usd(model: Ints, tier: Ints, tokens: Ints, output: Ints, *, after_cut: Ints) -> Ints:
    """Return the list cost of each row in pico-dollars, without fees."""
    prices = pico_usd_per_token()[after_cut, model, tier]
    return (tokens * prices[:, :4]).sum(axis=1) + output * prices[:, 4]


def post(ops: Operations, attempts: Attempts, cut_ms: int | None) -> Ledger:
    """Add up one part of a day.

    Args:
        ops: The operations of the part.
        attempts: Their attempts.
        cut_ms: UTC epoch milliseconds from which the cut price holds, None for never.
    """
    ledger = Ledger()
    served = attempts.served
    after_cut = (attempts.start_ms >= cut_ms).astype(np.int64) if cut_ms is not None else np.zeros_like(attempts.model)
    day = attempts.start_ms // DAY_MS
    tokens = np.where(served[:, None], attempts.tokens, 0)
    output = np.where(served, attempts.output, 0)
    pico = list_pico_usd(attempts.model, attempts.tier, tokens, output, after_cut=after_cut)
    pico += np.where(served & (attempts.kind == Kind.RAG_RERANK), RERANK_PICO_USD, 0)

    is_late = (attempts.start_ms % DAY_MS) >= LATE_FROM_MS
    rows = np.flatnonzero(served)
    keys = np.stack([day, attempts.slot, attempts.model, attempts.tier, is_late.astype(np.int64)], axis=1)[rows]
    for key, members, sums in _grouped(keys, [tokens[rows, one] for one in range(4)] + [output[rows]]):
        usage = Usage(sums, members)
        ledger.usage[(key[0], key[1], key[2], key[3], bool(key[4]))] = usage

    feature = np.array(FEATURE_OF_KIND)[attempts.kind]
    keys = np.stack([day, ops.tenant[attempts.operation], feature], axis=1)
    measures = [served.astype(np.int64), tokens.sum(axis=1), output, pico]
    for key, members, sums in _grouped(keys, measures):
        ledger.tenants[(key[0], key[1], key[2])] = Cost(members, *sums)

    usual_tokens = np.where(served[:, None], attempts.usual_tokens, 0)
    usual = list_pico_usd(attempts.usual_model, attempts.tier, usual_tokens, output, after_cut=after_cut)
    for kind in IncidentKind:
        if kind is IncidentKind.NONE:
            continue
        created, shaped = attempts.extra_by == kind, attempts.shaped_by == kind
        touched = created | shaped
        if not touched.any():
            continue
        affected = Cost(int(touched.sum()), *(_total(one, touched) for one in measures))
        changed = shaped & ~created
        excess = Cost(
            int(created.sum()),
            _total(measures[0], created),
            _total(measures[1], created) + _total(measures[1], changed) - _total(usual_tokens.sum(axis=1), changed),
            _total(output, created),
            _total(pico, created) + _total(pico, changed) - _total(usual, changed),
        )
        ledger.incidents[kind] = IncidentSize(affected, excess)
    for outcome in Outcome:
        ledger.outcomes[outcome.name.lower()] = int((attempts.outcome == outcome).sum())
    return ledger


def _total(values: Ints, rows: Flags) -> int:
    return exact_sums(np.zeros(int(rows.sum()), dtype=np.int64), values[rows], 1)[0]


def _grouped(keys: Ints, measures: list[Ints]) -> Iterable[tuple[list[int], int, list[int]]]:
    """Yield (key, number of rows, exact sum of each measure) for every distinct row of `keys`."""
    if len(keys) == 0:
        return
    flat = np.zeros(len(keys), dtype=np.int64)
    for column in range(keys.shape[1]):
        low, high = int(keys[:, column].min()), int(keys[:, column].max())
        flat = flat * (high - low + 1) + (keys[:, column] - low)
    _, first, group = np.unique(flat, return_index=True, return_inverse=True)
    count = len(first)
    members = np.bincount(group, minlength=count)
    sums = [exact_sums(group, measure, count) for measure in measures]
    for index, row in enumerate(first):
        yield [int(value) for value in keys[row]], int(members[index]), [one[index] for one in sums]
