"""Counters of the request path against what the calls did cost.

Belongs here: which hours can be compared, the drift, and the correction. Does not belong here: reading marts, and
who is told.

A counter knows its spend by the UTC hour in which a call started, so whole hours are compared and corrected while
calls go on in the present one. An hour is compared once logs have come that started an hour after its end: a log
that is late must not look like a call that was free.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from trueup_middleware.ledger import Ledger
from trueup_middleware.ledger.base import HOUR_MS
from trueup_middleware.limits import account_of
from trueup_middleware.rules import KEPT_AFTER
from trueup_middleware.windows import Period, Window, billing_window, zone_named

from orchestration.limits.marts import AccountCost

LOOK_BACK = timedelta(days=3)
"""Days that are compared; accounts live four days longer than their window."""

LOGS_ARE_LATE = timedelta(hours=1)

TOLERATED_SHARE_PERCENT = 1


@dataclass(frozen=True)
class Drift:
    """One account's counter against the warehouse, over the hours that were compared.

    Attributes:
        account: Its name.
        scope, scope_id, period, window: What it counts.
        counted_nano_usd: What the counter said.
        cost_nano_usd: What the calls did cost; where some are unknown, not less than what was counted.
        was_lost: The store knew nothing of the account: it is new there, or lost its memory.
    """

    account: str
    scope: str
    scope_id: str
    period: Period
    window: str
    counted_nano_usd: int
    cost_nano_usd: int
    was_lost: bool

    @property
    def is_too_large(self) -> bool:
        """Whether the counter was off by more than is tolerated."""
        off = abs(self.cost_nano_usd - self.counted_nano_usd)
        return not self.was_lost and off * 100 > self.cost_nano_usd * TOLERATED_SHARE_PERCENT


def comparable_hours(newest_start: datetime, now: datetime) -> range:
    """Return the hours since 1970 that can be compared, half-open."""
    first = _hour(now - LOOK_BACK)
    return range(first, max(first, _hour(min(newest_start, now) - LOGS_ARE_LATE)))


def reconcile(
    ledger: Ledger, costs: Iterable[AccountCost], timezones: Mapping[str, str], hours: range, now: datetime
) -> list[Drift]:
    """Make every counter say what the calls of `hours` did cost; returns what each was off by before.

    Counters are corrected with the store's own arithmetic, so calls go on meanwhile, and doing it twice or from two
    places does no harm.

    Raises:
        LedgerUnavailableError: The store does not answer; what was corrected until then stays so.
    """
    drifts: list[Drift] = []
    for (scope, scope_id, period), windows in _by_window(costs, timezones).items():
        for window, (known, incomplete) in windows.items():
            within = range(max(hours.start, _hour(window.start)), min(hours.stop, _hour_after(window.end)))
            if not within or window.end + KEPT_AFTER <= now:
                continue
            account = account_of(scope, scope_id, period, window.name)
            now_ms = round(now.timestamp() * 1000)
            found = ledger.balance(account, now_ms)
            counted = {hour: nano for hour, nano in found.settled_by_hour.items() if hour in within}
            wanted = {hour: nano for hour, nano in known.items() if hour in within}
            for hour in incomplete & set(within):
                wanted[hour] = max(wanted.get(hour, 0), counted.get(hour, 0))
            if wanted != counted:
                kept_until_ms = round((window.end + KEPT_AFTER).timestamp() * 1000)
                ledger.correct(account, within, wanted, kept_until_ms, now_ms)
            drifts.append(
                Drift(
                    account,
                    scope,
                    scope_id,
                    period,
                    window.name,
                    sum(counted.values()),
                    sum(wanted.values()),
                    was_lost=not found.settled_by_hour and not found.total,
                )
            )
    return drifts


_Hours = tuple[dict[int, int], set[int]]


def _by_window(
    costs: Iterable[AccountCost], timezones: Mapping[str, str]
) -> dict[tuple[str, str, Period], dict[Window, _Hours]]:
    """Put each scope's hours together by its days and by its months."""
    found: dict[tuple[str, str, Period], dict[Window, _Hours]] = defaultdict(dict)
    for cost in costs:
        zone = zone_named(timezones.get(cost.scope_id, "UTC") if cost.scope == "tenant" else "UTC")
        noon = datetime(cost.local_date.year, cost.local_date.month, cost.local_date.day, 12, tzinfo=zone)
        periods: tuple[Period, ...] = ("day", "month")
        for period in periods:
            window = billing_window(period, zone, noon)
            known, incomplete = found[cost.scope, cost.scope_id, period].setdefault(window, ({}, set()))
            for hour, nano in cost.known.items():
                # In zones of half hours, two local days share a UTC hour and a month has both parts.
                known[hour] = known.get(hour, 0) + nano
            incomplete |= cost.incomplete_hours
    return found


def _hour(moment: datetime) -> int:
    return int(moment.timestamp() * 1000) // HOUR_MS


def _hour_after(moment: datetime) -> int:
    return -(-int(moment.timestamp() * 1000) // HOUR_MS)
