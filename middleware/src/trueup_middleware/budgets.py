"""The gate: switches, then requests a minute, then money, before a call; what it did cost, after.

Belongs here: turning limits and switches into claims on a ledger, and its answers into admissions and refusals.
Does not belong here: counting (`ledger`), the files (`limits`, `switches`), the price of a call (`prices`).

An admission holds the most that the call can cost. A call of which nobody knows that (its model is unpriced, or
its length is open) holds a ceiling, for an unknown price is not 0. What is not known after the call stays at what
was held; the loop back from the warehouse puts it right.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from trueup_middleware.gate import Admission, CallIntent, Refused
from trueup_middleware.ledger.base import RATE_MS, Claim, Ledger, LedgerUnavailableError, Settlement, Short
from trueup_middleware.ledger.guarded import GuardedLedger
from trueup_middleware.limits import Limit, Limits
from trueup_middleware.rules import Rule, Rules, milliseconds, throttle
from trueup_middleware.switches import Switches
from trueup_middleware.watched import WatchedFile

_log = logging.getLogger("trueup.middleware")

IN_FLIGHT_RETRY_SECONDS = 5.0
"""Budget that only calls under way hold comes back within seconds, when they settle below what they hold."""

STORE_RETRY_SECONDS = 1.0

_LONGEST_HOLD_SECONDS = 86_400

_NO_SWITCHES = Switches.of([])

SoftLimitCallback = Callable[[CallIntent, Limit, int], str | None]
"""Called with the call, the limit and the account's total above it; may name a cheaper model to call instead."""


@dataclass(slots=True)
class Reservation(Admission):
    """An admission with what is needed to settle it.

    Attributes:
        reservation_id: The attempt's id.
        claims: What was asked of the ledger.
        amount: What is held on each account of money, in 10⁻⁹ USD.
        started_ms: When the call started.
    """

    reservation_id: str = ""
    claims: Sequence[Claim] = ()
    amount: int = 0
    started_ms: int = 0


class BudgetGate:
    """Implements `Gate`. Safe to share between threads.

    Args:
        ledger: The counters; wrap a shared store in `GuardedLedger`.
        limits: Returns the limits in force, as `WatchedFile.current` does.
        switches: Returns the switches in force.
        ceiling_nano_usd: What a call counts as when nobody knows the most that it can cost.
        hold_seconds: How long a call that never comes back holds its budget: longer than the longest call; a day at
            most.
        on_soft_limit: See `SoftLimitCallback`. What it raises is logged and changes nothing.
        now: The clock; aware UTC.
    """

    def __init__(
        self,
        ledger: Ledger,
        limits: Callable[[], Limits],
        switches: Callable[[], Switches] = lambda: _NO_SWITCHES,
        *,
        ceiling_nano_usd: int,
        hold_seconds: float = 600,
        on_soft_limit: SoftLimitCallback | None = None,
        now: Callable[[], datetime] = lambda: datetime.fromtimestamp(time.time(), UTC),
    ) -> None:
        self._ledger = ledger
        self._limits = limits
        self._switches = switches
        self._ceiling = ceiling_nano_usd
        if not 0 < hold_seconds <= _LONGEST_HOLD_SECONDS:
            raise ValueError(f"hold_seconds is {hold_seconds}, expected more than 0 and at most a day")
        self._hold_ms = round(hold_seconds * 1000)
        self._rules = Rules(limits())
        self._on_soft_limit = on_soft_limit
        self._now = now
        self.counts: Counter[str] = Counter()
        """`admitted`, and refusals by reason; for whoever reports on the process."""

    @classmethod
    def over(
        cls,
        folder: Path,
        ledger: Ledger,
        *,
        ceiling_nano_usd: int,
        refresh_seconds: float = 1.0,
        hold_seconds: float = 600,
        on_soft_limit: SoftLimitCallback | None = None,
    ) -> BudgetGate:
        """Go by the `limits.json` and `switches.json` that the warehouse publishes into a folder.

        A new version is in force at most `refresh_seconds` after it was published.
        """
        limits = WatchedFile(folder / "limits.json", Limits.parse, Limits(), refresh_seconds=refresh_seconds)
        switches = WatchedFile(
            folder / "switches.json", Switches.parse, Switches.of([]), refresh_seconds=refresh_seconds
        )
        return cls(
            ledger,
            limits.current,
            switches.current,
            ceiling_nano_usd=ceiling_nano_usd,
            hold_seconds=hold_seconds,
            on_soft_limit=on_soft_limit,
        )

    def admit(self, call: CallIntent) -> Reservation:
        """See `Gate.admit`."""
        now = self._now()
        now_ms = milliseconds(now)
        model, throttles = self._through_switches(call, now)
        amount = self._ceiling if call.upper_bound_nano_usd is None else call.upper_bound_nano_usd
        rules = [*self._rules_in_force().meeting(call, now, now_ms), *throttles]
        claims = [rule.claim for rule in rules]
        totals: tuple[int, ...] = ()
        if claims:
            try:
                answer = self._ledger.reserve(call.request_id, claims, amount, now_ms + self._hold_ms, now_ms)
            except LedgerUnavailableError as error:
                self.counts["store_unavailable"] += 1
                raise Refused("store_unavailable", retry_after_seconds=STORE_RETRY_SECONDS) from error
            if isinstance(answer, Short):
                raise self._refusal(rules[answer.place], answer, amount, now_ms)
            totals = answer.totals
        warnings: list[str] = []
        for rule, total in zip(rules, totals, strict=True):
            if rule.limit.soft is not None and total > rule.limit.soft:
                warnings.append(f"{rule.limit.scope}_{rule.limit.period}")
                model = model or self._cheaper(call, rule.limit, total)
        self.counts["admitted"] += 1
        return Reservation(model, tuple(warnings), call.request_id, claims, amount, milliseconds(call.started_at))

    def settle(self, admission: Admission, actual_cost_nano_usd: int | None, outcome: str) -> None:
        """See `Gate.settle`; an unknown cost leaves what was held as spent."""
        del outcome  # what a failed call costs is the price's business
        if isinstance(admission, Reservation) and admission.claims:
            actual = admission.amount if actual_cost_nano_usd is None else actual_cost_nano_usd
            settlement = Settlement(admission.reservation_id, admission.claims, actual, admission.started_ms)
            try:
                self._ledger.settle([settlement], milliseconds(self._now()))
            except LedgerUnavailableError:
                self.counts["unsettled"] += 1

    def release(self, admission: Admission) -> None:
        """See `Gate.release`."""
        if isinstance(admission, Reservation) and admission.claims:
            try:
                self._ledger.release(admission.reservation_id, admission.claims, milliseconds(self._now()))
            except LedgerUnavailableError:
                self.counts["unreleased"] += 1

    def work_in_background(self) -> Callable[[], None]:
        """See `BackgroundWork`: a shared store that is guarded is told of settlements then."""
        return self._ledger.settle_in_background() if isinstance(self._ledger, GuardedLedger) else _nothing

    def settle_recovered(self, request_id: str, actual_cost_nano_usd: int, started_at: datetime) -> None:
        """See `BackgroundWork`."""
        try:
            self._ledger.settle_held(
                request_id, actual_cost_nano_usd, milliseconds(self._now()), milliseconds(started_at)
            )
        except LedgerUnavailableError:
            self.counts["unsettled"] += 1

    def _rules_in_force(self) -> Rules:
        limits, rules = self._limits(), self._rules
        if limits is not rules.limits:
            rules = self._rules = Rules(limits)
        return rules

    def _through_switches(self, call: CallIntent, now: datetime) -> tuple[str | None, list[Rule]]:
        """Return the model to call instead, if any, and what throttles claim.

        Raises:
            Refused: A switch is off.
        """
        model: str | None = None
        throttles: list[Rule] = []
        for switch in self._switches().meeting(call, now):
            if switch.action == "disable":
                self.counts["switched_off"] += 1
                raise Refused(
                    "switched_off",
                    retry_after_seconds=(switch.until - now).total_seconds(),
                    message=f"the {switch.scope} is switched off until {switch.until:%Y-%m-%dT%H:%MZ}: {switch.reason}",
                )
            if switch.action == "degrade_model":
                model = model or switch.models.get(call.model or "")
            else:
                throttles.append(throttle(switch))
        return model, throttles

    def _refusal(self, rule: Rule, short: Short, amount: int, now_ms: int) -> Refused:
        limit = rule.limit
        if rule.window is None:
            reason = "throttled" if rule.is_switch else "rate_limited"
            wait_ms = (short.next_end_ms or now_ms + RATE_MS) - now_ms
            message = f"the {limit.scope} may make {limit.hard} requests a minute"
        else:
            reason = "budget_exceeded"
            wait_ms = milliseconds(rule.window.end) - now_ms
            if limit.hard is not None and short.settled + amount <= limit.hard:
                wait_ms = min(wait_ms, round(IN_FLIGHT_RETRY_SECONDS * 1000))
            message = f"the {limit.scope}'s budget of the {limit.period} does not cover the call"
        self.counts[reason] += 1
        return Refused(reason, retry_after_seconds=max(wait_ms, 1) / 1000, message=message)

    def _cheaper(self, call: CallIntent, limit: Limit, total: int) -> str | None:
        if self._on_soft_limit is None:
            return None
        try:
            return self._on_soft_limit(call, limit, total)
        except Exception:  # the application's own code; a warning must not break a call
            _log.exception("on_soft_limit failed")
            return None


def _nothing() -> None:
    """What there is to do where nothing waits."""
