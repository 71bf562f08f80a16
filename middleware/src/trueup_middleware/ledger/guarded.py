"""A store that may be away, and what is done then.

Belongs here: the breaker, the policy, and settlements that wait for the store. Does not belong here: counting.

While the store is away, a call is either refused (`closed`), or admitted as far as this process's own cap and
the limits themselves go, counted in this process alone (`open`). What an installation can then overspend is at
most `cap × processes`, and nothing when closed.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum

from trueup_middleware.ledger.base import (
    Balance,
    Claim,
    Granted,
    Ledger,
    LedgerUnavailableError,
    Settlement,
    Short,
)
from trueup_middleware.ledger.memory import MemoryLedger

_DAY_MS = 86_400_000
_WAITING_AT_MOST = 10_000
_SENT_AT_ONCE = 16
"""The server does a batch before it hears of the next call."""

LOCAL_CAP_ACCOUNT = "process"
"""Account, by UTC day, of all that this process admits while the store is away."""


class StorePolicy(StrEnum):
    """What happens to a call while the store is away."""

    CLOSED = "closed"
    OPEN = "open"


class GuardedLedger:
    """A `Ledger` over one that may be away.

    Args:
        store: The shared ledger.
        policy: What happens while it is away. There is no default, because both are wrong for somebody.
        local_cap_nano_usd: With `open`: what this process may admit in a UTC day in which the store is away.
        rest_seconds: After a failure the store is left alone for so long, so that calls do not each wait for it.
        monotonic: The clock of the rest.
    """

    def __init__(
        self,
        store: Ledger,
        policy: StorePolicy,
        *,
        local_cap_nano_usd: int = 0,
        rest_seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._policy = policy
        self._cap = local_cap_nano_usd
        self.rest_seconds = rest_seconds
        self._monotonic = monotonic
        self._resting_until = float("-inf")
        self._local = MemoryLedger()
        self._held_locally: dict[str, Claim] = {}
        self._waiting: deque[Settlement] = deque()
        self._lock = threading.Lock()
        self._is_deferred = False
        self.lost_settlements_count = 0
        """Settlements that were dropped because ten thousand were waiting; the loop back makes them good."""

    @property
    def waiting_settlements_count(self) -> int:
        """Settlements that the store has not heard of yet."""
        return len(self._waiting)

    def settle_in_background(self) -> Callable[[], None]:
        """Let settlements wait from now on for whoever calls the returned function, some times a second.

        Until then a call holds the most that it may cost, so nothing can be overspent. A call that would be refused
        for that, and `balance`, send what waits at once.
        """
        self._is_deferred = True
        return lambda: self._send_waiting(None)

    def reserve(
        self, reservation_id: str, claims: Sequence[Claim], amount: int, held_until_ms: int, now_ms: int
    ) -> Granted | Short:
        """See `Ledger.reserve`.

        Raises:
            LedgerUnavailableError: The store is away and the policy is `closed`, or the cap is used.
        """
        try:
            with self._asking():
                answer = self._store.reserve(reservation_id, claims, amount, held_until_ms, now_ms)
            if isinstance(answer, Short) and self._waiting:
                self._send_waiting(now_ms)
                with self._asking():
                    answer = self._store.reserve(reservation_id, claims, amount, held_until_ms, now_ms)
            return answer
        except LedgerUnavailableError:
            if self._policy is StorePolicy.CLOSED:
                raise
        day_end = (now_ms // _DAY_MS + 1) * _DAY_MS
        cap = Claim(f"{LOCAL_CAP_ACCOUNT}:{now_ms // _DAY_MS}", self._cap, max(day_end, held_until_ms))
        answer = self._local.reserve(reservation_id, [*claims, cap], amount, held_until_ms, now_ms)
        if isinstance(answer, Granted):
            with self._lock:
                self._held_locally[reservation_id] = cap
            return Granted(answer.totals[:-1])
        if answer.place == len(claims):
            raise LedgerUnavailableError("the store is away and this process has used its cap")
        return answer

    def settle(self, settlements: Sequence[Settlement], now_ms: int) -> list[bool]:
        """See `Ledger.settle`; what the store has not heard of yet waits for it, and is said to be True."""
        for settlement in settlements:
            with self._lock:
                cap = self._held_locally.pop(settlement.reservation_id, None)
            if cap is not None:
                self._local.settle([settlement._replace(claims=[*settlement.claims, cap])], now_ms)
        if not self._is_deferred:
            try:
                with self._asking():
                    done = self._store.settle(settlements, now_ms)
            except LedgerUnavailableError:
                pass
            else:
                self._send_waiting(now_ms)
                return done
        for settlement in settlements:
            self._wait(settlement)
        return [True] * len(settlements)

    def settle_held(self, reservation_id: str, actual: int, now_ms: int, started_ms: int) -> bool:
        """See `Ledger.settle_held`."""
        with self._asking():
            return self._store.settle_held(reservation_id, actual, now_ms, started_ms)

    def release(self, reservation_id: str, claims: Sequence[Claim], now_ms: int) -> bool:
        """See `Ledger.release`; while the store is away the hold ends by itself in its time."""
        with self._lock:
            cap = self._held_locally.pop(reservation_id, None)
        if cap is not None:
            return self._local.release(reservation_id, [*claims, cap], now_ms)
        try:
            with self._asking():
                return self._store.release(reservation_id, claims, now_ms)
        except LedgerUnavailableError:
            return True

    def correct(
        self, account: str, hours: range, settled_by_hour: Mapping[int, int], kept_until_ms: int, now_ms: int
    ) -> int:
        """See `Ledger.correct`."""
        with self._asking():
            return self._store.correct(account, hours, settled_by_hour, kept_until_ms, now_ms)

    def balance(self, account: str, now_ms: int) -> Balance:
        """See `Ledger.balance`."""
        self._send_waiting(now_ms)
        with self._asking():
            return self._store.balance(account, now_ms)

    def _send_waiting(self, now_ms: int | None) -> None:
        """Tell the store of settlements that wait, oldest first.

        They leave the queue only after the store has confirmed them; to tell it twice does no harm.
        """
        while self._waiting:
            with self._lock:
                batch = list(itertools.islice(self._waiting, _SENT_AT_ONCE))
            try:
                with self._asking():
                    self._store.settle(batch, round(time.time() * 1000) if now_ms is None else now_ms)
            except LedgerUnavailableError:
                break
            with self._lock:
                for settlement in batch:
                    if self._waiting and self._waiting[0] is settlement:
                        self._waiting.popleft()

    @contextmanager
    def _asking(self) -> Generator[None]:
        """Ask the store unless it rests; a failure lets it rest."""
        if self._monotonic() < self._resting_until:
            raise LedgerUnavailableError("the store failed a moment ago")
        try:
            yield
        except LedgerUnavailableError:
            self._resting_until = self._monotonic() + self.rest_seconds
            raise

    def _wait(self, settlement: Settlement) -> None:
        with self._lock:
            if len(self._waiting) >= _WAITING_AT_MOST:
                self._waiting.popleft()
                self.lost_settlements_count += 1
            self._waiting.append(settlement)
