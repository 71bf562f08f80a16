"""What users made of the answers: `product.outcome` lines, late ones and second thoughts included.

Belongs here: who accepts what, when, and how the event names its operation. Does not belong here: calls and
cost.

Of every hundred events about six come one to five days late, two accepted ones are taken back within five
days, and two are clicked twice: one with the same event id, one with a new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from orchestration.sample_company import columns
from orchestration.sample_company.attempts import Attempts
from orchestration.sample_company.catalog import FEATURE_NAMES, FEATURE_OF_FLOW, Feature, Outcome
from orchestration.sample_company.company import Company
from orchestration.sample_company.ids import U64, hex_ids, mix
from orchestration.sample_company.operations import DAY_MS, Operations
from orchestration.sample_company.options import SampleOptions
from orchestration.sample_company.text_columns import (
    Flags,
    Ints,
    Text,
    concat,
    digits_of,
    join,
    moments,
    pick,
    take,
)

LATE_SHARE, REVERSED_SHARE, SAME_ID_SHARE, NEW_ID_SHARE = 0.06, 0.02, 0.01, 0.01
LATEST_DAYS = 5

ACCEPTED, REJECTED, REVERSED = range(3)
_VERDICTS = ("accepted", "rejected", "reversed")


@dataclass(frozen=True)
class _Habit:
    name: str
    value_usd: str | None
    accepted_share: float
    rejected_share: float


_HABITS = (
    _Habit("ticket_resolved", "4.50", 0.50, 0.10),
    _Habit("answer_accepted", None, 0.44, 0.08),
    _Habit("", None, 0.0, 0.0),
    _Habit("draft_accepted", "12.00", 0.58, 0.17),
    _Habit("search_answered", None, 0.40, 0.05),
    _Habit("ticket_classified", "0.08", 0.86, 0.06),
)
"""By `Flow`. An indexing job has no user and no outcome."""


@dataclass(frozen=True)
class OutcomeCounts:
    """What the outcome log of one part holds, double clicks counted once."""

    accepted: int
    rejected: int
    reversed: int
    late: int

    def plus(self, other: OutcomeCounts) -> OutcomeCounts:
        """Return the sum of both."""
        return OutcomeCounts(
            self.accepted + other.accepted,
            self.rejected + other.rejected,
            self.reversed + other.reversed,
            self.late + other.late,
        )


@dataclass(frozen=True)
class Events:
    """Outcome events of one part.

    Attributes:
        at_ms: UTC epoch milliseconds.
        verdict: Position in `accepted`, `rejected`, `reversed`.
        is_repeat: A double click. `is_late`: came a day or more after the answer.
        lines: The events as JSON.
    """

    at_ms: Ints
    verdict: Ints
    is_repeat: Flags
    is_late: Flags
    lines: Text

    def counts(self, end_ms: int) -> OutcomeCounts:
        """Count the events that happened before a moment."""
        seen = (self.at_ms < end_ms) & ~self.is_repeat
        accepted, rejected, reversed_ = (int((seen & (self.verdict == one)).sum()) for one in range(3))
        return OutcomeCounts(accepted, rejected, reversed_, int((seen & self.is_late).sum()))

    def by_day(self) -> Iterator[tuple[int, Ints, Text]]:
        """Yield (days since 1970, moments, lines) for each UTC day with events."""
        day = self.at_ms // DAY_MS
        for one in np.unique(day):
            rows = np.flatnonzero(day == one)
            yield int(one), self.at_ms[rows], take(self.lines, rows)


def draw_events(
    ops: Operations, attempts: Attempts, company: Company, options: SampleOptions, *, day: int, part: int
) -> Events:
    """Draw the outcome events of the operations of one part of a day."""
    rng = np.random.default_rng([options.seed, 4, day, part])
    last = np.flatnonzero(attempts.is_last)
    answered = np.zeros(len(ops), dtype=bool)
    answered[attempts.operation[last]] = attempts.outcome[last] == Outcome.SUCCESS
    last_of = np.zeros(len(ops), dtype=np.int64)
    last_of[attempts.operation[last]] = last

    accepted = np.array([habit.accepted_share for habit in _HABITS])[ops.flow]
    rejected = np.array([habit.rejected_share for habit in _HABITS])[ops.flow]
    draw = rng.random(len(ops))
    judged = np.flatnonzero(answered & (draw < accepted + rejected))
    verdict = np.where(draw[judged] < accepted[judged], ACCEPTED, REJECTED)
    ended = (attempts.start_ms + attempts.latency_ms)[last_of[judged]]
    late = rng.random(len(judged)) < LATE_SHARE
    minutes = rng.lognormal(1.2, 1.1, size=len(judged))
    delay = np.where(late, rng.uniform(1.0, LATEST_DAYS, size=len(judged)) * DAY_MS, minutes * 60_000)
    at_ms = ended + delay.astype(np.int64)
    uid = mix(ops.uid[judged], 21)

    twice_same = rng.random(len(judged)) < SAME_ID_SHARE
    twice_new = ~twice_same & (rng.random(len(judged)) < NEW_ID_SHARE)
    taken_back = (verdict == ACCEPTED) & (rng.random(len(judged)) < REVERSED_SHARE)
    back_after = (rng.uniform(0.2, LATEST_DAYS, size=len(judged)) * DAY_MS).astype(np.int64)

    index = np.arange(len(judged))
    rows = np.concatenate([index, index[twice_same], index[twice_new], index[taken_back]])
    moments = np.concatenate([at_ms, at_ms[twice_same] + 400, at_ms[twice_new] + 900, (at_ms + back_after)[taken_back]])
    uids = np.concatenate([uid, uid[twice_same], mix(uid[twice_new], 22), mix(uid[taken_back], 23)])
    verdicts = np.concatenate(
        [verdict, verdict[twice_same], verdict[twice_new], np.full(int(taken_back.sum()), REVERSED)]
    )
    repeats = int(twice_same.sum()) + int(twice_new.sum())
    is_repeat = np.zeros(len(rows), dtype=bool)
    is_repeat[len(judged) : len(judged) + repeats] = True
    is_late = np.zeros(len(rows), dtype=bool)
    is_late[: len(judged)] = late
    batch = _Batch(judged[rows], last_of[judged[rows]], moments, verdicts, uids, uid[rows])
    return Events(
        at_ms=moments,
        verdict=verdicts,
        is_repeat=is_repeat,
        is_late=is_late,
        lines=batch.lines(ops, attempts, company),
    )


class _Reference(IntEnum):
    """How an event names what it judges: the search page knows its trace only, the classifier its request."""

    OPERATION = 0
    TRACE = 1
    REQUEST = 2


_REFERENCE_OF_FLOW = np.array(
    [
        _Reference.OPERATION,
        _Reference.OPERATION,
        _Reference.OPERATION,
        _Reference.OPERATION,
        _Reference.TRACE,
        _Reference.REQUEST,
    ]
)


def _fixed(habit: _Habit, feature: Feature, verdict: str) -> str:
    value = f',"value_usd":"{habit.value_usd}"' if habit.value_usd and verdict == "accepted" else ""
    return f',"name":"{habit.name}","feature":"{FEATURE_NAMES[feature]}","verdict":"{verdict}"{value}'


_FIXED = [
    _fixed(habit, feature, verdict)
    for habit, feature in zip(_HABITS, FEATURE_OF_FLOW, strict=True)
    for verdict in _VERDICTS
]


@dataclass(frozen=True)
class _Batch:
    """Events to be written: the position of their operation and attempt, when, and who they are."""

    operation: Ints
    attempt: Ints
    at_ms: Ints
    verdict: Ints
    uid: U64
    first_uid: U64

    def lines(self, ops: Operations, attempts: Attempts, company: Company) -> Text:
        """Return the events as JSON lines, in order."""
        reference = _REFERENCE_OF_FLOW[ops.flow[self.operation]]
        code = reference * 2 + (self.verdict == REVERSED)
        order = np.argsort(code, kind="stable")
        codes, starts = np.unique(code[order], return_index=True)
        lines = [
            self._written(rows, ops, attempts, company, code=int(one))
            for one, rows in zip(codes, np.split(order, starts[1:]), strict=True)
        ]
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        return take(concat(lines), place)

    def _written(self, rows: Ints, ops: Operations, attempts: Attempts, company: Company, *, code: int) -> Text:
        reference, takes_back = _Reference(code // 2), bool(code % 2)
        operation = self.operation[rows]
        tenant = columns.tenant_ids(company, ops, operation)
        match reference:
            case _Reference.OPERATION:
                target = columns.operation_ids(ops.uid[operation], ',"operation_id":"', '"')
            case _Reference.TRACE:
                target = columns.trace_ids(ops.uid[operation], ',"trace_id":"', '"')
            case _Reference.REQUEST:
                target = columns.request_ids(attempts.uid[self.attempt[rows]], ',"request_id":"', '"')
        return join(
            hex_ids('{"event":"product.outcome","event_id":"evt_', self.uid[rows], after='","ts":"'),
            moments(self.at_ms[rows]),
            '"',
            pick(_FIXED, ops.flow[operation] * len(_VERDICTS) + self.verdict[rows]),
            ',"tenant_id":"',
            tenant,
            '","user_id":"user-',
            digits_of(ops.user[operation] + 1),
            "@",
            tenant,
            '.example"',
            hex_ids(',"reverses":"evt_', self.first_uid[rows], after='"') if takes_back else "",
            target,
            "}\n",
        )
