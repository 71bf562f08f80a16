"""A gate over limits and switches that a test writes down, at a moment that it sets."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime

from trueup_middleware.budgets import BudgetGate, Reservation, SoftLimitCallback
from trueup_middleware.gate import CallIntent, Refused
from trueup_middleware.ledger import Ledger, MemoryLedger
from trueup_middleware.limits import Limit, Limits
from trueup_middleware.switches import Switch, Switches

CENT = 10_000_000
DOLLAR = 1_000_000_000
CEILING = 50 * CENT

_numbers = itertools.count()


@dataclass
class Desk:
    """The gate and what it goes by; change them at will."""

    ledger: Ledger = field(default_factory=MemoryLedger)
    limits: list[Limit] = field(default_factory=list[Limit])
    zones: dict[str, str] = field(default_factory=dict[str, str])
    switches: list[Switch] = field(default_factory=list[Switch])
    now: datetime = datetime(2026, 11, 21, 12, tzinfo=UTC)
    on_soft_limit: SoftLimitCallback | None = None

    def __post_init__(self) -> None:
        self.gate = BudgetGate(
            self.ledger,
            lambda: Limits.of(self.limits, self.zones),
            lambda: Switches.of(self.switches),
            ceiling_nano_usd=CEILING,
            on_soft_limit=self.on_soft_limit,
            now=lambda: self.now,
        )

    def ask(
        self,
        upper_bound: int | None = 10 * CENT,
        *,
        tenant_id: str | None = "acme",
        feature: str | None = "search",
        model: str = "gpt-4.1",
        user_hash: str | None = None,
        operation_name: str = "chat",
    ) -> Reservation:
        """Ask for one call; `Refused` when it may not be made."""
        return self.gate.admit(
            CallIntent(
                request_id=f"call-{next(_numbers)}",
                started_at=self.now,
                feature=feature,
                tenant_id=tenant_id,
                user_hash=user_hash,
                provider="openai",
                model=model,
                operation_name=operation_name,
                upper_bound_nano_usd=upper_bound,
            )
        )

    def refusal(self, **call: object) -> Refused:
        """Ask for one call that is refused."""
        try:
            self.ask(**call)  # pyright: ignore[reportArgumentType]
        except Refused as refused:
            return refused
        raise AssertionError("it was admitted")

    def spend(self, actual: int | None, **call: object) -> Reservation:
        """Make one call to its end."""
        admission = self.ask(**call)  # pyright: ignore[reportArgumentType]
        self.gate.settle(admission, actual, "success")
        return admission

    def total(self, account: str) -> int:
        """Return an account's total now."""
        return self.ledger.balance(account, round(self.now.timestamp() * 1000)).total
