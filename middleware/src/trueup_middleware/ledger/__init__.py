"""Counters that are reserved before a call and settled after it.

Belongs here: accounts, holds and their arithmetic, in whole units (10⁻⁹ USD, or one request). Does not belong
here: who has which budget, what a call may cost, and what is said to a caller.

One law holds after every step, in every store: an account's total is what was settled on it plus the holds
that are alive. It is checked by a stateful property test.
"""

from trueup_middleware.ledger.base import (
    Balance,
    Claim,
    Granted,
    Ledger,
    LedgerUnavailableError,
    Settlement,
    Short,
)
from trueup_middleware.ledger.guarded import GuardedLedger, StorePolicy
from trueup_middleware.ledger.memory import MemoryLedger

__all__ = [
    "Balance",
    "Claim",
    "Granted",
    "GuardedLedger",
    "Ledger",
    "LedgerUnavailableError",
    "MemoryLedger",
    "Settlement",
    "Short",
    "StorePolicy",
]
