"""Incidents, their events and the outbox, in one SQLite file under `TRUEUP_HOME/alerting`.

Belongs here: transactions. Does not belong here: what changes an incident (`lifecycle`), sending (`delivery`).

Why a file of its own: what people were told, and what they did, is in no source and cannot be built again, so it may
not be lost with the warehouse. Why one file: an event and the message about it are written in one transaction, so a
crash leaves both or neither. Readers get the events as Parquet beside it, which dbt publishes as `fct_alert_events`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestration.alerting import lifecycle
from orchestration.alerting.events import AMOUNTS, WORDS, events_file, write_events
from orchestration.alerting.lifecycle import Breach, Event, Incident, Key, LifecycleError, State
from orchestration.settings import Settings

_SCHEMA = """
create table if not exists incidents (
  incident_id text primary key, alert_rule text not null, scope_kind text not null, scope_id text not null,
  state text not null, severity text not null, opened_date text not null, firing_since text not null,
  last_date text not null, resolved_date text, snoozed_until text, events_count integer not null,
  is_told integer not null
) strict;
create table if not exists events (
  event_id text primary key, incident_id text not null, alert_rule text not null, scope_kind text not null,
  scope_id text not null, event_kind text not null, state text not null, severity text not null,
  event_date text not null, recorded_at text not null, opened_date text not null, details text not null, note text
) strict;
create table if not exists deliveries (
  delivery_key text primary key, channel text not null, due_at text not null, attempts integer not null default 0,
  status text not null default 'waiting', leased_until text, sent_at text, last_error text
) strict;
create table if not exists messages (
  message_id text primary key, delivery_key text not null references deliveries, content text not null
) strict;
create index if not exists messages_of_a_delivery on messages (delivery_key);
create table if not exists progress (name text primary key, value text not null) strict;
"""


@dataclass(frozen=True)
class Delivery:
    """One thing to send.

    Attributes:
        key: The idempotency key; a second attempt bears it too.
        channel: Where to.
        contents: One message, or those of a digest, as `messages.Message` wrote them.
        attempts: How often it was tried, this time included.
    """

    key: str
    channel: str
    contents: tuple[Mapping[str, Any], ...]
    attempts: int


@dataclass(frozen=True)
class Letter:
    """A message for the outbox: `key` is that of the delivery it belongs to."""

    message_id: str
    key: str
    channel: str
    due_at: datetime
    content: Mapping[str, Any]


Write = Callable[[Event, Incident], Letter | None]
"""Makes the message of an event; None when its channel has nobody behind it."""


def database_path(settings: Settings) -> Path:
    """Return where the file lies."""
    return settings.alerting / "incidents.sqlite"


class IncidentStore:
    """The file, opened for each transaction; several processes may use it at once."""

    def __init__(self, settings: Settings) -> None:
        self._path = database_path(settings)
        self._events = events_file(settings)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._transaction() as connection:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)

    # -- the lifecycle --------------------------------------------------------------------------------------

    def evaluate(
        self,
        first: date,
        last: date,
        breaches: Mapping[Breach, Mapping[str, Any]],
        now: datetime,
        write: Write,
    ) -> tuple[Event, ...]:
        """Take a run's days into the incidents; events and messages are written in one transaction.

        Args:
            first: First UTC day of the run.
            last: Its last.
            breaches: Those of the days, and of the day before, with their rows in the mart `alerts`.
            now: UTC.
            write: See `Write`.
        """
        with self._transaction() as connection:
            through = _progress(connection, "through")
            days = lifecycle.days_to_evaluate(date.fromisoformat(through) if through else None, first, last)
            if not days:
                return ()
            before = {one.key: one for one in _incidents(connection)}
            after, events = lifecycle.evaluate(before, breaches, days, now)
            after, told = lifecycle.to_tell(after, events)
            _save_events(connection, events, after, breaches)
            for event in [*told, *lifecycle.late_to_tell(after, breaches, now)]:
                letter = write(event, after[event.key])
                if letter is not None:
                    _post(connection, letter)
                # Without an address nobody was told; who has one later is told of what fires then.
                is_told = letter is not None and event.kind is not lifecycle.EventKind.RESOLVED
                after[event.key] = replace(after[event.key], is_told=is_told)
            _save_incidents(connection, [one for key, one in after.items() if before.get(key) != one])
            _set_progress(connection, "through", days[-1].isoformat())
        if events or not self._events.exists():
            self.export()
        return tuple(events)

    def acknowledge(self, incident_id: str, now: datetime, note: str | None) -> Event:
        """Take an incident; see `lifecycle.acknowledge`."""
        return self._act(incident_id, lambda incident: lifecycle.acknowledge(incident, now, note))

    def snooze(self, incident_id: str, until: datetime, now: datetime, note: str | None) -> Event:
        """Silence an incident until a moment; see `lifecycle.snooze`."""
        return self._act(incident_id, lambda incident: lifecycle.snooze(incident, until, now, note))

    def incidents(self) -> list[Incident]:
        """Return the newest incident of each rule and scope, those that last first; older ones are in the events."""
        with self._transaction() as connection:
            found = list(_incidents(connection))
        return sorted(found, key=lambda one: (one.state is State.RESOLVED, one.severity, one.opened_date, one.key))

    def events(self) -> list[Mapping[str, Any]]:
        """Return every event, as exported, in the order in which they happened."""
        with self._transaction() as connection:
            rows = connection.execute("select * from events order by rowid").fetchall()
        return [_event_row(row) for row in rows]

    def _act(self, incident_id: str, act: Callable[[Incident], tuple[Incident, Event]]) -> Event:
        with self._transaction() as connection:
            matches = [one for one in _incidents(connection) if one.incident_id.startswith(incident_id)]
            if len(matches) != 1:
                found = "no incident" if not matches else f"{len(matches)} incidents"
                raise LifecycleError(f"{found} whose id begins with {incident_id!r}; `trueup incidents` lists them")
            incident, event = act(matches[0])
            _save_incidents(connection, [incident])
            _save_events(connection, [event], {incident.key: incident}, {})
        self.export()
        return event

    def export(self) -> None:
        """Write all events as Parquet for the readers."""
        write_events(self._events, self.events())

    # -- the outbox -----------------------------------------------------------------------------------------

    def post(self, letters: Iterable[Letter]) -> None:
        """Put messages into the outbox; one that is there already is left as it is."""
        with self._transaction() as connection:
            for letter in letters:
                _post(connection, letter)

    def change_check(self, check: str, *, is_failing: bool, letter: Letter | None) -> bool:
        """Note how a check ended, and post the message when that has changed; return whether it has."""
        with self._transaction() as connection:
            name = f"check {check}"
            # A check that never failed and passes is no news, nor is one that fails while there is nobody to tell.
            if (_progress(connection, name) == "failing") == is_failing or (is_failing and letter is None):
                return False
            _set_progress(connection, name, "failing" if is_failing else "passing")
            if letter is not None:
                _post(connection, letter)
            return True

    def due_channels(self, now: datetime) -> list[str]:
        """Return the channels that something is due for."""
        with self._transaction() as connection:
            rows = connection.execute(
                "select distinct channel from deliveries where status <> 'sent' and due_at <= ? "
                "and (leased_until is null or leased_until <= ?)",
                [_text(now), _text(now)],
            )
            return [row["channel"] for row in rows]

    def claim(self, channel: str, now: datetime, lease: timedelta) -> Delivery | None:
        """Take the oldest thing that is due for a channel; who dies with it loses it when the lease ends."""
        with self._transaction() as connection:
            row = connection.execute(
                "select * from deliveries where channel = ? and status <> 'sent' and due_at <= ? "
                "and (leased_until is null or leased_until <= ?) order by due_at, rowid limit 1",
                [channel, _text(now), _text(now)],
            ).fetchone()
            if row is None:
                return None
            connection.execute(
                "update deliveries set attempts = attempts + 1, leased_until = ? where delivery_key = ?",
                [_text(now + lease), row["delivery_key"]],
            )
            contents = connection.execute(
                "select content from messages where delivery_key = ? order by rowid", [row["delivery_key"]]
            ).fetchall()
            return Delivery(
                key=row["delivery_key"],
                channel=channel,
                contents=tuple(json.loads(content["content"]) for content in contents),
                attempts=row["attempts"] + 1,
            )

    def sent(self, key: str, now: datetime) -> None:
        """Remember that a delivery has arrived."""
        with self._transaction() as connection:
            connection.execute(
                "update deliveries set status = 'sent', sent_at = ?, leased_until = null, last_error = null "
                "where delivery_key = ?",
                [_text(now), key],
            )

    def retry(self, key: str, at: datetime, error: str) -> None:
        """Remember that a delivery failed, and when it is tried again."""
        with self._transaction() as connection:
            connection.execute(
                "update deliveries set status = 'failed', due_at = ?, leased_until = null, last_error = ? "
                "where delivery_key = ?",
                [_text(at), error[:500], key],
            )

    def deliveries(self) -> list[Mapping[str, Any]]:
        """Return every delivery, for people and tests."""
        with self._transaction() as connection:
            return [dict(row) for row in connection.execute("select * from deliveries order by rowid")]

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("begin immediate")
            try:
                yield connection
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")


def _incidents(connection: sqlite3.Connection) -> Iterable[Incident]:
    """Return the newest incident of each rule and scope."""
    newest: dict[Key, Incident] = {}
    for row in connection.execute("select * from incidents order by opened_date, rowid"):
        key = Key(row["alert_rule"], row["scope_kind"], row["scope_id"])
        newest[key] = Incident(
            incident_id=row["incident_id"],
            key=key,
            state=State(row["state"]),
            severity=row["severity"],
            opened_date=date.fromisoformat(row["opened_date"]),
            firing_since=date.fromisoformat(row["firing_since"]),
            last_date=date.fromisoformat(row["last_date"]),
            resolved_date=date.fromisoformat(row["resolved_date"]) if row["resolved_date"] else None,
            snoozed_until=datetime.fromisoformat(row["snoozed_until"]) if row["snoozed_until"] else None,
            events_count=row["events_count"],
            is_told=bool(row["is_told"]),
        )
    return newest.values()


def _save_incidents(connection: sqlite3.Connection, incidents: Iterable[Incident]) -> None:
    connection.executemany(
        "insert or replace into incidents values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                one.incident_id,
                one.key.alert_rule,
                one.key.scope_kind,
                one.key.scope_id,
                one.state,
                one.severity,
                one.opened_date.isoformat(),
                one.firing_since.isoformat(),
                one.last_date.isoformat(),
                one.resolved_date.isoformat() if one.resolved_date else None,
                _text(one.snoozed_until) if one.snoozed_until else None,
                one.events_count,
                int(one.is_told),
            )
            for one in incidents
        ],
    )


def _save_events(
    connection: sqlite3.Connection,
    events: Iterable[Event],
    incidents: Mapping[Key, Incident],
    breaches: Mapping[Breach, Mapping[str, Any]],
) -> None:
    opened = {event.incident_id: event.usage_date for event in events if event.kind is lifecycle.EventKind.OPENED}
    connection.executemany(
        "insert into events values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                event.event_id,
                event.incident_id,
                event.key.alert_rule,
                event.key.scope_kind,
                event.key.scope_id,
                event.kind,
                event.state,
                event.severity,
                event.usage_date.isoformat(),
                _text(event.recorded_at),
                (
                    incidents[event.key].opened_date
                    if incidents[event.key].incident_id == event.incident_id
                    else opened.get(event.incident_id, event.usage_date)
                ).isoformat(),
                json.dumps(_details(breaches.get(event.breach, {}) if event.breach else {})),
                event.note,
            )
            for event in events
        ],
    )


def _details(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in (*AMOUNTS, *WORDS)}


def _event_row(row: sqlite3.Row) -> dict[str, Any]:
    found = dict(row)
    found |= json.loads(found.pop("details"))
    for name in ("event_date", "opened_date"):
        found[name] = date.fromisoformat(found[name])
    found["recorded_at"] = datetime.fromisoformat(found["recorded_at"])
    return found


def _post(connection: sqlite3.Connection, letter: Letter) -> None:
    connection.execute(
        "insert or ignore into deliveries (delivery_key, channel, due_at) values (?, ?, ?)",
        [letter.key, letter.channel, _text(letter.due_at)],
    )
    connection.execute(
        "insert or ignore into messages values (?, ?, ?)",
        [letter.message_id, letter.key, json.dumps(letter.content, ensure_ascii=False)],
    )


def _progress(connection: sqlite3.Connection, name: str) -> str | None:
    row = connection.execute("select value from progress where name = ?", [name]).fetchone()
    return row["value"] if row else None


def _set_progress(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute("insert or replace into progress values (?, ?)", [name, value])


def _text(moment: datetime) -> str:
    """Return a moment so that text sorts as time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
