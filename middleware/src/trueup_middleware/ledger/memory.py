"""Accounts in this process: for development, and while the shared store is away.

Belongs here: the same arithmetic as `redis.lua`, under one lock. Does not belong here: anything that another
process would have to see.
"""

from __future__ import annotations

import heapq
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trueup_middleware.ledger.base import HOUR_MS, Balance, Claim, Granted, Short

MARKER_MS = 900_000
"""How long a reservation's end is remembered, so that a repeat is known: longer than anybody repeats."""


@dataclass(slots=True)
class _Account:
    kept_until_ms: int
    total: int = 0
    settled: int = 0
    by_hour: dict[int, int] = field(default_factory=lambda: defaultdict[int, int](int))
    holds: dict[str, int] = field(default_factory=dict[str, int])
    ends: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def sweep(self, now_ms: int) -> None:
        """End the holds whose time is over."""
        while self.ends and (self.ends[0][0] <= now_ms or self.ends[0][1] not in self.holds):
            _, reservation_id = heapq.heappop(self.ends)
            self.total -= self.holds.pop(reservation_id, 0)

    def hold(self, reservation_id: str, claim: Claim) -> None:
        self.holds[reservation_id] = claim.amount
        heapq.heappush(self.ends, (claim.held_until_ms, reservation_id))
        self.total += claim.amount

    def let_go(self, reservation_id: str) -> None:
        self.total -= self.holds.pop(reservation_id, 0)

    def count(self, hour: int, amount: int) -> None:
        self.total += amount
        self.settled += amount
        self.by_hour[hour] += amount


class MemoryLedger:
    """A `Ledger` that dies with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accounts: dict[str, _Account] = {}
        self._ended: dict[str, int] = {}

    def reserve(self, reservation_id: str, claims: Sequence[Claim], now_ms: int) -> Granted | Short:
        """See `Ledger.reserve`."""
        with self._lock:
            accounts = [self._open(claim.account, claim.kept_until_ms, now_ms) for claim in claims]
            for index, (claim, account) in enumerate(zip(claims, accounts, strict=True)):
                if claim.limit is None or not claim.amount or reservation_id in account.holds:
                    continue
                if account.total + claim.amount > claim.limit:
                    next_end = account.ends[0][0] if account.ends else None
                    return Short(index, account.total, account.settled, next_end)
            for claim, account in zip(claims, accounts, strict=True):
                if reservation_id not in account.holds:
                    account.hold(reservation_id, claim)
            return Granted(tuple(account.total for account in accounts))

    def settle(self, reservation_id: str, claims: Sequence[Claim], actual: int, now_ms: int, started_ms: int) -> bool:
        """See `Ledger.settle`."""
        with self._lock:
            if not self._end(reservation_id, now_ms):
                return False
            for claim in claims:
                if not claim.is_rate:
                    account = self._open(claim.account, claim.kept_until_ms, now_ms)
                    account.let_go(reservation_id)
                    account.count(started_ms // HOUR_MS, actual)
            return True

    def release(self, reservation_id: str, claims: Sequence[Claim], now_ms: int) -> bool:
        """See `Ledger.release`."""
        with self._lock:
            if not self._end(reservation_id, now_ms):
                return False
            for claim in claims:
                self._open(claim.account, claim.kept_until_ms, now_ms).let_go(reservation_id)
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
                found.count(hour, delta)
                change += delta
            return change

    def balance(self, account: str, now_ms: int) -> Balance:
        """See `Ledger.balance`."""
        with self._lock:
            found = self._accounts.get(account)
            if found is None or found.kept_until_ms <= now_ms:
                return Balance()
            found.sweep(now_ms)
            by_hour = {hour: amount for hour, amount in found.by_hour.items() if amount}
            return Balance(found.total, found.settled, by_hour, sum(found.holds.values()))

    def _open(self, name: str, kept_until_ms: int, now_ms: int) -> _Account:
        account = self._accounts.get(name)
        if account is None or account.kept_until_ms <= now_ms:
            self._accounts = {known: kept for known, kept in self._accounts.items() if kept.kept_until_ms > now_ms}
            account = self._accounts[name] = _Account(kept_until_ms)
        account.kept_until_ms = kept_until_ms
        account.sweep(now_ms)
        return account

    def _end(self, reservation_id: str, now_ms: int) -> bool:
        """Note that a reservation ends; False when it has."""
        if self._ended.get(reservation_id, now_ms) > now_ms:
            return False
        for known, until_ms in list(self._ended.items()):
            if until_ms > now_ms:
                break
            del self._ended[known]
        self._ended[reservation_id] = now_ms + MARKER_MS
        return True
