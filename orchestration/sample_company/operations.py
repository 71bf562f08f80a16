"""What users do: the operations of one part of one day.

Belongs here: how many operations each tenant causes, when, by whom, in which conversation, and which of them
exist only because of an incident. Does not belong here: calls, models and tokens (`attempts`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from orchestration.sample_company import figures
from orchestration.sample_company.catalog import (
    CALLS_PER_OPERATION,
    FEATURE_OF_FLOW,
    REQUEST_SHARE_OF_FLOW,
    Flow,
)
from orchestration.sample_company.company import Company
from orchestration.sample_company.ids import U64, mix
from orchestration.sample_company.incidents import (
    NOISY_FACTOR,
    OUTGROWN_GROWTH_PER_DAY,
    IncidentKind,
    IncidentPlan,
)
from orchestration.sample_company.options import SampleOptions
from orchestration.sample_company.text_columns import Floats, Ints

DAY_MS = 86_400_000
LAST_START_MS = DAY_MS - 1_800_000
"""On the last day nothing begins in the last half hour, so that nothing runs into a day without a bill."""

ATTEMPTS_PER_PLANNED_CALL = 1.038
"""Retries and incidents included; measured on the default sample, so that `requests` comes out right."""

EMBEDDING_RUNAWAY_REQUEST_SHARE = 0.45
"""Requests of the runaway indexing job, as a share of a usual day's requests."""


@dataclass(frozen=True)
class Operations:
    """Operations in order of time, one entry each in every array.

    Attributes:
        uid: Distinct 64-bit numbers over the whole sample.
        start_ms: UTC epoch milliseconds.
        extra_by: `IncidentKind` without which the operation would not exist, 0 for none.
    """

    uid: U64
    conversation: U64
    start_ms: Ints
    tenant: Ints
    flow: Ints
    user: Ints
    extra_by: Ints

    def __len__(self) -> int:
        return len(self.uid)


class Demand:
    """Expected operations by day, tenant and flow."""

    def __init__(self, options: SampleOptions, company: Company, plan: IncidentPlan) -> None:
        self.options = options
        self.company = company
        self.plan = plan
        rates = np.array(REQUEST_SHARE_OF_FLOW) / np.array(CALLS_PER_OPERATION)
        self._share = company.share[:, list(FEATURE_OF_FLOW)] * rates
        calls = self._share @ np.array(CALLS_PER_OPERATION)
        baseline = sum(self._season(day) * float(calls[company.is_active(day)].sum()) for day in range(options.days))
        self._scale = options.requests / (baseline * ATTEMPTS_PER_PLANNED_CALL)

    def _season(self, day: int) -> float:
        weekday = (self.options.start_date + timedelta(days=day)).weekday()
        return figures.WEEKDAY_FACTORS[weekday] * (1.0 + figures.GROWTH_PER_DAY * day)

    def expected(self, day: int) -> dict[IncidentKind, Floats]:
        """Return expected operations, shape (tenants, flows), by what causes them (`NONE`: ordinary use)."""
        active = self.company.is_active(day)[:, None]
        ordinary = self._share * (self._season(day) * self._scale) * active
        demand = {IncidentKind.NONE: ordinary}
        noisy = self.plan.on(IncidentKind.NOISY_TENANT, day)
        if noisy is not None and noisy.tenant is not None:
            extra = np.zeros_like(ordinary)
            extra[noisy.tenant] = ordinary[noisy.tenant] * (NOISY_FACTOR - 1.0)
            demand[IncidentKind.NOISY_TENANT] = extra
        grown = self.plan.on(IncidentKind.OUTGROWN_PLAN, day)
        if grown is not None and grown.tenant is not None:
            extra = np.zeros_like(ordinary)
            growth = OUTGROWN_GROWTH_PER_DAY ** (day - grown.first_day + 1)
            extra[grown.tenant] = ordinary[grown.tenant] * (growth - 1.0)
            demand[IncidentKind.OUTGROWN_PLAN] = extra
        runaway = self.plan.on(IncidentKind.EMBEDDING_RUNAWAY, day)
        if runaway is not None and runaway.tenant is not None:
            extra = np.zeros_like(ordinary)
            usual = self.options.requests / self.options.days
            extra[runaway.tenant, Flow.INDEX] = usual * EMBEDDING_RUNAWAY_REQUEST_SHARE
            demand[IncidentKind.EMBEDDING_RUNAWAY] = extra
        return demand

    def parts(self, day: int, most: int = 150_000) -> int:
        """Return into how many parts a day is cut so that none holds many more than `most` operations."""
        return max(1, int(np.ceil(sum(float(one.sum()) for one in self.expected(day).values()) / most)))


def _whole_counts(expected: Floats, rng: np.random.Generator) -> Ints:
    """Round expectations to whole counts by systematic sampling: the total is kept to within one."""
    edges = np.floor(np.concatenate([[0.0], np.cumsum(expected)]) + rng.random())
    return np.diff(edges).astype(np.int64)


def _random_counts(expected: Floats, rng: np.random.Generator) -> Ints:
    """Draw counts of operations that come in conversations, whose number is Poisson and whose length geometric."""
    turns = figures.RAGPULSE_TURNS_PER_SESSION
    conversations = rng.poisson(expected / turns)
    further = np.zeros(conversations.shape, dtype=np.int64)
    some = conversations > 0
    further[some] = rng.negative_binomial(conversations[some], 1.0 / turns)
    return conversations + further


def _local_hours(tenant: Ints, tenants_count: int, restless: bool, rng: np.random.Generator) -> Ints:
    """Draw the local hour of each operation."""
    weights = np.array(figures.hour_weights())
    if not restless:
        return rng.choice(24, size=len(tenant), p=weights)
    of_tenant = weights * rng.lognormal(0.0, figures.RAGPULSE_HOUR_SIGMA, size=(tenants_count, 24))
    edges = np.cumsum(of_tenant, axis=1) / of_tenant.sum(axis=1, keepdims=True)
    # One sorted array for all tenants: tenant n's edges lie in (n, n + 1].
    return np.searchsorted((edges + np.arange(tenants_count)[:, None]).ravel(), tenant + rng.random(len(tenant))) % 24


def draw_operations(demand: Demand, day: int, part: int, parts: int) -> Operations:
    """Draw the operations of one part of a day."""
    options, company = demand.options, demand.company
    rng = np.random.default_rng([options.seed, 2, day, part])
    tenants: list[Ints] = []
    flows: list[Ints] = []
    causes: list[Ints] = []
    sigma, count_of = (figures.SERVEGEN_DAY_SIGMA, _random_counts) if options.restless else (0.08, _whole_counts)
    for cause, expected in demand.expected(day).items():
        wobble = rng.lognormal(0.0, sigma, size=(len(expected), 1)) if cause is IncidentKind.NONE else 1.0
        counts = count_of((expected * wobble / parts).ravel(), rng)
        cells = np.repeat(np.arange(counts.size), counts)
        tenant, flow = np.divmod(cells, len(Flow))
        tenants.append(tenant)
        flows.append(flow)
        causes.append(np.full(len(cells), int(cause)))
    tenant, flow, cause = np.concatenate(tenants), np.concatenate(flows), np.concatenate(causes)
    count = len(tenant)

    offsets = np.array([one.utc_offset_hours for one in company.tenants])
    local_hour = _local_hours(tenant, len(company.tenants), options.restless, rng)
    in_day = ((local_hour - offsets[tenant]) % 24) * 3_600_000 + rng.integers(0, 3_600_000, size=count)
    if day == options.days - 1:
        in_day = np.where(in_day > LAST_START_MS, in_day - 3_600_000, in_day)

    # A conversation is a run of operations of one tenant and flow; its mean length is the trace's.
    order = np.lexsort((in_day, flow, tenant))
    cell = tenant[order] * len(Flow) + flow[order]
    begins = np.ones(count, dtype=bool)
    begins[1:] = (cell[1:] != cell[:-1]) | (rng.random(count - 1) < 1.0 / figures.RAGPULSE_TURNS_PER_SESSION)
    number = np.cumsum(begins)
    seats = np.array([one.seats for one in company.tenants])
    user_of_conversation = np.floor(seats[tenant[order][begins]] * rng.random(int(begins.sum())) ** 2).astype(np.int64)
    conversation = np.empty(count, dtype=np.int64)
    user = np.empty(count, dtype=np.int64)
    conversation[order] = number
    user[order] = user_of_conversation[number - 1]

    in_time = np.argsort(in_day, kind="stable")
    midnight = (options.start_date.toordinal() - 719_163 + day) * DAY_MS
    block = np.uint64(((day * 1024 + part) << 32) & 0xFFFFFFFFFFFFFFFF)
    return Operations(
        uid=mix(np.arange(count, dtype=np.uint64) + block, options.seed * 8 + 1),
        conversation=mix(conversation[in_time].astype(np.uint64) + block, options.seed * 8 + 2),
        start_ms=midnight + in_day[in_time],
        tenant=tenant[in_time],
        flow=flow[in_time],
        user=user[in_time],
        extra_by=cause[in_time],
    )
