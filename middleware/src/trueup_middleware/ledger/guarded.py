"""A store that may be away, and what is done then.

Belongs here: the breaker, the policy, and settlements that wait for the store. Does not belong here: counting.

While the store is away, a call is either refused (`closed`), or admitted as far as this process's own cap and
the limits themselves go, counted in this process alone (`open`). What an installation can then overspend is at
most `cap × processes`, and nothing when closed.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from trueup_middleware.ledger.base import Balance, Claim, Granted, Ledger, LedgerUnavailableError, Short
from trueup_middleware.ledger.memory import MemoryLedger

_DAY_MS = 86_400_000
_WAITING_AT_MOST = 10_000
_SENT_AT_ONCE = 16

LOCAL_CAP_ACCOUNT = "process"
"""Account, by UTC day, of all that this process admits while the store is away."""


class StorePolicy(StrEnum):
    """What happens to a call while the store is away."""

    CLOSED = "closed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class _Settlement:
    reservation_id: str
    claims: Sequence[Claim]
    actual: int
    started_ms: int


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
        self._held_locally: dict[str, Sequence[Claim]] = {}
        self._waiting: deque[_Settlement] = deque()
        self._lock = threading.Lock()
        self.lost_settlements_count = 0
        """Settlements that were dropped because ten thousand were waiting; the loop back makes them good."""

    @property
    def waiting_settlements_count(self) -> int:
        """Settlements that the store has not heard of yet."""
        return len(self._waiting)

    def reserve(self, reservation_id: str, claims: Sequence[Claim], now_ms: int) -> Granted | Short:
        """See `Ledger.reserve`.

        Raises:
            LedgerUnavailableError: The store is away and the policy is `closed`, or the cap is used.
        """
        try:
            with self._asking():
                return self._store.reserve(reservation_id, claims, now_ms)
        except LedgerUnavailableError:
            if self._policy is StorePolicy.CLOSED:
                raise
        day_end = (now_ms // _DAY_MS + 1) * _DAY_MS
        amount = max((claim.amount for claim in claims if not claim.is_rate), default=0)
        until = max((claim.held_until_ms for claim in claims if not claim.is_rate), default=now_ms + 1)
        cap = Claim(f"{LOCAL_CAP_ACCOUNT}:{now_ms // _DAY_MS}", amount, self._cap, until, max(day_end, until))
        answer = self._local.reserve(reservation_id, [*claims, cap], now_ms)
        if isinstance(answer, Granted):
            with self._lock:
                self._held_locally[reservation_id] = [*claims, cap]
            return Granted(answer.totals[:-1])
        if answer.index == len(claims):
            raise LedgerUnavailableError("the store is away and this process has used its cap")
        return answer

    def settle(self, reservation_id: str, claims: Sequence[Claim], actual: int, now_ms: int, started_ms: int) -> bool:
        """See `Ledger.settle`; while the store is away the settlement waits for it, and this says True."""
        with self._lock:
            held = self._held_locally.pop(reservation_id, None)
        if held is not None:
            self._local.settle(reservation_id, held, actual, now_ms, started_ms)
        try:
            with self._asking():
                done = self._store.settle(reservation_id, claims, actual, now_ms, started_ms)
        except LedgerUnavailableError:
            self._wait(_Settlement(reservation_id, tuple(claims), actual, started_ms))
            return True
        self.send_waiting(now_ms, at_most=_SENT_AT_ONCE)
        return done

    def release(self, reservation_id: str, claims: Sequence[Claim], now_ms: int) -> bool:
        """See `Ledger.release`; while the store is away the hold ends by itself in its time."""
        with self._lock:
            held = self._held_locally.pop(reservation_id, None)
        if held is not None:
            return self._local.release(reservation_id, held, now_ms)
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
        with self._asking():
            return self._store.balance(account, now_ms)

    def send_waiting(self, now_ms: int, at_most: int = _WAITING_AT_MOST) -> int:
        """Tell the store of settlements that wait, oldest first; returns how many it has heard of now.

        One is dropped from the queue only after the store has confirmed it; to tell it twice does no harm.
        """
        sent = 0
        while sent < at_most and self._waiting:
            with self._lock:
                if not self._waiting:
                    break
                one = self._waiting[0]
            try:
                with self._asking():
                    self._store.settle(one.reservation_id, one.claims, one.actual, now_ms, one.started_ms)
            except LedgerUnavailableError:
                break
            with self._lock:
                if self._waiting and self._waiting[0] is one:
                    self._waiting.popleft()
            sent += 1
        return sent

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

    def _wait(self, settlement: _Settlement) -> None:
        with self._lock:
            if len(self._waiting) >= _WAITING_AT_MOST:
                self._waiting.popleft()
                self.lost_settlements_count += 1
            self._waiting.append(settlement)
