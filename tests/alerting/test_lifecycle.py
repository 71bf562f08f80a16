"""The life of an incident: laws for any history, and the cases that people know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.alerting.lifecycle import (
    TOLD,
    Breach,
    Event,
    EventKind,
    Incident,
    Key,
    LifecycleError,
    State,
    acknowledge,
    days_to_evaluate,
    evaluate,
    snooze,
    to_tell,
)

FIRST = date(2026, 10, 1)
NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
KEY = Key("tenant_spend_spike", "tenant", "acme")
OTHER = Key("cache_hit_collapse", "feature", "draft")


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def at(number: int) -> datetime:
    return NOON + timedelta(days=number)


def breach(number: int, severity: str = "warn", key: Key = KEY, after: int | None = None) -> Breach:
    return Breach(key, day(number), severity, after)


def live(breaches: Sequence[Breach], last: int, start: Mapping[Key, Incident] | None = None, first: int = 0):
    """Evaluate day by day, as the runs of a fortnight do; return the incidents, all events, all that was told."""
    current = dict(start or {})
    events: list[Event] = []
    told: list[Event] = []
    for number in range(first, last + 1):
        current, new = evaluate(current, breaches, [day(number)], at(number))
        current, chosen = to_tell(current, new)
        events += new
        told += chosen
    return current, events, told


def kinds(events: Sequence[Event]) -> list[str]:
    return [str(event.kind) for event in events]


days_in_breach = st.lists(
    st.builds(
        breach,
        st.integers(0, 20),
        st.sampled_from(["warn", "error"]),
        st.sampled_from([KEY, OTHER]),
        st.sampled_from([None, 2]),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(days_in_breach)
def test_law_every_history_is_a_legal_one_and_tells_each_change_once(breaches: list[Breach]) -> None:
    current, events, told = live(breaches, 24)
    state: dict[str, State] = {}
    for event in events:
        before = state.get(event.incident_id)
        assert (before is None) == (event.kind is EventKind.OPENED)
        if event.kind is EventKind.REOPENED:
            assert before is State.RESOLVED
        if event.kind in (EventKind.STILL_FIRING, EventKind.ESCALATED, EventKind.RESOLVED):
            assert before is not State.RESOLVED
        state[event.incident_id] = event.state
    assert len({event.event_id for event in events}) == len(events)
    # No breach after the twentieth day: all is over by now, and everybody who was told of a beginning is told so.
    assert all(incident.state is State.RESOLVED for incident in current.values())
    assert [event for event in events if event.kind in TOLD] == told


@settings(max_examples=60, deadline=None)
@given(days_in_breach, st.integers(0, 24))
def test_law_to_evaluate_again_or_in_one_go_changes_nothing(breaches: list[Breach], cut: int) -> None:
    current, events, _ = live(breaches, 24)
    again, nothing = evaluate(current, breaches, [day(24)], at(24))
    assert (again, nothing) == (current, [])
    at_once, _ = evaluate({}, breaches, [day(number) for number in range(cut + 1)], at(cut))
    in_parts, more, _ = live(breaches, 24, at_once, first=cut)
    assert [(one.state, one.opened_date, one.severity) for one in in_parts.values()] == [
        (one.state, one.opened_date, one.severity) for one in current.values()
    ]
    assert len(more) <= len(events)


def test_a_breach_opens_stays_open_over_the_next_morning_and_ends() -> None:
    _, events, told = live([breach(3), breach(4)], 8)
    assert [(str(event.kind), event.usage_date) for event in events] == [
        ("opened", day(3)),
        ("still_firing", day(4)),
        ("still_firing", day(5)),
        ("resolved", day(6)),
    ]
    assert kinds(told) == ["opened", "resolved"]


def test_a_first_evaluation_of_two_months_tells_what_is_wrong_now_and_nothing_else() -> None:
    breaches = [breach(1), *(breach(number, key=OTHER, after=5) for number in range(10, 60))]
    current, events = evaluate({}, breaches, [day(number) for number in range(60)], at(59))
    current, told = to_tell(current, events)
    assert [(event.key, event.kind, event.severity) for event in told] == [(OTHER, EventKind.ESCALATED, "error")]
    assert current[KEY].state is State.RESOLVED
    assert to_tell(*evaluate(current, breaches, [day(59)], at(59)))[1] == []


def test_a_warning_that_nobody_takes_becomes_an_error_and_one_that_is_taken_does_not() -> None:
    breaches = [breach(number, after=2) for number in range(6)]
    _, _, told = live(breaches, 5)
    assert [(str(event.kind), event.usage_date) for event in told] == [("opened", day(0)), ("escalated", day(2))]
    current, _, _ = live(breaches, 1)
    taken, event = acknowledge(current[KEY], at(1), "on it")
    assert (event.kind, event.note) == (EventKind.ACKNOWLEDGED, "on it")
    _, events, told = live(breaches, 5, {KEY: taken}, first=2)
    assert (kinds(events), told) == (["still_firing"] * 4, [])


def test_a_rule_that_turns_into_an_error_is_told_also_when_it_was_taken() -> None:
    current, _, _ = live([breach(0)], 0)
    taken, _ = acknowledge(current[KEY], at(0))
    _, _, told = live([breach(0), breach(1, "error")], 1, {KEY: taken}, first=1)
    assert [(str(event.kind), event.severity) for event in told] == [("escalated", "error")]


def test_nobody_is_told_while_it_is_snoozed_and_all_are_when_it_still_fires_after() -> None:
    breaches = [breach(number, "error") for number in range(6)]
    current, _, _ = live(breaches, 0)
    asleep, _ = snooze(current[KEY], at(3), at(0))
    _, events, told = live(breaches, 5, {KEY: asleep}, first=1)
    assert kinds(events) == ["still_firing", "still_firing", "reopened", "still_firing", "still_firing"]
    assert [event.usage_date for event in told] == [day(3)]


def test_a_breach_within_a_week_of_its_end_is_the_same_incident_and_a_later_one_is_another() -> None:
    _, events, _ = live([breach(0), breach(6), breach(20)], 22)
    assert [str(event.kind) for event in events if event.kind is not EventKind.STILL_FIRING] == [
        *("opened", "resolved", "reopened", "resolved"),
        *("opened", "resolved"),
    ]
    assert len({event.incident_id for event in events}) == 2


def test_older_days_than_the_newest_that_was_evaluated_change_no_incident() -> None:
    assert days_to_evaluate(None, day(0), day(2)) == [day(0), day(1), day(2)]
    assert days_to_evaluate(day(1), day(0), day(2)) == [day(1), day(2)]
    assert days_to_evaluate(day(9), day(0), day(2)) == []


def test_what_is_over_can_be_neither_taken_nor_silenced() -> None:
    current, _, _ = live([breach(0)], 3)
    with pytest.raises(LifecycleError, match="is over since 2026-10-03"):
        acknowledge(current[KEY], at(3))
    with pytest.raises(LifecycleError, match="is over"):
        snooze(current[KEY], at(9), at(3))
    current, _, _ = live([breach(0)], 0)
    with pytest.raises(LifecycleError, match="is past"):
        snooze(current[KEY], at(0), at(1))
