"""Requests: the dearest of a day, and the way to their traces."""

from __future__ import annotations

from datetime import date, timedelta
from urllib.parse import quote

import streamlit as st

from dashboards import chrome, words
from dashboards.filters import Days
from dashboards.panel import panel, table
from dashboards.publication import Row
from dashboards.tables import Column
from dashboards.view import View

_MART = "fct_llm_requests"


def show(view: View) -> None:
    """Show the page."""
    when = _day(view)
    st.session_state["w.day"] = when

    def changed() -> None:
        if st.session_state["w.day"]:
            chrome.set_extra("day", str(st.session_state["w.day"]))

    st.date_input(
        "Day",
        max_value=max(when, view.snapshot.newest),
        key="w.day",
        on_change=changed,
        width=160,
        help="One UTC day: requests are published day by day, so a day is read and no more",
    )
    panel(
        view,
        f"The dearest requests of {words.day(when)}",
        f"dearest_requests_{when}",
        view.query("dearest_requests", days=Days(when, when), day=when),
        lambda rows: table(_columns(view), rows),
        means=view.meaning(_MART, "effective_cost_usd", is_by_basis=True) + " At most fifty.",
        empty="No request of that day for these filters.",
    )


def _day(view: View) -> date:
    try:
        return date.fromisoformat(view.extra.get("day", ""))
    except ValueError:
        # The newest day of the period that can have requests.
        return max(view.days.first, min(view.days.last, view.snapshot.newest))


def _columns(view: View) -> list[Column]:
    def meaning(column: str) -> str:
        return view.snapshot.meaning(_MART, column)

    return [
        Column("started", lambda row: _moment(view, row), "name", meaning("started_at")),
        Column(
            "cost",
            lambda row: words.usd(row["cost_usd"]),
            meaning=view.meaning(_MART, "effective_cost_usd", is_by_basis=True),
        ),
        Column("basis", lambda row: row["cost_basis"], "name", meaning("cost_basis")),
        Column(
            "tenant",
            lambda row: words.name(row["tenant_id"]),
            "name",
            link=lambda row: view.link("tenants", filters=view.filters.choosing("tenant", row["tenant_id"])),
        ),
        Column("feature", lambda row: words.name(row["feature"]), "name"),
        Column("model", lambda row: words.name(row["model"]), "name"),
        Column("outcome", lambda row: row["outcome"] + (", retry" if row["is_retry"] else ""), "name"),
        Column("input", lambda row: words.tokens(row["input_tokens"]), meaning=meaning("input_tokens")),
        Column("cached", lambda row: words.tokens(row["cache_read_tokens"])),
        Column("output", lambda row: words.tokens(row["output_tokens"]), meaning=meaning("output_tokens")),
        Column("took", lambda row: _seconds(row["latency_ms"]), meaning=meaning("latency_ms")),
        Column(
            "trace",
            lambda row: words.visible(row["trace_id"] or words.NO_RATIO)[:12],
            "name",
            "Its trace; TRUEUP_TRACE_URL says where traces are looked at.",
            link=lambda row: trace_link(view.trace_url, row),
        ),
    ]


def trace_link(template: str | None, row: Row) -> str | None:
    """Return the link to a request's trace; None without a template or a trace."""
    if template is None or not row["trace_id"]:
        return None
    return template.replace("{trace_id}", quote(row["trace_id"], safe=""))


def _moment(view: View, row: Row) -> str:
    return words.moment(row["started_at"], view.zone)


def _seconds(latency_ms: float | None) -> str:
    return words.UNKNOWN if latency_ms is None else f"{timedelta(milliseconds=latency_ms).total_seconds():,.1f} s"
