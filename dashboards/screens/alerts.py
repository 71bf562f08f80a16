"""Alerts: what is open, whose it is, what is to be done, and what drove the cost of its scope."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import streamlit as st

from dashboards import charts, words
from dashboards.panel import chart, note, panel, table
from dashboards.publication import Query, Row
from dashboards.tables import Column, escaped
from dashboards.view import View
from orchestration.warehouse.project import DBT_PROJECT

RUNBOOKS = DBT_PROJECT / "docs" / "alerts"

_BREACHES = "alerts"
_EVENTS = "fct_alert_events"


def show(view: View) -> None:
    """Show the page: one rule and scope when the link names them, all of them below."""
    if view.extra.get("rule"):
        _one(view)
    show_open(view)
    panel(
        view,
        "Breaches by day",
        "alert_history",
        view.query("alert_history"),
        lambda rows: chart(
            charts.count_days(rows, "alert_rule", "breaches_count", view.palette),
            "How many scopes breach a rule, by day",
        ),
        means="A square for each day on which a rule was in breach; larger where more scopes were.",
        cost="none",
        empty="No rule fired in these days.",
    )
    panel(
        view,
        "Incidents that are over",
        "incidents_over",
        incidents(view, is_open=False),
        lambda rows: table(incident_columns(view), rows),
        means="Resolved in these days. People are told of incidents from the first evaluation on, not of days before.",
        cost="none",
        empty="No incident ended in these days.",
    )
    panel(
        view,
        "Days in breach",
        "alerts",
        view.query("alerts", rule=None, scope_kind=None, scope_id=None),
        lambda rows: table(breach_columns(view), rows),
        means="Days in breach on end are one line, newest first; figures are of its last day.",
        cost="none",
        empty="No rule fired in these days.",
    )


def show_open(view: View, scope_kind: str | None = None, scope_id: str | None = None) -> None:
    """Show the open incidents, of one scope or of all."""
    panel(
        view,
        "Open incidents",
        "incidents_open",
        incidents(view, is_open=True, scope_kind=scope_kind, scope_id=scope_id),
        lambda rows: table(incident_columns(view), rows),
        means="An incident is one rule and one scope, from its first breach until it is resolved.",
        cost="none",
        empty="No incident is open.",
    )


def incidents(
    view: View, *, is_open: bool, rule: str | None = None, scope_kind: str | None = None, scope_id: str | None = None
) -> Query:
    """Return the query of incidents that are open now, or that ended in the period."""
    return view.query("incidents", is_open=is_open, rule=rule, scope_kind=scope_kind, scope_id=scope_id)


def incident_columns(view: View) -> list[Column]:
    """Return the columns of incidents."""

    def meaning(column: str) -> str:
        return view.snapshot.meaning(_EVENTS, column)

    first, *others = _columns(view, _EVENTS)
    return [
        first,
        Column("state", lambda row: row["state"], "name", meaning("state")),
        *others[:2],
        Column("since", lambda row: words.day(row["opened_date"]), "name", meaning("opened_date")),
        *others[2:],
        Column("owner", lambda row: words.visible(row["owner"] or words.NOT_STATED), "name", meaning("owner")),
        Column("action", _action, "words", f"{meaning('action')} {meaning('is_automatic')}"),
        Column("note", lambda row: words.visible(row["note"] or words.NO_RATIO), "words", meaning("note")),
    ]


def breach_columns(view: View) -> list[Column]:
    """Return the columns of breaches on end."""
    since = Column("days", _span, "name", "First and last day in breach.")
    return [since, *_columns(view, _BREACHES)]


def _columns(view: View, mart: str) -> list[Column]:
    def meaning(column: str) -> str:
        return view.snapshot.meaning(mart, column)

    def detail(row: Row) -> str:
        return view.link(
            "alerts",
            rule=row["alert_rule"],
            scope_kind=row["scope_kind"],
            scope_id=row["scope_id"] or "",
            day=str(row["last_date"]),
        )

    return [
        Column("rule", lambda row: row["alert_rule"].replace("_", " "), "name", meaning("alert_rule"), link=detail),
        Column("severity", lambda row: row["severity"], "name", meaning("severity")),
        Column("scope", lambda row: words.visible(f"{row['scope_kind']} {row['scope_id']}".strip()), "name"),
        Column("observed", _observed, "words", f"{meaning('observed')} {meaning('threshold')}"),
        Column("why", lambda row: words.visible(row["top_drivers"] or words.NO_RATIO), "words", meaning("top_drivers")),
    ]


def _action(row: Row) -> str:
    if row["action"] in (None, "none"):
        return words.NO_RATIO
    return row["action"].replace("_", " ") + (", by itself" if row["is_automatic"] else ", when people say so")


def _observed(row: Row) -> str:
    if row["observed"] is None:
        return words.NO_RATIO
    return f"{words.number(row['observed'])}, limit {words.number(row['threshold'])} {row['unit'] or ''}"


def _span(row: Row) -> str:
    first, last = row["first_date"], row["last_date"]
    return words.day(last) if first == last else f"{words.day(first)} – {words.day(last)} ({row['days_count']} days)"


def _one(view: View) -> None:
    rule, kind, scope = (view.extra.get(name, "") for name in ("rule", "scope_kind", "scope_id"))
    st.html(
        f'<div class="tu-title" role="heading" aria-level="2">{escaped(rule.replace("_", " "))}, '
        f"<bdi>{escaped(f'{kind} {scope}'.strip())}</bdi></div>"
    )
    try:
        when = date.fromisoformat(view.extra.get("day", ""))
    except ValueError:
        when = view.snapshot.newest
    panel(
        view,
        f"What drove its cost on {words.day(when)}",
        "alert_drivers",
        view.query("alert_drivers", alert_rule=rule, scope_kind=kind, scope_id=scope, alert_date=when),
        lambda rows: _drivers(view, rows),
        means="By what the cost of the scope moved against its usual day, largest first, and the rest.",
        cost="effective",
        empty="The cost of this scope did not move then, or it is long past.",
    )
    panel(
        view,
        "What became of it",
        "incident_events",
        view.query("incident_events", alert_rule=rule, scope_kind=kind, scope_id=scope),
        lambda rows: table(_event_columns(view), rows),
        means="Each change of the incident and who said what to it.",
        cost="none",
        empty="Nobody was told: the breach was over before alerts were first evaluated here.",
    )
    if runbook := runbook_of(rule):
        with st.expander("Runbook: what to do", icon=":material/menu_book:", expanded=True):
            st.markdown(runbook)


def _event_columns(view: View) -> list[Column]:
    def meaning(column: str) -> str:
        return view.snapshot.meaning(_EVENTS, column)

    return [
        Column("noticed", lambda row: words.moment(row["recorded_at"], view.zone), "name", meaning("recorded_at")),
        Column("event", lambda row: row["event_kind"].replace("_", " "), "name", meaning("event_kind")),
        Column("then", lambda row: row["state"], "name", meaning("state")),
        Column("day", lambda row: words.day(row["event_date"]), "name", meaning("event_date")),
        Column("observed", _observed, "words", f"{meaning('observed')} {meaning('threshold')}"),
        Column("note", lambda row: words.visible(row["note"] or words.NO_RATIO), "words", meaning("note")),
    ]


def _drivers(view: View, rows: list[Row]) -> None:
    change = rows[0]["change_usd"]
    steps = [(row["driver_words"], row["effect_usd"]) for row in rows]
    if rest := change - sum((amount for _, amount in steps), Decimal(0)):
        steps.append(("smaller drivers", rest))
    st.html(f'<p class="tu-words"><bdi>{escaped(rows[0]["sentence"] or "")}</bdi></p>')
    chart(
        charts.waterfall(("usual day", Decimal(0)), steps, ("change", change), view.palette),
        f"Drivers of a change of {words.usd_change(change)}",
    )


def runbook_of(rule: str) -> str | None:
    """Return the runbook of a rule as Markdown; None when there is none."""
    file = RUNBOOKS / f"{rule}.md"
    if re.fullmatch(r"[a-z_]+", rule) is None or not file.is_file():
        note(f"No runbook is called {rule}.")
        return None
    return file.read_text()
