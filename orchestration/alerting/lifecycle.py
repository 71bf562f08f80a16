"""The life of an incident, as pure functions: what was, what is seen, what has changed.

Belongs here: which change follows from which observation. Does not belong here: where incidents are kept (`store`),
what is measured (`alert_*` models), who is told and when (`routing`).

An incident is one rule and one scope. Days are UTC days of usage, in their order; an evaluation of a day that was
evaluated before changes nothing unless what is seen has changed. A breach fires on its day and the day after: at one
in the morning today has no spend yet, and what fired yesterday is not over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

FIRES_DAYS = 2
REOPENS_WITHIN_DAYS = 7
"""A breach so soon after its end is the same incident again: who dealt with it knows the story."""

_ONE_DAY = timedelta(days=1)


class State(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


class EventKind(StrEnum):
    """What happened to an incident."""

    OPENED = "opened"
    STILL_FIRING = "still_firing"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"
    REOPENED = "reopened"


TOLD = frozenset({EventKind.OPENED, EventKind.ESCALATED, EventKind.RESOLVED, EventKind.REOPENED})
"""Changes of state that people do not know of; what they did themselves they know."""


class LifecycleError(ValueError):
    """What was asked of an incident cannot be done; the message says why."""


@dataclass(frozen=True, order=True)
class Key:
    """What an incident is about."""

    alert_rule: str
    scope_kind: str
    scope_id: str


@dataclass(frozen=True)
class Breach:
    """One row of the mart `alerts`, as far as the lifecycle needs it.

    Attributes:
        usage_date: UTC day in breach.
        severity: `warn` or `error`.
        escalate_after_days: A warning that fires so long, unacknowledged, becomes an error; None never.
    """

    key: Key
    usage_date: date
    severity: str
    escalate_after_days: int | None = None


@dataclass(frozen=True)
class Incident:
    """One rule and one scope, from its first breach on.

    Attributes:
        incident_id: Of rule, scope and the day it opened on: the same landing gives the same id.
        state: See `State`.
        severity: `warn` or `error`; an escalation raises it, nothing lowers it while it lasts.
        opened_date: UTC day of the first breach.
        firing_since: The same, or the day it was reopened on.
        last_date: Newest day that was evaluated.
        resolved_date: Day on which it ended; None while it lasts.
        snoozed_until: None unless snoozed.
        events_count: How many events it has had.
        is_told: Whether anybody has been told of it since it last began.
    """

    incident_id: str
    key: Key
    state: State
    severity: str
    opened_date: date
    firing_since: date
    last_date: date
    resolved_date: date | None = None
    snoozed_until: datetime | None = None
    events_count: int = 0
    is_told: bool = False


@dataclass(frozen=True)
class Event:
    """A change of an incident, or one more day of it.

    Attributes:
        event_id: Of the incident and the place of the event in it: the idempotency key of its message.
        state, severity: After the event.
        usage_date: UTC day that was evaluated, or on which a person acted.
        recorded_at: When it was noticed.
        breach: The newest breach behind it; None when it ended or a person acted.
        note: What a person said.
    """

    event_id: str
    incident_id: str
    key: Key
    kind: EventKind
    state: State
    severity: str
    usage_date: date
    recorded_at: datetime
    breach: Breach | None = None
    note: str | None = None


def observe(
    incident: Incident | None, breach: Breach | None, key: Key, day: date, now: datetime
) -> tuple[Incident | None, Event | None]:
    """Return the incident and the event after a day was evaluated.

    Args:
        incident: The newest of the key; None when it never had one.
        breach: Its newest breach that fires on `day`; None when none does.
        key: Rule and scope.
        day: The evaluated day, not before `incident.last_date`.
        now: When it was evaluated.
    """
    if incident is None or (incident.state is State.RESOLVED and breach is not None and not _is_same(incident, day)):
        if breach is None:
            return incident, None
        began = breach.usage_date
        opened = Incident(
            incident_id=_identity(key, began),
            key=key,
            state=State.OPEN,
            severity=breach.severity,
            opened_date=began,
            firing_since=began,
            last_date=day,
        )
        return _with_event(opened, EventKind.OPENED, day, now, breach)
    if breach is None:
        if incident.state is State.RESOLVED:
            return incident, None
        ended = replace(incident, state=State.RESOLVED, resolved_date=day, snoozed_until=None, last_date=day)
        return _with_event(ended, EventKind.RESOLVED, day, now, None)
    return _observe_firing(incident, breach, day, now)


def _observe_firing(
    incident: Incident, breach: Breach, day: date, now: datetime
) -> tuple[Incident | None, Event | None]:
    is_new_day = day > incident.last_date
    seen = replace(incident, last_date=day)
    if incident.state is State.RESOLVED:
        again = replace(
            seen,
            state=State.OPEN,
            severity=breach.severity,
            firing_since=breach.usage_date,
            resolved_date=None,
            is_told=False,
        )
        return _with_event(again, EventKind.REOPENED, day, now, breach)
    if incident.state is State.SNOOZED:
        if incident.snoozed_until is not None and now >= incident.snoozed_until:
            awake = replace(seen, state=State.OPEN, snoozed_until=None, is_told=False)
            return _with_event(awake, EventKind.REOPENED, day, now, breach)
    elif incident.severity == "warn":
        is_overdue = (
            incident.state is State.OPEN
            and breach.escalate_after_days is not None
            and (day - incident.firing_since).days >= breach.escalate_after_days
        )
        if breach.severity == "error" or is_overdue:
            worse = replace(seen, state=State.OPEN, severity="error", is_told=False)
            return _with_event(worse, EventKind.ESCALATED, day, now, breach)
    if not is_new_day:
        return incident, None
    return _with_event(seen, EventKind.STILL_FIRING, day, now, breach)


def acknowledge(incident: Incident, now: datetime, note: str | None = None) -> tuple[Incident, Event]:
    """Let somebody take an incident: it no longer escalates by itself.

    Raises:
        LifecycleError: When it is over.
    """
    _refuse_resolved(incident)
    taken = replace(incident, state=State.ACKNOWLEDGED, snoozed_until=None)
    return _by_hand(taken, EventKind.ACKNOWLEDGED, now, note)


def snooze(incident: Incident, until: datetime, now: datetime, note: str | None = None) -> tuple[Incident, Event]:
    """Let nobody be told of an incident until a moment; if it still fires then, it is reopened.

    Raises:
        LifecycleError: When it is over, or the moment is past.
    """
    _refuse_resolved(incident)
    if until <= now:
        raise LifecycleError(f"{until.isoformat()} is past")
    return _by_hand(replace(incident, state=State.SNOOZED, snoozed_until=until), EventKind.SNOOZED, now, note)


def evaluate(
    incidents: Mapping[Key, Incident],
    breaches: Iterable[Breach],
    days: Sequence[date],
    now: datetime,
) -> tuple[dict[Key, Incident], list[Event]]:
    """Return the incidents and what happened to them on days, one after the other.

    Args:
        incidents: The newest of each key.
        breaches: All of `days`, and of the day before the first of them.
        days: In their order, none before the newest that was evaluated before.
        now: When they are evaluated.
    """
    by_day: dict[date, dict[Key, Breach]] = {}
    for breach in breaches:
        by_day.setdefault(breach.usage_date, {})[breach.key] = breach
    current = dict(incidents)
    events: list[Event] = []
    for day in days:
        firing: dict[Key, Breach] = {}
        for age in reversed(range(FIRES_DAYS)):
            firing |= by_day.get(day - age * _ONE_DAY, {})
        for key in sorted(firing.keys() | {key for key, one in current.items() if one.state is not State.RESOLVED}):
            incident, event = observe(current.get(key), firing.get(key), key, day, now)
            if incident is not None:
                current[key] = incident
            if event is not None:
                events.append(event)
    return current, events


def to_tell(incidents: Mapping[Key, Incident], events: Iterable[Event]) -> tuple[dict[Key, Incident], list[Event]]:
    """Return the incidents, and of their new events those that people are told: the latest change of each.

    An end is told to those who were told of the beginning. So a first evaluation of sixty days tells what is wrong
    now, and not what was wrong in between.
    """
    latest = {event.key: event for event in events if event.kind in TOLD}
    told = dict(incidents)
    chosen: list[Event] = []
    for key, event in sorted(latest.items()):
        incident = told[key]
        if incident.incident_id != event.incident_id:
            continue
        is_end = event.kind is EventKind.RESOLVED
        if incident.state is State.SNOOZED or (is_end and not incident.is_told):
            continue
        told[key] = replace(incident, is_told=not is_end)
        chosen.append(event)
    return told, chosen


def late_to_tell(incidents: Mapping[Key, Incident], breaches: Iterable[Breach], now: datetime) -> list[Event]:
    """Return the openings that nobody has been told of and that still fire, with their newest breach.

    There are some when a channel had no address as they opened. Each bears the id of the incident's newest event, of
    which there is no message: one told twice would be the same message.
    """
    newest = {breach.key: breach for breach in sorted(breaches, key=lambda breach: breach.usage_date)}
    return [
        Event(
            event_id=f"{incident.incident_id}-{incident.events_count}",
            incident_id=incident.incident_id,
            key=key,
            kind=EventKind.OPENED,
            state=incident.state,
            severity=incident.severity,
            usage_date=newest[key].usage_date,
            recorded_at=now,
            breach=newest[key],
        )
        for key, incident in sorted(incidents.items())
        if incident.state is State.OPEN and not incident.is_told and key in newest
    ]


def _is_same(incident: Incident, day: date) -> bool:
    return incident.resolved_date is not None and (day - incident.resolved_date).days <= REOPENS_WITHIN_DAYS


def _identity(key: Key, opened: date) -> str:
    text = "\0".join((key.alert_rule, key.scope_kind, key.scope_id, opened.isoformat()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _with_event(
    incident: Incident, kind: EventKind, day: date, now: datetime, breach: Breach | None, *, note: str | None = None
) -> tuple[Incident, Event]:
    number = incident.events_count + 1
    counted = replace(incident, events_count=number)
    event = Event(
        event_id=f"{incident.incident_id}-{number}",
        incident_id=incident.incident_id,
        key=incident.key,
        kind=kind,
        state=incident.state,
        severity=incident.severity,
        usage_date=day,
        recorded_at=now,
        breach=breach,
        note=note,
    )
    return counted, event


def _by_hand(incident: Incident, kind: EventKind, now: datetime, note: str | None) -> tuple[Incident, Event]:
    return _with_event(incident, kind, incident.last_date, now, None, note=note)


def _refuse_resolved(incident: Incident) -> None:
    if incident.state is State.RESOLVED:
        raise LifecycleError(f"incident {incident.incident_id} is over since {incident.resolved_date}")


def days_to_evaluate(through: date | None, first: date, last: date) -> list[date]:
    """Return the days of an evaluation: from the newest that was evaluated on; older ones change no incident.

    Args:
        through: The newest day that was evaluated; None when none was.
        first: First day of the run.
        last: Its last day.
    """
    start = first if through is None else through
    return [start + number * _ONE_DAY for number in range((last - start).days + 1)]
