"""Limits out of plans, budgets and policies, as the library reads them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trueup_middleware.gate import CallIntent
from trueup_middleware.limits import Limits

from orchestration.limits.document import Budget, limits_document
from orchestration.limits.policies import LimitPolicy, PolicyError, read_policies
from orchestration.limits.versioned import publish_document
from orchestration.settings import PROJECT_ROOT

TODAY = date(2026, 11, 21)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
EVER = date(9999, 1, 1)
PLAN = Budget("tenant", "acme", "day", Decimal("15.00"), date(2026, 1, 1), EVER, "plan Starter")
POLICIES = read_policies(PROJECT_ROOT / "pricing_seeds").limits


def met(document: dict[str, object], now: datetime = NOON, **call: str) -> dict[tuple[str, str], tuple[object, ...]]:
    """Return (hard, soft, source) of the limits that a call meets, by scope and period."""
    limits = Limits.parse(json.dumps({**document, "version": "1"}).encode())
    intent = CallIntent("call", now, **{"tenant_id": "acme", "feature": "search", "provider": "openai", **call})
    return {(row.scope, row.period): (row.hard, row.soft, row.source) for _, row, _ in limits.meeting(intent, now)}


def test_a_plan_stops_its_tenant_and_warns_before() -> None:
    assert met(limits_document([PLAN], [], {}, POLICIES, TODAY)) == {
        ("tenant", "day"): (15_000_000_000, 12_000_000_000, "plan Starter")
    }


def test_a_budget_of_our_own_warns_and_never_stops_unless_it_is_a_tenants() -> None:
    budgets = [
        Budget("feature", "search", "month", Decimal(1400), date(2026, 9, 1), EVER, "budget"),
        Budget("org", "", "month", Decimal(27900), date(2026, 9, 1), EVER, "budget"),
        Budget("tenant", "acme", "day", Decimal(40), date(2026, 11, 1), date(2026, 12, 1), "budget"),
    ]
    document = limits_document([PLAN], budgets, {}, POLICIES, TODAY)
    assert met(document) == {
        ("feature", "month"): (None, 1_120_000_000_000, "budget"),
        ("org", "month"): (None, 22_320_000_000_000, "budget"),
        ("tenant", "day"): (40_000_000_000, 32_000_000_000, "budget"),
    }
    # When it ends, the plan holds again, and nobody has to publish on that day.
    later = met(document, datetime(2026, 12, 1, 12, tzinfo=UTC))
    assert later["tenant", "day"] == (15_000_000_000, 12_000_000_000, "plan Starter")


def test_what_has_ended_is_left_out_and_what_comes_is_there() -> None:
    growth = Budget("tenant", "acme", "day", Decimal(50), date(2026, 11, 25), EVER, "plan Growth")
    ended = Budget("tenant", "acme", "day", Decimal(1), date(2026, 1, 1), date(2026, 11, 1), "plan Trial")
    starter = Budget("tenant", "acme", "day", Decimal(15), date(2026, 11, 1), date(2026, 11, 25), "plan Starter")
    document = limits_document([ended, starter, growth], [], {}, POLICIES, TODAY)
    assert len(document["limits"]) == 2
    assert met(document)["tenant", "day"][2] == "plan Starter"
    assert met(document, datetime(2026, 11, 25, tzinfo=UTC))["tenant", "day"][2] == "plan Growth"


def test_a_policy_may_bear_its_own_amount_for_each_or_for_one() -> None:
    policies = [
        LimitPolicy(scope="tenant", scope_id="*", period="minute", requests=600, hard_percent=100),
        LimitPolicy(scope="user", scope_id="*", period="day", amount_usd=Decimal("0.5"), hard_percent=100),
        LimitPolicy(scope="tenant", scope_id="acme", period="day", amount_usd=Decimal(3), hard_percent=50),
    ]
    found = met(limits_document([PLAN], [], {}, policies, TODAY), user_hash="0f")
    assert found == {
        ("tenant", "minute"): (600, None, "policy"),
        ("user", "day"): (500_000_000, None, "policy"),
        ("tenant", "day"): (1_500_000_000, None, "policy"),
    }


@given(st.decimals(0, 10**9, places=12), st.integers(1, 1000))
def test_law_a_limit_is_the_share_of_its_budget_to_the_unit(amount: Decimal, percent: int) -> None:
    policy = LimitPolicy(scope="org", scope_id="", period="day", amount_usd=amount, hard_percent=percent)
    (row,) = limits_document([], [], {}, [policy], TODAY)["limits"]
    assert 0 <= amount * percent * 10**7 - row["hard"] < 1


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("galaxy,*,day,,,80,100,", "scope"),
        ("tenant,*,minute,,,80,100,", "requests go with"),
        ("tenant,*,day,600,,80,100,", "requests go with"),
        ("tenant,*,day,,,eighty,100,", "soft_percent"),
        ("tenant,*,day,,-1,80,100,", "amount_usd"),
    ],
)
def test_a_row_that_cannot_be_used_is_told_with_its_line(tmp_path: Path, row: str, complaint: str) -> None:
    header = "scope,scope_id,period,requests,amount_usd,soft_percent,hard_percent,note"
    (tmp_path / "limit_policies.csv").write_text(f"{header}\ntenant,*,day,,,80,100,\n{row}\n")
    with pytest.raises(PolicyError, match=rf"limit_policies\.csv, line 3.*{complaint}"):
        read_policies(tmp_path)


def test_a_version_is_whole_and_an_unchanged_document_is_none(tmp_path: Path) -> None:
    document = {"format": "x", "limits": []}
    first, is_new = publish_document(tmp_path, "limits", document, NOON)
    assert is_new
    assert json.loads((tmp_path / "limits.json").read_text()) == {
        **document,
        "version": first,
        "published_at": "2026-11-21T12:00:00+00:00",
    }
    assert publish_document(tmp_path, "limits", document, NOON) == (first, False)
    versions = [
        publish_document(tmp_path, "limits", {"n": number}, NOON.replace(minute=number))[0] for number in range(5)
    ]
    assert versions == sorted(versions)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *(f"limits-{version}.json" for version in versions[-3:]),
        "limits.json",
    ]
