"""Alerts: which rules fire, since when, what is to be done, and what drove the cost of their scope."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import streamlit as st

from dashboards import charts, words
from dashboards.panel import chart, note, panel, table
from dashboards.publication import Row
from dashboards.tables import Column, escaped
from dashboards.view import View
from orchestration.warehouse.project import DBT_PROJECT

RUNBOOKS = DBT_PROJECT / "docs" / "alerts"

_MART = "alerts"


def show(view: View) -> None:
    """Show the page: one breach when the link names it, all of them below."""
    if view.extra.get("rule"):
        _one(view)
    newest = view.snapshot.newest
    panel(
        view,
        f"In breach on {words.day(newest)}",
        "alerts_on_day",
        view.query("alerts_on_day"),
        lambda rows: table(breach_columns(view), rows),
        means="One row per rule and scope in breach on the newest published day.",
        cost="none",
        empty="No rule fires.",
    )
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
        "History",
        "alerts",
        view.query("alerts", rule=None, scope_kind=None, scope_id=None),
        lambda rows: table(incident_columns(view), rows),
        means="Days in breach on end are one line, newest first; figures are of its last day.",
        cost="none",
        empty="No rule fired in these days.",
    )


def breach_columns(view: View) -> list[Column]:
    """Return the columns of breaches of the newest day."""
    return _columns(view, lambda _: view.snapshot.newest)


def incident_columns(view: View) -> list[Column]:
    """Return the columns of breaches on end."""
    since = Column("days", _span, "name", "First and last day in breach.")
    return [since, *_columns(view, lambda row: row["last_date"])]


def _columns(view: View, last: Callable[[Row], date]) -> list[Column]:
    def meaning(column: str) -> str:
        return view.snapshot.meaning(_MART, column)

    def detail(row: Row) -> str:
        return view.link(
            "alerts",
            rule=row["alert_rule"],
            scope_kind=row["scope_kind"],
            scope_id=row["scope_id"] or "",
            day=str(last(row)),
        )

    return [
        Column("rule", lambda row: row["alert_rule"].replace("_", " "), "name", meaning("alert_rule"), link=detail),
        Column("severity", lambda row: row["severity"], "name", meaning("severity")),
        Column("scope", lambda row: words.visible(f"{row['scope_kind']} {row['scope_id']}".strip()), "name"),
        Column("observed", _observed, "words", f"{meaning('observed')} {meaning('threshold')}"),
        Column("why", lambda row: words.visible(row["top_drivers"] or words.NO_RATIO), "words", meaning("top_drivers")),
    ]


def _observed(row: Row) -> str:
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
    if runbook := runbook_of(rule):
        with st.expander("Runbook: what to do", icon=":material/menu_book:", expanded=True):
            st.markdown(runbook)


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
