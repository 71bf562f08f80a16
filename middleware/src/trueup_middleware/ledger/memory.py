"""Accounts in this process: for development, and while the shared store is away.

Belongs here: the same arithmetic as `redis.lua`, under one lock. Does not belong here: anything that another
process would have to see.
"""

from __future__ import annotations

import heapq
import threading
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from trueup_middleware.ledger.base import (
    HOUR_MS,
    MARKER_MS,
    RATE_MS,
    Balance,
    Claim,
    Granted,
    Settlement,
    Short,
)

_FORGET_EVERY_MS: Final = 60_000


class _Account:
    """Money: what is settled and held, and what is settled by hour."""

    __slots__ = ("by_hour", "kept_until_ms", "total")

    def __init__(self, kept_until_ms: int) -> None:
        self.kept_until_ms = kept_until_ms
        self.total = 0
        self.by_hour: dict[int, int] = defaultdict(int)

    @property
    def settled(self) -> int:
        return sum(self.by_hour.values())


class _Hold(NamedTuple):
    amount: int
    accounts: list[_Account]


class MemoryLedger:
    """A `Ledger` that dies with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accounts: dict[str, _Account] = {}
        self._requests: dict[str, deque[tuple[int, str]]] = {}
        self._holds: dict[str, _Hold] = {}
        self._ends: list[tuple[int, str]] = []
        self._ended: dict[str, int] = {}
        self._forget_at_ms = 0

    def reserve(
        self, reservation_id: str, claims: Sequence[Claim], amount: int, held_until_ms: int, now_ms: int
    ) -> Granted | Short:
        """See `Ledger.reserve`."""
        with self._lock:
            self._sweep(now_ms)
            is_repeat = reservation_id in self._holds
            taken: list[_Account | deque[tuple[int, str]]] = []
            short: Short | None = None
            for index, (name, limit, kept_until_ms, is_rate) in enumerate(claims):
                if is_rate:
                    requests = self._requests_of(name, now_ms)
                    taken.append(requests)
                    if not is_repeat and limit is not None and len(requests) >= limit:
                        return Short(index, len(requests), 0, requests[0][0] if requests else None)
                else:
                    account = self._open(name, kept_until_ms, now_ms)
                    taken.append(account)
                    if not short and not is_repeat and amount and limit is not None and account.total + amount > limit:
                        short = Short(index, account.total, account.settled, None)
            if short:
                return short
            if not is_repeat:
                self._hold(reservation_id, taken, amount, held_until_ms, now_ms)
            return Granted(tuple([each.total if isinstance(each, _Account) else len(each) for each in taken]))

    def settle(self, settlements: Sequence[Settlement], now_ms: int) -> list[bool]:
        """See `Ledger.settle`."""
        with self._lock:
            return [self._settle(each, now_ms) for each in settlements]

    def settle_held(self, reservation_id: str, actual: int, now_ms: int, started_ms: int) -> bool:
        """See `Ledger.settle_held`: with its process, what it held is gone."""
        del reservation_id, actual, now_ms, started_ms
        return False

    def release(self, reservation_id: str, claims: Sequence[Claim], now_ms: int) -> bool:
        """See `Ledger.release`."""
        with self._lock:
            if not self._end(reservation_id, now_ms):
                return False
            self._let_go(reservation_id)
            for claim in claims:
                if claim.is_rate:
                    requests = self._requests_of(claim.account, now_ms)
                    kept = [request for request in requests if request[1] != reservation_id]
                    requests.clear()
                    requests.extend(kept)
            return True

    def correct(
        self, account: str, hours: range, settled_by_hour: Mapping[int, int], kept_until_ms: int, now_ms: int
    ) -> int:
        """See `Ledger.correct`."""
        with self._lock:
            found = self._open(account, kept_until_ms, now_ms)
            change = 0
            for hour in {hour for hour in (*found.by_hour, *settled_by_hour) if hour in hours}:
                delta = settled_by_hour.get(hour, 0) - found.by_hour[hour]
                found.by_hour[hour] += delta
                change += delta
            found.total += change
            return change

    def balance(self, account: str, now_ms: int) -> Balance:
        """See `Ledger.balance`."""
        with self._lock:
            self._sweep(now_ms)
            found = self._accounts.get(account)
            if found is None or found.kept_until_ms <= now_ms:
                return Balance()
            by_hour = {hour: amount for hour, amount in found.by_hour.items() if amount}
            return Balance(found.total, found.settled, by_hour, found.total - found.settled)

    def _sweep(self, now_ms: int) -> None:
        """End the holds whose time is over, and those at the front that have ended otherwise."""
        ends, holds = self._ends, self._holds
        while ends and (ends[0][0] <= now_ms or ends[0][1] not in holds):
            self._let_go(heapq.heappop(ends)[1])
        if now_ms >= self._forget_at_ms:
            self._forget_at_ms = now_ms + _FORGET_EVERY_MS
            self._accounts = {name: kept for name, kept in self._accounts.items() if kept.kept_until_ms > now_ms}
            self._requests = {name: kept for name, kept in self._requests.items() if kept and kept[-1][0] > now_ms}

    def _hold(
        self,
        reservation_id: str,
        taken: list[_Account | deque[tuple[int, str]]],
        amount: int,
        held_until_ms: int,
        now_ms: int,
    ) -> None:
        accounts: list[_Account] = []
        for each in taken:
            if isinstance(each, _Account):
                each.total += amount
                accounts.append(each)
            else:
                each.append((now_ms + RATE_MS, reservation_id))
        self._holds[reservation_id] = _Hold(amount, accounts)
        heapq.heappush(self._ends, (held_until_ms, reservation_id))

    def _let_go(self, reservation_id: str) -> None:
        hold = self._holds.pop(reservation_id, None)
        if hold is not None:
            for account in hold.accounts:
                account.total -= hold.amount

    def _settle(self, settlement: Settlement, now_ms: int) -> bool:
        reservation_id, claims, actual, started_ms = settlement
        if not self._end(reservation_id, now_ms):
            return False
        self._let_go(reservation_id)
        hour = started_ms // HOUR_MS
        for name, _, kept_until_ms, is_rate in claims:
            if not is_rate:
                account = self._open(name, kept_until_ms, now_ms)
                account.total += actual
                account.by_hour[hour] += actual
        return True

    def _requests_of(self, name: str, now_ms: int) -> deque[tuple[int, str]]:
        requests = self._requests.get(name)
        if requests is None:
            requests = self._requests[name] = deque()
        while requests and requests[0][0] <= now_ms:
            requests.popleft()
        return requests

    def _open(self, name: str, kept_until_ms: int, now_ms: int) -> _Account:
        account = self._accounts.get(name)
        if account is None or account.kept_until_ms <= now_ms:
            account = self._accounts[name] = _Account(kept_until_ms)
        account.kept_until_ms = kept_until_ms
        return account

    def _end(self, reservation_id: str, now_ms: int) -> bool:
        """Note that a reservation ends; False when it has."""
        ended = self._ended
        if ended.get(reservation_id, now_ms) > now_ms:
            return False
        # The oldest stand first. All of them were looked through once, and each call took longer than the one before.
        while ended and ended[oldest := next(iter(ended))] <= now_ms:
            del ended[oldest]
        ended[reservation_id] = now_ms + MARKER_MS
        return True
