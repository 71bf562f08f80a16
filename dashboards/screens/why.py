"""Why it moved: any two periods, any tenant and feature, by driver, and by the next level down."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import streamlit as st

from dashboards import chrome, words
from dashboards.filters import Days, Filters
from dashboards.panel import note, panel, table
from dashboards.publication import Row
from dashboards.screens.change import show_change
from dashboards.tables import Column
from dashboards.view import View
from orchestration.explain.change import ExplainError, Period

USUAL_DAYS = 7


def show(view: View) -> None:
    """Show the page."""
    current = view.days
    baseline = _baseline(view, current)
    _ask_baseline(view, current, baseline)
    if baseline.first <= current.last and current.first <= baseline.last:
        note(f"{baseline} and {current} share a day; choose a baseline beside the period.")
        return
    show_change(view, baseline, current, f"{words.days(current)} against {words.days(baseline)}")
    parts = [name for name in ("feature", "tenant") if not view.filters.chosen.get(name)] + ["model"]
    for place, part in zip(st.columns(len(parts), gap="large"), parts, strict=True):
        with place:
            _parts(view, part, baseline, current)


def _baseline(view: View, current: Days) -> Days:
    """Return the period of the link, else a week before a single day, else as many days before."""
    asked = view.extra.get("baseline", "")
    try:
        period = Period.parse(asked)
    except ExplainError:
        if current.count == 1:
            return Days(current.first - timedelta(days=USUAL_DAYS), current.first - timedelta(days=1))
        return current.before()
    return Days(period.first, period.last)


def _ask_baseline(view: View, current: Days, baseline: Days) -> None:
    st.session_state["w.baseline"] = (baseline.first, baseline.last)

    def changed() -> None:
        chosen = st.session_state["w.baseline"]
        if len(chosen) == 2:
            chrome.set_extra("baseline", str(Days(*chosen)))

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.date_input(
            "Compared with",
            max_value=max(view.snapshot.newest, baseline.last),
            key="w.baseline",
            on_change=changed,
            width=230,
            help="First and last UTC day. Periods that differ in length are compared by their mean day.",
        )
        st.button("The days before", on_click=lambda: chrome.set_extra("baseline", str(current.before())))
        if current.count <= USUAL_DAYS:
            week = timedelta(days=USUAL_DAYS)
            before = Days(current.first - week, current.last - week)
            st.button("A week earlier", on_click=lambda: chrome.set_extra("baseline", str(before)))


def _parts(view: View, part: str, baseline: Days, current: Days) -> None:
    is_daily_mean = baseline.count != current.count
    divisors = (baseline.count, current.count) if is_daily_mean else (1, 1)
    days = Days(min(baseline.first, current.first), max(baseline.last, current.last))
    scope = {name: view.filters.chosen[name] for name in ("tenant", "feature") if name in view.filters.chosen}
    query = view.query(
        "change_by_part",
        filters=Filters(chosen=scope),
        days=days,
        by=part,
        baseline_first=baseline.first,
        baseline_last=baseline.last,
        current_first=current.first,
        current_last=current.last,
    )

    def show_parts(rows: list[Row]) -> None:
        changed = [row | {"change_usd": _change(row, divisors)} for row in rows]
        changed.sort(key=lambda row: abs(row["change_usd"]), reverse=True)
        shown, rest = changed[:12], changed[12:]
        if rest:
            shown.append({"part": f"{len(rest)} others", "change_usd": _sum(rest), "is_rest": True})
        table(_columns(view, part), shown, {"part": "change", "change_usd": _sum(changed), "is_rest": True})

    panel(
        view,
        f"By {part}",
        f"change_by_{part}",
        query,
        show_parts,
        means="By how much each part moved; they sum to the change." + (" Of a mean day." if is_daily_mean else ""),
        cost="effective",
    )


def _change(row: Row, divisors: tuple[int, int]) -> Decimal:
    before, after = row["baseline_cost_usd"] or Decimal(0), row["current_cost_usd"] or Decimal(0)
    return after / divisors[1] - before / divisors[0]


def _sum(rows: list[Row]) -> Decimal:
    return sum((row["change_usd"] for row in rows), Decimal(0))


def _columns(view: View, part: str) -> list[Column]:
    def deeper(row: Row) -> str | None:
        if part == "model" or row.get("is_rest"):
            return None
        return view.link(
            "why", filters=view.filters.choosing(part, row["part"]), baseline=view.extra.get("baseline", "")
        )

    return [
        Column(part, lambda row: words.name(row["part"]), "name", link=deeper),
        Column("change", lambda row: words.usd_change(row["change_usd"])),
    ]
