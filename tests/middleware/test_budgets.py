"""What a caller is told: budgets by scope and period, soft limits, switches."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from deciding import CEILING, CENT, DOLLAR, Desk
from hypothesis import given
from hypothesis import strategies as st
from trueup_middleware.gate import CallIntent, Refused
from trueup_middleware.limits import Limit
from trueup_middleware.switches import Switch
from trueup_middleware.windows import Period, billing_window, zone_named

TENANT_DAY = Limit("tenant", "acme", "day", hard=DOLLAR)
ACME_TODAY = "tenant:acme:day:2026-11-21"


def test_a_refusal_maps_to_429_and_says_when_to_come_again() -> None:
    desk = Desk(limits=[TENANT_DAY])
    desk.spend(DOLLAR)
    refused = desk.refusal()
    assert (refused.status, refused.reason) == (429, "budget_exceeded")
    assert refused.retry_after_seconds == 12 * 3600
    assert "acme" not in str(refused)


def test_budget_that_only_calls_under_way_hold_is_worth_asking_for_in_seconds() -> None:
    desk = Desk(limits=[TENANT_DAY])
    desk.ask(DOLLAR)
    assert desk.refusal().retry_after_seconds == 5


@pytest.mark.parametrize("scope", ["org", "provider", "model", "tenant", "feature", "user"])
@pytest.mark.parametrize("period", ["day", "month"])
def test_every_scope_and_period_has_a_budget_of_its_own(scope: str, period: str) -> None:
    ids = {"org": "", "provider": "openai", "model": "gpt-4.1", "tenant": "acme", "feature": "search", "user": "u1"}
    desk = Desk(limits=[Limit(scope, ids[scope], period, hard=15 * CENT)])  # pyright: ignore[reportArgumentType]
    desk.ask(user_hash="u1")
    assert f"{scope}'s budget of the {period}" in str(desk.refusal(user_hash="u1"))


def test_a_row_for_each_gives_everybody_a_budget_and_an_own_row_replaces_it() -> None:
    each, own = Limit("tenant", "*", "day", hard=10 * CENT), Limit("tenant", "acme", "day", hard=20 * CENT)
    desk = Desk(limits=[each, own])
    for tenant_id, calls in (("acme", 2), ("beta", 1), ("gamma", 1)):
        for _ in range(calls):
            desk.ask(tenant_id=tenant_id)
        desk.refusal(tenant_id=tenant_id)


def test_a_call_without_tenant_does_not_escape_the_budget_of_each() -> None:
    desk = Desk(limits=[Limit("tenant", "*", "day", hard=10 * CENT)])
    desk.ask(tenant_id=None)
    assert desk.refusal(tenant_id=None).reason == "budget_exceeded"


def test_requests_a_minute() -> None:
    desk = Desk(limits=[Limit("tenant", "*", "minute", hard=2)])
    desk.spend(CENT)
    desk.now += timedelta(seconds=45)
    desk.spend(CENT)
    assert (desk.refusal().reason, desk.refusal().retry_after_seconds) == ("rate_limited", 15)
    desk.now += timedelta(seconds=15)
    desk.ask()


def test_q10_a_call_that_nobody_can_price_holds_a_ceiling_and_keeps_it_until_somebody_knows() -> None:
    desk = Desk(limits=[TENANT_DAY])
    assert desk.spend(None, upper_bound=None).amount == CEILING
    assert desk.total(ACME_TODAY) == CEILING
    desk.spend(None, upper_bound=None)
    assert desk.refusal(upper_bound=None).reason == "budget_exceeded"


def test_q9_every_kind_of_call_counts() -> None:
    """Elsewhere an embedding of $0.009408 left the counter unchanged."""
    desk = Desk(limits=[TENANT_DAY])
    for operation_name in ("chat", "embeddings", "rerank", "image", "audio", "moderation", "tool"):
        before = desk.total(ACME_TODAY)
        desk.spend(9_408_000, operation_name=operation_name)
        assert desk.total(ACME_TODAY) - before == 9_408_000


def test_q11_a_prompt_that_was_read_from_a_cache_counts_at_what_it_cost() -> None:
    """98.6 % of 100,000 tokens cached: $2 and $0.20 a million cost $0.02252, not the $0.20 that was held."""
    desk = Desk(limits=[TENANT_DAY])
    actual = 1_400 * 2_000 + 98_600 * 200
    desk.spend(actual, upper_bound=100_000 * 2_000)
    assert desk.total(ACME_TODAY) == actual == 22_520_000


def test_q12_what_a_call_did_cost_replaces_what_it_held_both_ways() -> None:
    desk = Desk(limits=[TENANT_DAY])
    desk.spend(4 * CENT)
    assert desk.total(ACME_TODAY) == 4 * CENT
    desk.spend(13 * CENT)
    assert desk.total(ACME_TODAY) == 17 * CENT


def test_q13_a_plan_that_changes_in_mid_day_changes_the_limit_and_keeps_the_spend() -> None:
    desk = Desk(limits=[TENANT_DAY])
    desk.spend(95 * CENT, upper_bound=95 * CENT)
    desk.refusal()
    desk.limits = [replace(TENANT_DAY, hard=2 * DOLLAR, source="plan growth")]
    desk.spend(10 * CENT)
    desk.limits = [TENANT_DAY]
    assert desk.refusal().reason == "budget_exceeded"
    assert desk.total(ACME_TODAY) == 105 * CENT


def test_q13_a_plan_that_begins_at_a_known_date_needs_no_publication_on_it() -> None:
    today, tomorrow = datetime(2026, 11, 21, tzinfo=UTC).date(), datetime(2026, 11, 22, tzinfo=UTC).date()
    desk = Desk(
        limits=[replace(TENANT_DAY, hard=0, valid_to=tomorrow), replace(TENANT_DAY, valid_from=tomorrow)],
        zones={"acme": "Pacific/Auckland"},
    )
    assert desk.now.astimezone(zone_named("Pacific/Auckland")).date() == tomorrow > today
    desk.ask()


@pytest.mark.parametrize(
    ("zone", "last_moment", "turn"),
    [
        ("UTC", "2026-11-21T23:59:59.999+00:00", "2026-11-22T00:00:00+00:00"),
        ("Pacific/Auckland", "2026-11-21T23:59:59.999+13:00", "2026-11-22T00:00:00+13:00"),
        # The day of 25 hours and the one of 23.
        ("America/New_York", "2026-11-01T23:59:59.999-05:00", "2026-11-02T00:00:00-05:00"),
        ("Europe/Berlin", "2026-03-29T23:59:59.999+02:00", "2026-03-30T00:00:00+02:00"),
        # Clocks that jump over midnight: the day begins at one.
        ("Africa/Cairo", "2026-04-23T23:59:59.999+02:00", "2026-04-24T01:00:00+03:00"),
    ],
)
def test_q14_the_day_turns_at_the_tenants_own_midnight(zone: str, last_moment: str, turn: str) -> None:
    end = datetime.fromisoformat(turn).astimezone(UTC)
    desk = Desk(limits=[TENANT_DAY], zones={"acme": zone}, now=datetime.fromisoformat(last_moment).astimezone(UTC))
    desk.spend(DOLLAR)
    assert desk.refusal().retry_after_seconds == pytest.approx((end - desk.now).total_seconds())
    desk.now = end
    desk.ask()


def test_q14_the_month_turns_at_the_tenants_own_midnight() -> None:
    month = Limit("tenant", "acme", "month", hard=DOLLAR)
    desk = Desk(limits=[month], zones={"acme": "Asia/Tokyo"}, now=datetime(2026, 11, 30, 14, 59, tzinfo=UTC))
    desk.spend(DOLLAR)
    assert desk.refusal().retry_after_seconds == 60
    desk.now += timedelta(minutes=1)
    desk.ask()
    assert desk.total("tenant:acme:month:2026-12") == 10 * CENT


def test_q5_a_call_over_midnight_is_settled_on_the_day_that_held_it() -> None:
    """There is no reset that two processes could race for: each day is an account of its own."""
    desk = Desk(limits=[TENANT_DAY], now=datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC))
    over_midnight = desk.ask()
    desk.now += timedelta(seconds=5)
    desk.spend(CENT)
    desk.gate.settle(over_midnight, 7 * CENT, "success")
    assert desk.total(ACME_TODAY) == 7 * CENT
    assert desk.total("tenant:acme:day:2026-11-22") == CENT


@given(
    st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Apia", "Africa/Cairo"]),
    st.sampled_from(["day", "month"]),
    st.integers(1_704_067_200, 1_830_297_600),
)
def test_law_windows_leave_no_gap_and_never_overlap(zone: str, period: Period, seconds: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    window = billing_window(period, zone_named(zone), moment)
    assert window.start <= moment < window.end
    assert billing_window(period, zone_named(zone), window.end).start == window.end
    assert billing_window(period, zone_named(zone), window.start) == window


def test_a_soft_limit_warns_and_a_callback_may_name_a_cheaper_model() -> None:
    def cheaper(call: CallIntent, limit: Limit, total: int) -> str:
        assert (call.model, limit.scope, total) == ("gpt-4.1", "tenant", 90 * CENT)
        return "gpt-4.1-mini"

    desk = Desk(limits=[replace(TENANT_DAY, soft=80 * CENT)], on_soft_limit=cheaper)
    first = desk.spend(80 * CENT, upper_bound=80 * CENT)
    assert (first.warnings, first.model) == ((), None)
    second = desk.ask()
    assert (second.warnings, second.model) == (("tenant_day",), "gpt-4.1-mini")


def test_a_callback_that_fails_changes_nothing() -> None:
    def fails(call: CallIntent, limit: Limit, total: int) -> str:
        raise RuntimeError("the application's own mistake")

    desk = Desk(limits=[Limit("org", "", "month", hard=None, soft=0)], on_soft_limit=fails)
    assert desk.ask().warnings == ("org_month",)


def switch(scope: str, scope_id: str, action: str = "disable", **values: object) -> Switch:
    until = datetime(2026, 11, 21, 13, tzinfo=UTC)
    return Switch("s1", scope, scope_id, action, until, "runaway agent", "on-call", **values)  # pyright: ignore


@pytest.mark.parametrize(
    ("scope", "scope_id"),
    [("org", ""), ("feature", "search"), ("model", "gpt-4.1"), ("tenant", "acme"), ("provider", "openai")],
)
def test_a_kill_switch_refuses_with_its_reason_until_it_ends(scope: str, scope_id: str) -> None:
    desk = Desk(limits=[TENANT_DAY], switches=[switch(scope, scope_id)])
    refused = desk.refusal()
    assert (refused.status, refused.reason, refused.retry_after_seconds) == (429, "switched_off", 3600)
    assert "runaway agent" in str(refused)
    assert desk.total(ACME_TODAY) == 0
    if scope != "org":
        others = {"feature": "draft", "model": "gpt-4.1-mini", "tenant_id": "beta"}
        if scope != "provider":
            key = "tenant_id" if scope == "tenant" else scope
            desk.ask(**{key: others[key]})  # pyright: ignore[reportArgumentType]
    desk.now = datetime(2026, 11, 21, 13, tzinfo=UTC)
    desk.ask()


def test_a_throttle_limits_requests_a_minute() -> None:
    desk = Desk(switches=[switch("tenant", "acme", "throttle", requests_per_minute=1)])
    desk.ask()
    assert (desk.refusal().reason, desk.refusal().retry_after_seconds) == ("throttled", 60)
    desk.ask(tenant_id="beta")


def test_a_degraded_model_is_named_to_the_caller() -> None:
    desk = Desk(switches=[switch("feature", "search", "degrade_model", models={"gpt-4.1": "gpt-4.1-mini"})])
    assert desk.ask().model == "gpt-4.1-mini"
    assert desk.ask(model="text-embedding-3-small").model is None


def test_a_call_that_was_never_made_leaves_nothing() -> None:
    desk = Desk(limits=[TENANT_DAY, Limit("tenant", "acme", "minute", hard=1)])
    desk.gate.release(desk.ask())
    assert desk.total(ACME_TODAY) == 0
    desk.ask()


def test_it_counts_what_it_said() -> None:
    desk = Desk(limits=[TENANT_DAY])
    desk.spend(DOLLAR)
    desk.refusal()
    assert desk.gate.counts == {"admitted": 1, "budget_exceeded": 1}
    with pytest.raises(Refused):
        desk.ask()
