"""The question that is asked before a call, and the answer: the seam between recording and deciding.

Belongs here: what a gate is told, what it says, how it says no. Does not belong here: budgets, ledgers and
switches, which decide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol, runtime_checkable


class CallIntent(NamedTuple):
    """What is known of a call before it is made.

    Attributes:
        request_id: The id of this attempt, as on its log line.
        started_at: Now, in UTC.
        feature: What the user is doing; None is unattributed.
        tenant_id: The paying customer's workspace; None is unattributed.
        user_hash: HMAC-SHA256 of the user's id, hex; the id itself never comes here.
        provider: OpenTelemetry's `gen_ai.provider.name`; None when the caller did not say.
        model: The model asked for; None when the caller did not say.
        operation_name: `chat`, `embeddings`, …
        upper_bound_nano_usd: The most that the call can cost, in 10⁻⁹ USD; None when it cannot be told, because
            the model is unpriced or nobody said how long the input and the output may be.
        plan_tier: The tenant's tier, when the application told it.
    """

    request_id: str
    started_at: datetime
    feature: str | None = None
    tenant_id: str | None = None
    user_hash: str | None = None
    provider: str | None = None
    model: str | None = None
    operation_name: str = "chat"
    upper_bound_nano_usd: int | None = None
    plan_tier: str | None = None


@dataclass(slots=True)
class Admission:
    """A call may be made. A gate may derive from it to keep what it needs to settle.

    Attributes:
        model: The model to call instead of the one asked for; None leaves it.
        warnings: Codes of the soft limits that are exceeded.
    """

    model: str | None = None
    warnings: tuple[str, ...] = field(default=())


class Refused(Exception):  # noqa: N818 - it is no error of the caller's
    """A budget or a switch does not allow the call; HTTP 429 to whoever asked for it.

    Attributes:
        status: 429, for whatever turns exceptions into answers.
        reason: A short code without any id, for the log line: `budget_exceeded`, `switched_off`, ….
        retry_after_seconds: When it is worth asking again; None when nobody knows.
    """

    status = 429

    def __init__(self, reason: str, *, retry_after_seconds: float | None = None, message: str | None = None) -> None:
        super().__init__(message or reason)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class Gate(Protocol):
    """Decides before each call and is told what became of it. None of it may block longer than its stated timeout."""

    def admit(self, call: CallIntent) -> Admission:
        """Reserve what the call may cost.

        Raises:
            Refused: The call must not be made.
        """
        ...

    def settle(self, admission: Admission, actual_cost_nano_usd: int | None, outcome: str) -> None:
        """Replace the reservation by what the call did cost, in 10⁻⁹ USD; None is unknown, 0 is free."""
        ...

    def release(self, admission: Admission) -> None:
        """Give the reservation back: the call was never made."""
        ...


@runtime_checkable
class BackgroundWork(Protocol):
    """What a gate may have besides: work that need not be done while a call waits."""

    def work_in_background(self) -> Callable[[], None]:
        """Return what to call some times a second; from then on the gate may leave to it what it did at once."""
        ...

    def settle_recovered(self, request_id: str, actual_cost_nano_usd: int, started_at: datetime) -> None:
        """Settle the call of a process that died after the call had ended."""
        ...
