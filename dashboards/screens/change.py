"""A change of cost as a sentence and a waterfall; pages that show one share it."""

from __future__ import annotations

from decimal import Decimal

import streamlit as st

from dashboards import charts, words
from dashboards.filters import Days
from dashboards.panel import chart, note
from dashboards.tables import escaped
from dashboards.view import View
from orchestration.explain.change import MOST_TENANTS, Change, ExplainError, Period, explain_change

MOST_STEPS = 9


def ask_change(view: View, baseline: Days, current: Days) -> Change | str:
    """Return the change between two periods for the view's tenant and feature, or why there is none."""
    tenants, features = view.filters.chosen.get("tenant", ()), view.filters.chosen.get("feature", ())
    if len(tenants) > 1 or len(features) > 1:
        return "Choose one tenant and one feature at most: a change is explained for one part at a time."
    try:
        return explain_change(
            view.snapshot.connection,
            Period(baseline.first, baseline.last),
            Period(current.first, current.last),
            tenant_id=tenants[0] if tenants else None,
            feature=features[0] if features else None,
            version=view.snapshot.version,
        )
    except ExplainError as error:
        return str(error)


def steps_of(change: Change, most: int = MOST_STEPS) -> list[tuple[str, Decimal]]:
    """Return the largest drivers in the order of the change and the rest as one step; they sum to the change."""
    drivers = change.drivers
    largest = sorted(drivers, key=lambda driver: abs(driver.effect_usd), reverse=True)[:most]
    steps = [(driver.words, driver.effect_usd) for driver in drivers if driver in largest]
    if rest := [driver.effect_usd for driver in drivers if driver not in largest]:
        steps.append((f"{len(rest)} smaller drivers", sum(rest, Decimal(0))))
    return steps


def show_change(view: View, baseline: Days, current: Days, title: str, *, is_short: bool = False) -> None:
    """Show the change between two periods."""
    st.subheader(
        title,
        help=(
            "Effective cost. The drivers sum to the change, to the last digit (LMDI-I, as in "
            "`spend_change_drivers` and `make explain`). Plan, model, provider and environment do not narrow it."
        ),
        anchor=False,
    )
    change = ask_change(view, baseline, current)
    if isinstance(change, str):
        note(change)
        return
    st.html(f'<p class="tu-words"><bdi>{escaped(change.sentence)}</bdi></p>')
    a_day = " a day" if change.is_daily_mean else ""
    steps = steps_of(change, 6 if is_short else MOST_STEPS)
    chart(
        charts.waterfall(
            (words.days(baseline) + a_day, change.baseline_usd),
            steps,
            (words.days(current) + a_day, change.current_usd),
            view.palette,
        ),
        f"From {words.usd(change.baseline_usd)} to {words.usd(change.current_usd)}{a_day}, by driver",
    )
    if others := sorted(view.filters.chosen.keys() - {"tenant", "feature"}):
        note(f"Effective cost of all requests; not narrowed by {', '.join(others)}.")
    if change.is_by_plan:
        note(f"There are more than {MOST_TENANTS} tenants: here they are taken together by plan; By tenant says who.")
    before, after = change.unpriced_attempts
    if before or after:
        note(
            f"Attempts of unknown price, which no amount holds: {words.count(before)} before, "
            f"{words.count(after)} after."
        )
