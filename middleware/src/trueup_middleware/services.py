"""What a meter's calls share: its key, its gate, its writer, and the count of what went wrong.

Belongs here: calling them so that nothing of them breaks a call. Does not belong here: what a call is (`call`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Protocol

from trueup_middleware import record
from trueup_middleware.gate import Admission, CallIntent, Gate, Refused
from trueup_middleware.prices import Estimate, PriceFile
from trueup_middleware.usage.reading import Line
from trueup_middleware.writer import LineWriter, Slot

_log = logging.getLogger(__name__)

PROCESS_DIED: Final = "process_died"
"""The kind of error of a call that was under way when its process was killed."""


class SpanOfCall(Protocol):
    """The span of one call."""

    def leave(self) -> None:
        """The block of the call has ended; the call may go on as a stream."""
        ...

    def end(self, fields: Line, estimate: Estimate | None) -> None:
        """The call has ended."""
        ...


class Telemetry(Protocol):
    """Whatever makes spans and metrics of calls."""

    def start(self, known: Line, plan_tier: str | None) -> SpanOfCall:
        """Begin a call's span."""
        ...


class Services:
    """Of one meter.

    Attributes:
        writer: Takes the lines.
        unpriced: Calls that ended and have no known cost.
        users_dropped: Calls whose user was not logged, because there is no key to hash it with.
        mistakes: Times that something in here went wrong and the call went on.
    """

    def __init__(
        self,
        writer: LineWriter,
        *,
        prices: Callable[[], PriceFile | None],
        gate: Gate | None,
        telemetry: Telemetry | None,
        user_hash_key: bytes | None,
    ) -> None:
        self.writer = writer
        self._prices = prices
        self._telemetry = telemetry
        self.unpriced = 0
        self.users_dropped = 0
        self.mistakes = 0
        self._gate = gate
        self._key = user_hash_key

    def user_hash(self, user_id: object) -> str | None:
        """Return the hash of a user's id; None without a user or without a key."""
        if user_id is None or user_id == "":
            return None
        if self._key is None:
            if not self.users_dropped:
                _log.warning("no user is logged: there is no key to hash users with")
            self.users_dropped += 1
            return None
        return record.user_hash(user_id, self._key)

    def estimate(self, line: Line) -> Estimate | None:
        """Return what a line costs; None without a price book or when it cannot be told, which is counted."""
        try:
            prices = self._prices()
            found = None if prices is None else prices.estimate(line)
        except Exception:  # a usage object of a shape that nobody foresaw
            self.mistake("a call could not be priced")
            found = None
        if found is None or found.cost_pico_usd is None:
            self.unpriced += 1
        return found

    def upper_bound_nano_usd(
        self, line: Line, max_input_tokens: int | None, max_output_tokens: int | None
    ) -> int | None:
        """Return the most that a call can cost in 10⁻⁹ USD; None when it cannot be told."""
        try:
            prices = self._prices()
            return None if prices is None else prices.upper_bound_nano_usd(line, max_input_tokens, max_output_tokens)
        except Exception:  # as above
            self.mistake("the bound of a call could not be told")
            return None

    @property
    def has_telemetry(self) -> bool:
        """Whether calls have spans."""
        return self._telemetry is not None

    def start_span(self, known: Line, plan_tier: str | None) -> SpanOfCall | None:
        """Begin the span of a call, if there is telemetry, and put its ids on what is known of the call."""
        if self._telemetry is None:
            return None
        try:
            return self._telemetry.start(known, plan_tier)
        except Exception:  # whatever a back end's library does
            self.mistake("a span could not be begun")
            return None

    def reserve(self, line: Callable[[], bytes]) -> Slot | None:
        """Keep the line that holds if the process dies before the call ends."""
        try:
            return self.writer.reserve(line())
        except Exception:  # a journal that breaks must not break the call
            self.mistake("a call could not be journalled")
            return None

    def leave_span(self, span: SpanOfCall | None) -> None:
        """Let the span of a call be the current one no longer."""
        if span is not None:
            try:
                span.leave()
            except Exception:  # whatever a back end's library does
                self.mistake("a span could not be left")

    def end_span(self, span: SpanOfCall | None, fields: Line, estimate: Estimate | None) -> None:
        """End the span of a call."""
        if span is not None:
            try:
                span.end(fields, estimate)
            except Exception:  # as above
                self.mistake("a span could not be ended")

    def admit(self, intent: Callable[[], CallIntent]) -> Admission | None:
        """Ask the gate, if there is one.

        Raises:
            Refused: The call must not be made.
        """
        if self._gate is None:
            return None
        try:
            return self._gate.admit(intent())
        except Refused:
            raise
        except Exception:  # a gate has a policy for what it expects; this is a mistake in it
            self.mistake("the gate failed; the call is admitted")
            return None

    def settle(self, admission: Admission | None, cost_nano_usd: int | None, outcome: str) -> None:
        """Tell the gate what an admitted call did cost, in 10⁻⁹ USD."""
        if self._gate is not None and admission is not None:
            try:
                self._gate.settle(admission, cost_nano_usd, outcome)
            except Exception:  # as above
                self.mistake("the gate failed to settle")

    def mistake(self, what: str) -> None:
        """Count and log the exception that is being handled."""
        self.mistakes += 1
        if self.mistakes in (1, 10, 100) or self.mistakes % 1000 == 0:
            _log.exception("%s (%d so far)", what, self.mistakes)
