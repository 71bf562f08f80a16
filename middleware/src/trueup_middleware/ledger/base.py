"""What a ledger is asked and what it answers.

Belongs here: the shapes and the protocol that all stores keep. Does not belong here: a store.

All amounts are whole numbers. Moments are milliseconds since 1970 and are given by the caller, so that a test
needs no waiting; a hold is alive while `now_ms < held_until_ms`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

HOUR_MS: Final = 3_600_000

RATE_MS: Final = 60_000
"""How long a request counts on an account of requests, whatever becomes of it."""

MARKER_MS: Final = 900_000
"""How long a reservation's end is remembered, so that a repeat is known: longer than anybody repeats."""


class LedgerUnavailableError(Exception):
    """The store did not answer in its time. Nothing is known about whether it did what was asked."""


class Claim(NamedTuple):
    """What a call asks of one account; the same for every call that meets the same limit.

    Attributes:
        account: Name of the account; it holds its window, as `tenant:acme:day:2026-11-21`.
        limit: The total that may not be exceeded; None counts and never refuses.
        kept_until_ms: When the account may be forgotten; of no meaning for requests.
        is_rate: The account counts requests of the last 60 seconds, not money.
    """

    account: str
    limit: int | None
    kept_until_ms: int = 0
    is_rate: bool = False


class Granted(NamedTuple):
    """All claims are held.

    Attributes:
        totals: The total of each account, this call included, in the order of the claims.
    """

    totals: tuple[int, ...]


class Short(NamedTuple):
    """One account would exceed its limit, so nothing is held. Requests are looked at before money.

    Attributes:
        place: Which claim.
        total: The account's total without it.
        settled: The part of the total that is spent; the rest is held by calls under way.
        next_end_ms: When the oldest request stops counting; None for money.
    """

    place: int
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


class Settlement(NamedTuple):
    """The end of a reservation.

    Attributes:
        reservation_id: Whose.
        claims: What was asked of the accounts.
        actual: What the call did cost; it counts also where the hold has ended by itself.
        started_ms: When the call started.
    """

    reservation_id: str
    claims: Sequence[Claim]
    actual: int
    started_ms: int


class Ledger(Protocol):
    """A store of accounts. Every operation happens as a whole or not at all, whoever else is at it."""

    def reserve(
        self, reservation_id: str, claims: Sequence[Claim], amount: int, held_until_ms: int, now_ms: int
    ) -> Granted | Short:
        """Hold `amount` on every account of money and a request on every rate, or nothing when one would be exceeded.

        A repeat holds nothing twice.

        Raises:
            LedgerUnavailableError: The store did not answer.
        """
        ...

    def settle(self, settlements: Sequence[Settlement], now_ms: int) -> list[bool]:
        """End the holds of each and count what it did cost on its accounts of money.

        Returns:
            For each, False when it was settled or released before; then nothing changes.

        Raises:
            LedgerUnavailableError: The store did not answer. To settle again is safe.
        """
        ...

    def settle_held(self, reservation_id: str, actual: int, now_ms: int, started_ms: int) -> bool:
        """Settle the call of a process that died, on the accounts that the store knows it to hold.

        Returns:
            False when the hold has ended; then nothing changes.

        Raises:
            LedgerUnavailableError: The store did not answer.
        """
        ...

    def release(self, reservation_id: str, claims: Sequence[Claim], now_ms: int) -> bool:
        """End the holds, requests included: the call was never made. False and repeats as in `settle`."""
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
        """Return an account of money; an unknown one is empty.

        Raises:
            LedgerUnavailableError: The store did not answer.
        """
        ...
