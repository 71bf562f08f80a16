"""Models: the mix over time, what its tokens do, and what its prices did."""

from __future__ import annotations

from datetime import date

import streamlit as st

from dashboards import charts, words
from dashboards.panel import chart, panel, table
from dashboards.publication import Row
from dashboards.tables import Column
from dashboards.view import View

_MART = "unit_economics_by_model_day"

TRENDS = (
    ("Input tokens per attempt", "input_tokens", "attempts_count", "input_tokens_per_attempt", "~s"),
    ("Output tokens per attempt", "output_tokens", "attempts_count", "output_tokens_per_attempt", "~s"),
    ("Cache-hit rate", "cache_read_tokens", "input_tokens", "cache_hit_rate", ".0%"),
    ("Retry rate", "retries_count", "attempts_count", "retry_rate", ".0%"),
)
"""Title, numerator, denominator, the mart's column of the quotient, format of the axis."""


def show(view: View) -> None:
    """Show the page."""
    days = view.query("spend_by_model_day")
    rows = view.snapshot.rows(days)
    changes = view.rows("price_changes")
    panel(
        view,
        "Spend by model and day",
        "spend_by_model_day",
        days,
        lambda rows: chart(
            charts.stacked_days(rows, "model", "cost_usd", view.palette), f"Cost by model and day, {view.days}"
        ),
        means=view.meaning(_MART, "effective_cost_usd", is_by_basis=True),
        rows=rows,
    )
    panel(
        view,
        "What each model costs",
        "model_economics",
        view.query("model_economics"),
        lambda rows: table(_economics(view), rows),
        means=view.meaning(_MART, "effective_cost_usd", is_by_basis=True),
    )
    marks = [(row["usage_date"], _price_change(row)) for row in changes]
    for left, right in (TRENDS[:2], TRENDS[2:]):
        for place, trend in zip(st.columns(2, gap="large"), (left, right), strict=True):
            with place:
                _trend(view, rows, trend, marks)
    panel(
        view,
        "Price changes",
        "price_changes",
        view.query("price_changes"),
        lambda rows: table(_prices(), rows),
        means="Days on which what a million output tokens cost at list price moved by over 1 %; dashed rules above.",
        cost="effective",
        empty="No list price changed in these days.",
    )


def _trend(view: View, rows: list[Row], trend: tuple[str, str, str, str, str], marks: list[tuple[date, str]]) -> None:
    title, part, whole, column, axis = trend
    st.subheader(title, help=view.meaning(_MART, column) + " Dashed rules are price changes.", anchor=False)
    quotients = [
        {"usage_date": row["usage_date"], "model": row["model"], column: words.ratio(row[part], row[whole])}
        for row in rows
    ]
    written = words.rate if axis.endswith("%") else words.number
    drawn = charts.day_lines(
        quotients, "model", column, view.palette, words=written, axis=axis, marks=marks, height=200
    )
    chart(drawn, f"{title} by model and day")


def _economics(view: View) -> list[Column]:
    def meaning(column: str) -> str:
        return view.meaning(_MART, column)

    return [
        Column(
            "model",
            lambda row: words.name(row["model"]),
            "name",
            meaning("model"),
            link=lambda row: view.link("models", filters=view.filters.choosing("model", row["model"])),
        ),
        Column("provider", lambda row: words.name(row["provider"]), "name", meaning("provider")),
        Column(
            "spend",
            lambda row: words.usd(row["cost_usd"], row["unpriced_attempts_count"]),
            meaning=view.meaning(_MART, "effective_cost_usd", is_by_basis=True),
        ),
        Column("attempts", lambda row: words.count(row["attempts_count"]), meaning=meaning("attempts_count")),
        Column(
            "per attempt",
            lambda row: words.usd_each(row["cost_usd"], row["attempts_count"], row["unpriced_attempts_count"]),
            meaning="Spend / attempts.",
        ),
        Column("input", lambda row: words.tokens(row["input_tokens"]), meaning=meaning("input_tokens")),
        Column("output", lambda row: words.tokens(row["output_tokens"]), meaning=meaning("output_tokens")),
        Column(
            "cache hits",
            lambda row: words.rate(words.ratio(row["cache_read_tokens"], row["input_tokens"])),
            meaning=meaning("cache_hit_rate"),
        ),
        Column(
            "retries",
            lambda row: words.rate(words.ratio(row["retries_count"], row["attempts_count"])),
            meaning=meaning("retry_rate"),
        ),
        Column(
            "errors",
            lambda row: words.rate(words.ratio(row["failed_attempts_count"], row["attempts_count"])),
            meaning=meaning("error_rate"),
        ),
        Column("unpriced", lambda row: words.count(row["unpriced_attempts_count"])),
    ]


def _prices() -> list[Column]:
    return [
        Column("day", lambda row: words.day(row["usage_date"]), "name"),
        Column("model", lambda row: words.name(row["model"]), "name"),
        Column("tier", lambda row: words.name(row["service_tier"]), "name"),
        Column("before, per M output", lambda row: f"${row['previous_usd_per_mtok']:,.2f}"),
        Column("after, per M output", lambda row: f"${row['usd_per_mtok']:,.2f}"),
        Column("change", lambda row: f"{row['usd_per_mtok'] / row['previous_usd_per_mtok'] - 1:+.1%}"),
    ]


def _price_change(row: Row) -> str:
    return (
        f"{words.name(row['model'])}: ${row['previous_usd_per_mtok']:,.2f} to ${row['usd_per_mtok']:,.2f} "
        "a million output tokens"
    )
