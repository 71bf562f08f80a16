"""One reconciliation: connect, read the marts, correct.

Belongs here: the order of it. Does not belong here: comparing (`reconcile`), Dagster.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from trueup_middleware.ledger.redis import RedisLedger

from orchestration.limits import marts as queries
from orchestration.limits.reconcile import LOOK_BACK, Drift, comparable_hours, reconcile
from orchestration.publishing.reader import open_marts

_STORE_TIMEOUT_SECONDS = 5.0


def correct_counters(published: Path, ledger_url: str, now: datetime) -> list[Drift]:
    """Correct the counters of the store at `ledger_url` by the published marts; returns what each was off by.

    Raises:
        NotPublishedError: There are no marts yet.
        LedgerUnavailableError: The store does not answer.
    """
    first = (now - LOOK_BACK).date()
    with open_marts(published) as marts:
        newest = queries.newest_start(marts, first)
        if newest is None:
            return []
        timezones = queries.billing_timezones(marts)
        costs = queries.account_costs(marts, first)
    ledger = RedisLedger.from_url(ledger_url, timeout_seconds=_STORE_TIMEOUT_SECONDS)
    return reconcile(ledger, costs, timezones, comparable_hours(newest, now), now)
