"""From the breaches of a run to incidents and messages.

Belongs here: reading the breaches, and what a message needs beside them. Does not belong here: what changes an
incident (`lifecycle`), wording (`messages`), sending (`delivery`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import duckdb

from orchestration.alerting import messages
from orchestration.alerting.lifecycle import FIRES_DAYS, Breach, Event, EventKind, Incident, Key
from orchestration.alerting.message import FailedCheck
from orchestration.alerting.messages import Links
from orchestration.alerting.routing import CHECKS_CHANNEL, read_channels, slot
from orchestration.alerting.store import IncidentStore, Letter
from orchestration.connectors.base import Window
from orchestration.settings import Settings

_LANGFUSE = "https://cloud.langfuse.com/trace/{trace_id}"
_RUNBOOKS = "dbt_project/"
_TRACES = 3

_SCOPE_COLUMNS = {"tenant": "tenant_id", "feature": "feature", "provider": "provider"}

_BREACHES = """
select alerts.*, rules.metric, rules.escalate_after_days
from marts.alerts as alerts
inner join staging.stg_alert_rules__rules as rules on alerts.alert_rule = rules.alert_rule
where alerts.usage_date between date '{first}' and date '{last}'
"""

_RULES = "select * from staging.stg_alert_rules__rules"


def links_of(settings: Settings) -> Links:
    """Return where messages lead to: `TRUEUP_DAGSTER_URL`, `…_DASHBOARD_URL`, `…_TRACE_URL` and `…_RUNBOOK_URL`."""
    return Links(
        dagster_url=settings.secret("TRUEUP_DAGSTER_URL") or "",
        dashboard_url=settings.secret("TRUEUP_DASHBOARD_URL") or "",
        trace_url=settings.trace_url or _LANGFUSE,
        runbook_url=settings.secret("TRUEUP_RUNBOOK_URL") or _RUNBOOKS,
    )


def evaluate_incidents(
    settings: Settings, days: Window, rule_models: Mapping[str, str], now: datetime
) -> tuple[Event, ...]:
    """Take the breaches of a run's days into the incidents, and put messages of what changed into the outbox.

    Args:
        settings: The installation; its warehouse is opened read-only, so nobody may write meanwhile.
        days: The UTC days of the run.
        rule_models: The alert model of each rule, for links.
        now: UTC.
    """
    last = days.end - timedelta(days=1)
    with duckdb.connect(str(settings.warehouse), read_only=True) as warehouse:
        # As text: for the first parameter DuckDB imports pandas, half a second of a run that finds nothing new.
        rows = _dictionaries(warehouse, _BREACHES.format(first=days.start - timedelta(days=FIRES_DAYS - 1), last=last))
        rules = {row["alert_rule"]: row for row in _dictionaries(warehouse, _RULES)}
        breaches = {_breach(row): row for row in rows}
        channels = read_channels(settings.pricing)
        links = links_of(settings)

        def write(event: Event, incident: Incident) -> Letter | None:
            rule = rules.get(event.key.alert_rule)
            channel = channels.get(rule["channel"]) if rule else None
            if rule is None or channel is None or settings.secret(channel.url_env) is None:
                return None
            traces: Sequence[str] = ()
            if event.kind is not EventKind.RESOLVED:
                traces = dearest_traces(warehouse, event.key, event.breach.usage_date if event.breach else last)
            message = messages.of_event(
                event,
                incident,
                rule | {"model": rule_models.get(event.key.alert_rule, "")},
                breaches.get(event.breach, {}) if event.breach else {},
                links=links,
                traces=traces,
            )
            due = slot(channel, event.severity, now)
            return Letter(event.event_id, due.digest or event.event_id, channel.channel, due.due_at, message.as_json())

        return IncidentStore(settings).evaluate(days.start, last, breaches, now, write)


def note_checks(settings: Settings, checks: Iterable[tuple[FailedCheck, bool]], now: datetime) -> int:
    """Note how checks ended, and post a message for each that began to fail or passes again; return how many did.

    Args:
        settings: The installation.
        checks: What is known of each (of one that passed, its names alone), and whether it failed; in their order.
        now: UTC.
    """
    store = IncidentStore(settings)
    channel = read_channels(settings.pricing).get(CHECKS_CHANNEL)
    has_address = channel is not None and settings.secret(channel.url_env) is not None
    dagster_url = links_of(settings).dagster_url
    changes = 0
    for check, is_failing in checks:
        name = f"{check.asset}:{check.check}"
        letter = None
        if channel is not None and has_address:
            message = messages.of_check(check, is_over=not is_failing, dagster_url=dagster_url)
            due = slot(channel, message.severity, now)
            key = f"{name}@{check.run_id}"
            letter = Letter(key, due.digest or key, channel.channel, due.due_at, message.as_json())
        changes += store.change_check(name, is_failing=is_failing, letter=letter)
    return changes


def dearest_traces(warehouse: duckdb.DuckDBPyConnection, key: Key, day: date) -> list[str]:
    """Return the trace ids of the dearest requests of a scope on a day; none where a scope is not of requests."""
    column = _SCOPE_COLUMNS.get(key.scope_kind)
    if column is None:
        return []
    found = warehouse.execute(
        f"""
        select trace_id
        from intermediate.int_llm_requests__attributed
        where usage_date = ? and {column} = ? and trace_id is not null
        group by trace_id
        order by max(contracted_cost_usd) desc nulls last, trace_id
        limit {_TRACES}
        """,
        [day, key.scope_id],
    ).fetchall()
    return [row[0] for row in found]


def _breach(row: Mapping[str, Any]) -> Breach:
    key = Key(row["alert_rule"], row["scope_kind"], row["scope_id"])
    return Breach(key, row["usage_date"], row["severity"], row["escalate_after_days"])


def _dictionaries(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
