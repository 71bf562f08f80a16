"""Counters are put right by what calls did cost, hour by hour, and what they were off by is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from trueup_middleware.ledger import Claim, MemoryLedger, Settlement

from orchestration.limits.marts import AccountCost
from orchestration.limits.reconcile import comparable_hours, reconcile

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
HOUR = int(NOW.timestamp()) // 3600
CENT = 10_000_000
DAY, MONTH = "tenant:acme:day:2026-11-21", "tenant:acme:month:2026-11"
HOURS = comparable_hours(NOW, NOW)


def ms(hour: int) -> int:
    return hour * 3_600_000


def counted(ledger: MemoryLedger, hour: int, nano_usd: int, accounts: tuple[str, ...] = (DAY, MONTH)) -> None:
    """Let a call of an hour have been admitted and settled."""
    claims = [Claim(account, None, ms(HOUR) + 10**9) for account in accounts]
    name = f"{hour}-{nano_usd}-{accounts}"
    ledger.reserve(name, claims, nano_usd, ms(hour) + 1000, ms(hour))
    ledger.settle([Settlement(name, claims, nano_usd, ms(hour))], ms(hour))


def cost(known: dict[int, int], *, unknown: tuple[int, ...] = (), day: date = date(2026, 11, 21)) -> AccountCost:
    return AccountCost("tenant", "acme", day, known, frozenset(unknown))


def balance(ledger: MemoryLedger, account: str = DAY) -> dict[int, int]:
    return dict(ledger.balance(account, ms(HOUR)).settled_by_hour)


def test_hours_are_compared_once_logs_from_an_hour_later_have_come() -> None:
    assert (HOURS.start, HOURS.stop) == (HOUR - 72, HOUR - 1)
    assert comparable_hours(NOW - timedelta(hours=5), NOW).stop == HOUR - 6
    assert len(comparable_hours(NOW - timedelta(days=30), NOW)) == 0


def test_q9_what_went_past_the_counter_is_counted_and_told() -> None:
    """$0.009408 of embeddings that the application made without the library."""
    ledger = MemoryLedger()
    counted(ledger, HOUR - 3, 50 * CENT)
    drifts = reconcile(ledger, [cost({HOUR - 3: 50 * CENT + 9_408_000})], {}, HOURS, NOW)
    assert [(drift.account, drift.is_too_large) for drift in drifts] == [(DAY, True), (MONTH, True)]
    assert balance(ledger) == balance(ledger, MONTH) == {HOUR - 3: 509_408_000}


def test_one_per_cent_is_tolerated_and_put_right_and_a_hair_more_is_told() -> None:
    for off, is_too_large in ((CENT, False), (CENT + 1, True)):
        ledger = MemoryLedger()
        counted(ledger, HOUR - 3, 100 * CENT - off)
        drift, _ = reconcile(ledger, [cost({HOUR - 3: 100 * CENT})], {}, HOURS, NOW)
        assert drift.is_too_large == is_too_large
        assert balance(ledger) == {HOUR - 3: 100 * CENT}


def test_the_present_hour_is_left_to_the_calls_that_are_under_way() -> None:
    ledger = MemoryLedger()
    counted(ledger, HOUR, 7 * CENT)
    counted(ledger, HOUR - 3, 9 * CENT)
    reconcile(ledger, [cost({HOUR - 3: 4 * CENT})], {}, HOURS, NOW)
    assert balance(ledger) == {HOUR - 3: 4 * CENT, HOUR: 7 * CENT}


def test_an_hour_whose_cost_is_not_known_is_never_corrected_downwards() -> None:
    ledger = MemoryLedger()
    counted(ledger, HOUR - 3, 50 * CENT)
    counted(ledger, HOUR - 4, 50 * CENT)
    costs = [cost({HOUR - 3: 2 * CENT, HOUR - 4: 60 * CENT}, unknown=(HOUR - 3, HOUR - 4))]
    reconcile(ledger, costs, {}, HOURS, NOW)
    assert balance(ledger) == {HOUR - 3: 50 * CENT, HOUR - 4: 60 * CENT}


def test_a_store_that_lost_its_memory_is_seeded_and_that_is_no_drift() -> None:
    ledger = MemoryLedger()
    drifts = reconcile(ledger, [cost({HOUR - 3: 4 * CENT})], {}, HOURS, NOW)
    assert {(drift.was_lost, drift.is_too_large) for drift in drifts} == {(True, False)}
    assert balance(ledger) == {HOUR - 3: 4 * CENT}


def test_a_utc_hour_that_holds_midnight_belongs_to_two_days_and_one_month() -> None:
    """18:00 to 19:00 UTC is the end of one day and the beginning of the next in India."""
    ledger, hour = MemoryLedger(), int(datetime(2026, 11, 20, 18, tzinfo=UTC).timestamp()) // 3600
    costs = [cost({hour: 3 * CENT}, day=date(2026, 11, 20)), cost({hour: 4 * CENT}, day=date(2026, 11, 21))]
    reconcile(ledger, costs, {"acme": "Asia/Kolkata"}, HOURS, NOW)
    assert balance(ledger, "tenant:acme:day:2026-11-20") == {hour: 3 * CENT}
    assert balance(ledger, DAY) == {hour: 4 * CENT}
    assert balance(ledger, MONTH) == {hour: 7 * CENT}


@given(
    st.dictionaries(st.integers(HOUR - 12, HOUR), st.integers(0, 10**12)),
    st.dictionaries(st.integers(HOUR - 12, HOUR - 2), st.integers(0, 10**12)),
)
def test_law_compared_hours_say_the_cost_the_others_stay_and_twice_is_once(
    before: dict[int, int], wanted: dict[int, int]
) -> None:
    ledger = MemoryLedger()
    for hour, nano_usd in before.items():
        counted(ledger, hour, nano_usd)
    for _ in range(2):
        reconcile(ledger, [cost(wanted)], {}, HOURS, NOW)
        expected = {hour: nano for hour, nano in wanted.items() if nano}
        expected |= {hour: nano for hour, nano in before.items() if hour not in HOURS and nano}
        assert balance(ledger) == expected
