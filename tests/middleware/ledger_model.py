"""What a ledger should hold, worked out the slow way; and the machine that compares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from trueup_middleware.ledger import Claim, Granted, Ledger, Settlement, Short
from trueup_middleware.ledger.base import HOUR_MS

START_MS = 1_795_219_200_000
KEPT_UNTIL_MS = START_MS + 40 * 86_400_000
ACCOUNTS = ("tenant", "feature", "org")

# Up to ten million dollars in 10⁻⁹: beyond 2⁵³, where a double loses units.
AMOUNTS = st.one_of(st.integers(0, 20), st.integers(0, 10**16))


@dataclass
class Reservation:
    claims: list[Claim]
    amount: int
    held_until_ms: int
    started_ms: int
    alive: set[str] = field(default_factory=set[str])


class LedgerMachine(RuleBasedStateMachine):
    """Counter = Σ settled + Σ live holds, at every step."""

    make: Callable[[], Ledger]

    @initialize()
    def begin(self) -> None:
        self.ledger = type(self).make()
        self.now = START_MS
        self.known: dict[str, Reservation] = {}
        self.ended: set[str] = set()
        self.settled: dict[str, dict[int, int]] = {name: defaultdict(int) for name in ACCOUNTS}

    def expected(self, name: str) -> tuple[int, int]:
        settled = sum(self.settled[name].values())
        held = sum(
            known.amount
            for known in self.known.values()
            for claim in known.claims
            if claim.account == name and name in known.alive and self.now < known.held_until_ms
        )
        return settled, held

    @rule(
        amount=AMOUNTS,
        limits=st.lists(st.one_of(st.none(), AMOUNTS), min_size=3, max_size=3),
        accounts=st.sets(st.sampled_from(ACCOUNTS), min_size=1),
        seconds=st.integers(1, 30),
    )
    def reserve(self, amount: int, limits: list[int | None], accounts: set[str], seconds: int) -> None:
        name = f"call-{len(self.known)}"
        claims = [
            Claim(account, limit, KEPT_UNTIL_MS)
            for account, limit in zip(ACCOUNTS, limits, strict=True)
            if account in accounts
        ]
        totals = [sum(self.expected(claim.account)) for claim in claims]
        over = [
            index
            for index, (claim, total) in enumerate(zip(claims, totals, strict=True))
            if claim.limit is not None and amount and total + amount > claim.limit
        ]
        held_until_ms = self.now + seconds * 1000
        answer = self.ledger.reserve(name, claims, amount, held_until_ms, self.now)
        if over:
            assert isinstance(answer, Short)
            assert (answer.place, answer.total) == (over[0], totals[over[0]])
            assert answer.settled == self.expected(claims[over[0]].account)[0]
            return
        assert answer == Granted(tuple(total + amount for total in totals))
        self.known[name] = Reservation(claims, amount, held_until_ms, self.now, {claim.account for claim in claims})

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """A store that answered too late is asked again: nothing is held twice."""
        name = data.draw(st.sampled_from(sorted(self.known)))
        known = self.known[name]
        if known.alive and self.now < known.held_until_ms:
            answer = self.ledger.reserve(name, known.claims, known.amount, known.held_until_ms, self.now)
            assert answer == Granted(tuple(sum(self.expected(claim.account)) for claim in known.claims))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), actual=AMOUNTS)
    def settle(self, data: st.DataObject, actual: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.known)))
        known = self.known[name]
        (done,) = self.ledger.settle([Settlement(name, known.claims, actual, known.started_ms)], self.now)
        assert done == (name not in self.ended)
        if done:
            for claim in known.claims:
                self.settled[claim.account][known.started_ms // HOUR_MS] += actual
            self._end(name)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.known)))
        assert self.ledger.release(name, self.known[name].claims, self.now) == (name not in self.ended)
        self._end(name)

    @rule(milliseconds=st.sampled_from((1, 1000, 5000, 40_000)))
    def wait(self, milliseconds: int) -> None:
        self.now += milliseconds

    @rule(account=st.sampled_from(ACCOUNTS), back=st.integers(0, 2), wanted=AMOUNTS)
    def correct(self, account: str, back: int, wanted: int) -> None:
        hour = self.now // HOUR_MS - back
        hours = range(hour - 1, hour + 1)
        change = wanted - sum(self.settled[account][hour] for hour in hours)
        for _ in range(2):
            assert self.ledger.correct(account, hours, {hour: wanted}, KEPT_UNTIL_MS, self.now) == change
            change = 0
        self.settled[account] |= {hour - 1: 0, hour: wanted}

    @invariant()
    def counter_is_settled_and_held(self) -> None:
        for name in ACCOUNTS:
            balance = self.ledger.balance(name, self.now)
            assert (balance.settled, balance.held) == self.expected(name)
            assert balance.total == balance.settled + balance.held
            assert balance.settled_by_hour == {hour: amount for hour, amount in self.settled[name].items() if amount}

    def _end(self, name: str) -> None:
        self.known[name].alive.clear()
        self.ended.add(name)
