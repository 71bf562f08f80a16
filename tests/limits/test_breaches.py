"""Which published incidents ask for a switch now."""

from __future__ import annotations

from datetime import date, datetime

import duckdb

from orchestration.limits.marts import breaches_since

FRIDAY, SATURDAY = date(2026, 11, 20), date(2026, 11, 21)


def test_an_incident_asks_by_its_newest_evaluation_while_nobody_has_closed_or_silenced_it() -> None:
    rows = [
        # incident, day, hour, state, is_newest, observed
        ("taken", FRIDAY, 1, "open", False, 2.0),
        ("taken", SATURDAY, 2, "open", False, 3.0),
        ("taken", SATURDAY, 3, "acknowledged", True, None),
        ("over", SATURDAY, 1, "open", False, 2.0),
        ("over", SATURDAY, 2, "resolved", True, None),
        ("silenced", SATURDAY, 1, "open", False, 2.0),
        ("silenced", SATURDAY, 2, "snoozed", True, None),
        ("old", FRIDAY, 1, "open", True, 2.0),
    ]
    with duckdb.connect() as marts:
        marts.execute(
            "create table fct_alert_events (incident_id text, event_date date, recorded_at timestamp, state text, "
            "is_newest boolean, observed double, alert_rule text default 'spike', scope_kind text default 'tenant', "
            "scope_id text default 'acme', threshold double default 1, unit text default 'USD', "
            "owner text default 'ada', action text default 'throttle', is_automatic boolean default false)"
        )
        for incident, day, hour, *rest in rows:
            moment = datetime(day.year, day.month, day.day, hour)  # noqa: DTZ001 - a column without zone
            marts.execute(
                "insert into fct_alert_events (incident_id, event_date, recorded_at, state, is_newest, observed) "
                "values (?, ?, ?, ?, ?, ?)",
                [incident, day, moment, *rest],
            )
        (found,) = breaches_since(marts, SATURDAY)
    assert (found.incident_id, found.event_date, found.observed, found.owner) == ("taken", SATURDAY, 3.0, "ada")
