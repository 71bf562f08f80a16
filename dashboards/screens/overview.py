"""Overview: how much, against what, and why it moved since yesterday."""

from __future__ import annotations

from decimal import Decimal

import streamlit as st

from dashboards import charts, words
from dashboards.filters import Days
from dashboards.panel import chart, note, panel
from dashboards.publication import Row
from dashboards.screens.alerts import incidents, show_open
from dashboards.screens.change import show_change
from dashboards.view import View

_FEATURES = "unit_economics_by_feature_day"


def show(view: View) -> None:
    """Show the page."""
    _tiles(view)
    left, right = st.columns([1, 1], gap="large")
    with left:
        panel(
            view,
            "Spend by day",
            "spend_by_day",
            view.query("spend_by_day"),
            lambda rows: chart(
                charts.day_bars(
                    rows,
                    "cost_usd",
                    view.palette,
                    lambda row: words.usd(row["cost_usd"], row["unpriced_attempts_count"]),
                ),
                f"Cost by day, {view.days}",
            ),
            means=view.meaning(_FEATURES, "effective_cost_usd", is_by_basis=True),
        )
    with right:
        _budget(view)
    newest = view.snapshot.newest
    today = Days(newest, newest)
    show_change(view, today.before(), today, f"{words.day(newest)} against the day before", is_short=True)
    show_open(view)


def _tiles(view: View) -> None:
    (spend,), (before,) = view.rows("spend_totals"), view.rows("spend_totals", days=view.days.before())
    months = view.rows("margin_by_month")
    (coverage,) = view.rows("coverage")
    open_incidents = view.snapshot.rows(incidents(view, is_open=True))
    first, second = st.columns(3), st.columns(3)
    with first[0]:
        _tile_spend(view, spend, before)
    with first[1]:
        _tile_month(view)
    with first[2]:
        _tile_outcome(view, spend, before)
    with second[0]:
        _tile_margin(view, months)
    with second[1]:
        _tile_coverage(view, coverage)
    with second[2]:
        errors = sum(row["severity"] == "error" for row in open_incidents)
        st.metric(
            "Open incidents",
            words.count(len(open_incidents)),
            f"{errors} of severity error" if errors else "none of severity error",
            delta_color="inverse" if errors else "off",
            delta_arrow="off",
            border=True,
            help="Rules and scopes whose incident is not resolved. From `fct_alert_events`; not narrowed by filters.",
        )


def _tile_spend(view: View, spend: Row, before: Row) -> None:
    change = words.rate_change(before["cost_usd"], spend["cost_usd"])
    st.metric(
        "Spend",
        words.usd(spend["cost_usd"], spend["unpriced_attempts_count"]),
        f"{change} vs the {view.days.count} days before" if change else None,
        delta_color="inverse",
        border=True,
        help=view.meaning(_FEATURES, "effective_cost_usd", is_by_basis=True)
        + f" {words.AT_LEAST} stands where attempts of unknown price are missing.",
    )


def _tile_month(view: View) -> None:
    forecasts = view.rows("forecast")
    if not forecasts:
        st.metric("Month to date", words.UNKNOWN, border=True)
        return
    (forecast,) = forecasts
    used = forecast["budget_used_share"]
    st.metric(
        f"{words.month(forecast['usage_month'])} to date",
        words.usd(forecast["month_to_date_cost_usd"]),
        f"{words.rate(used, 0)} of {words.usd(forecast['budget_usd'])} budget" if used is not None else "no budget",
        delta_color="inverse" if forecast["is_over_budget"] else "off",
        delta_arrow="off",
        border=True,
        help=view.meaning("spend_forecasts", "month_to_date_cost_usd")
        + f" Forecast for the month: {words.usd(forecast['month_end_cost_usd'])}. Not narrowed by filters.",
    )


def _tile_outcome(view: View, spend: Row, before: Row) -> None:
    change = words.rate_change(
        *(words.ratio(row["cost_usd"], row["accepted_outcomes_count"]) for row in (before, spend))
    )
    accepted = spend["accepted_outcomes_count"]
    st.metric(
        "Cost per accepted outcome",
        words.usd_each(spend["cost_usd"], accepted, spend["unpriced_attempts_count"]),
        f"{change} vs before · {words.count(accepted)} accepted" if change else None,
        delta_color="inverse",
        border=True,
        help=view.meaning(_FEATURES, "cost_per_accepted_outcome_usd")
        + " Retries and failures are in the cost. Outcomes are known by tenant and feature, not by model.",
    )


def _tile_margin(view: View, months: list[Row]) -> None:
    if not months:
        st.metric("Gross margin", words.NO_RATIO, border=True)
        return
    newest = months[0]
    st.metric(
        f"Gross margin, {words.month(newest['usage_month'])}",
        words.percent(newest["gross_margin_usd"], newest["revenue_usd"]),
        f"{words.usd(newest['gross_margin_usd'])} of {words.usd(newest['revenue_usd'])} revenue",
        delta_color="off",
        delta_arrow="off",
        border=True,
        help=view.meaning("gross_margin_by_tenant_month", "gross_margin_usd"),
    )


def _tile_coverage(view: View, coverage: Row) -> None:
    reconciled = words.percent(coverage["reconciled_cost_usd"] or Decimal(0), coverage["billed_cost_usd"])
    st.metric(
        "Coverage of the providers' count",
        words.percent(_decimal(coverage["logged_tokens"]), _decimal(coverage["provider_tokens"])),
        f"{reconciled} of {words.usd(coverage['billed_cost_usd'])} billed is reconciled",
        delta_color="off",
        delta_arrow="off",
        border=True,
        help=view.meaning("recon_estimated_vs_billed_by_provider_day", "token_coverage")
        + " Reconciled: billed cost of days whose status is `reconciled`.",
    )


def _budget(view: View) -> None:
    def draw(rows: list[Row]) -> None:
        forecasts = view.rows("forecast")
        if not forecasts:
            note("No forecast is published.")
            return
        (forecast,) = forecasts
        chart(charts.burn_down(rows, forecast, view.palette), "Cost of the month to date, its forecast and its budget")

    panel(
        view,
        "The month against its budget",
        "month_to_date",
        view.query("month_to_date"),
        draw,
        means=view.meaning("spend_forecasts", "month_end_cost_usd") + " The band holds 90 %.",
        cost="effective",
    )


def _decimal(value: Decimal | int | None) -> Decimal | None:
    return None if value is None else Decimal(value)
