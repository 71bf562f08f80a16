"""What a call must pass: limits and throttles as claims on accounts, worked out once for each scope and local day.

Belongs here: names and ends of accounts, and keeping what does not depend on the call. Does not belong here: reading
limits (`limits`), deciding (`budgets`), counting (`ledger`).
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from trueup_middleware.gate import CallIntent
from trueup_middleware.ledger.base import Claim
from trueup_middleware.limits import Limit, Limits, account_of, scope_id_of
from trueup_middleware.switches import Switch
from trueup_middleware.windows import Window, billing_window

KEPT_AFTER: Final = timedelta(days=4)
"""An account outlives its window for so long, so that the warehouse can still correct it."""

_MOST_KNOWN: Final = 20_000


class Rule(NamedTuple):
    """One thing that a call must pass.

    Attributes:
        claim: What it asks of the ledger.
        limit: What is said of it when it refuses or warns.
        window: The day or month; None for requests a minute.
        is_switch: It is a throttle, not a limit.
    """

    claim: Claim
    limit: Limit
    window: Window | None
    is_switch: bool = False


class _OfScope(NamedTuple):
    """The rules of one scope and the local day in which they hold, half-open."""

    from_ms: int
    until_ms: int
    rules: list[Rule]


class Rules:
    """The rules of one version of the limits.

    Worked out for each call, eight limits took as long as pricing it five times.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._scopes = limits.scopes
        self._known: dict[tuple[str, str, tzinfo], _OfScope] = {}

    def meeting(self, call: CallIntent, now: datetime, now_ms: int) -> list[Rule]:
        """Return the rules that a call meets. One that is open at midnight belongs to the day that admitted it."""
        found: list[Rule] = []
        for scope in self._scopes:
            scope_id = scope_id_of(call, scope)
            if scope_id is not None:
                key = (scope, scope_id, self.limits.zone_for(scope, call.tenant_id))
                known = self._known.get(key)
                if known is None or not known.from_ms <= now_ms < known.until_ms:
                    known = self._work_out(*key, now)
                found += known.rules
        return found

    def _work_out(self, scope: str, scope_id: str, zone: tzinfo, now: datetime) -> _OfScope:
        day = billing_window("day", zone, now)
        rules = [_rule(limit, scope_id, zone, now) for limit in self.limits.of_scope(scope, scope_id, day.first_date)]
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        found = self._known[scope, scope_id, zone] = _OfScope(milliseconds(day.start), milliseconds(day.end), rules)
        return found


def throttle(switch: Switch) -> Rule:
    """Return the rule of a switch that limits requests a minute."""
    claim = Claim(f"throttle:{switch.scope}:{switch.scope_id}", switch.requests_per_minute, is_rate=True)
    return Rule(claim, Limit(switch.scope, switch.scope_id, "minute", switch.requests_per_minute), None, is_switch=True)


def milliseconds(moment: datetime) -> int:
    """Return a moment as milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


def _rule(limit: Limit, scope_id: str, zone: tzinfo, now: datetime) -> Rule:
    if limit.period == "minute":
        return Rule(Claim(account_of(limit.scope, scope_id, "minute", ""), limit.hard, is_rate=True), limit, None)
    window = billing_window(limit.period, zone, now)
    account = account_of(limit.scope, scope_id, limit.period, window.name)
    return Rule(Claim(account, limit.hard, milliseconds(window.end + KEPT_AFTER)), limit, window)
