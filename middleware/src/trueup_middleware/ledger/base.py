"""What a ledger is asked and what it answers.

Belongs here: the shapes and the protocol that all stores keep. Does not belong here: a store.

All amounts are whole numbers. Moments are milliseconds since 1970 and are given by the caller, so that a test
needs no waiting; a hold is alive while `now_ms < held_until_ms`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

HOUR_MS = 3_600_000


class LedgerUnavailableError(Exception):
    """The store did not answer in its time. Nothing is known about whether it did what was asked."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one call asks of one account.

    Attributes:
        account: Name of the account; it holds its window, as `tenant:acme:day:2026-11-21`.
        amount: What is held: 10⁻⁹ USD, or 1 for a request.
        limit: The total that may not be exceeded; None counts and never refuses.
        held_until_ms: When the hold ends by itself.
        kept_until_ms: When the account may be forgotten.
        is_rate: The hold is what is counted: it lasts its time whatever becomes of the call. Requests of the
            last minute are holds of a minute.
    """

    account: str
    amount: int
    limit: int | None
    held_until_ms: int
    kept_until_ms: int
    is_rate: bool = False


@dataclass(frozen=True, slots=True)
class Granted:
    """All claims are held.

    Attributes:
        totals: The total of each account, these claims included, in their order.
    """

    totals: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Short:
    """One account would exceed its limit, so nothing is held.

    Attributes:
        index: Which claim.
        total: The account's total without it.
        settled: The part of the total that is spent; the rest is held by calls under way.
        next_end_ms: When the first of its holds ends; None when it has none.
    """

    index: int
    total: int
    settled: int
    next_end_ms: int | None


@dataclass(frozen=True, slots=True)
class Balance:
    """One account.

    Attributes:
        total: Settled and held.
        settled: What calls did cost.
        settled_by_hour: The same by the UTC hour in which the call started, as hours since 1970.
        held: What calls under way may cost.
    """

    total: int = 0
    settled: int = 0
    settled_by_hour: Mapping[int, int] = field(default_factory=dict[int, int])
    held: int = 0


class Ledger(Protocol):
    """A store of accounts. Every operation happens as a whole or not at all, whoever else is at it."""

    def reserve(self, reservation_id: str, claims: Sequence[Claim], now_ms: int) -> Granted | Short:
        """Hold every claim, or none when one of them would exceed its limit. A repeat holds nothing twice.

        Raises:
            LedgerUnavailableError: The store did not answer.
        """
        ...

    def settle(self, reservation_id: str, claims: Sequence[Claim], actual: int, now_ms: int, started_ms: int) -> bool:
        """End the holds and count `actual` on every account of money, also where a hold has ended by itself.

        Returns:
            False when the reservation was settled or released before; then nothing changes.

        Raises:
            LedgerUnavailableError: The store did not answer. To settle again is safe.
        """
        ...

    def release(self, reservation_id: str, claims: Sequence[Claim], now_ms: int) -> bool:
        """End the holds, those of rates included: the call was never made. Otherwise as `settle`."""
        ...

    def correct(
        self,
        account: str,
        hours: range,
        settled_by_hour: Mapping[int, int],
        kept_until_ms: int,
        now_ms: int,
    ) -> int:
        """Make what is settled in `hours` what it should be (0 where not named); returns by how much it changed.

        To correct twice is to correct once, from as many processes as there are. An account that the store has
        lost is begun anew.

        Raises:
            LedgerUnavailableError: The store did not answer.
        """
        ...

    def balance(self, account: str, now_ms: int) -> Balance:
        """Return an account; an unknown one is empty.

        Raises:
            LedgerUnavailableError: The store did not answer.
        """
        ...
