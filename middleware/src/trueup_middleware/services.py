"""What a meter's calls share: its key, its gate, its writer, and the count of what went wrong.

Belongs here: calling them so that nothing of them breaks a call. Does not belong here: what a call is (`call`).
"""

from __future__ import annotations

import logging

from trueup_middleware import record
from trueup_middleware.gate import Admission, CallIntent, Gate, Refused
from trueup_middleware.writer import LineWriter

_log = logging.getLogger(__name__)


class Services:
    """Of one meter.

    Attributes:
        writer: Takes the lines.
        unpriced: Calls that ended and have no known cost.
        users_dropped: Calls whose user was not logged, because there is no key to hash it with.
        mistakes: Times that something in here went wrong and the call went on.
    """

    def __init__(self, writer: LineWriter, gate: Gate | None, user_hash_key: bytes | None) -> None:
        self.writer = writer
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

    def admit(self, intent: CallIntent) -> Admission | None:
        """Ask the gate, if there is one.

        Raises:
            Refused: The call must not be made.
        """
        if self._gate is None:
            return None
        try:
            return self._gate.admit(intent)
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
