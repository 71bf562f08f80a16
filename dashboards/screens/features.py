"""Features: what each costs, what it brings, what it wastes, and what releases changed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import streamlit as st

from dashboards import charts, words
from dashboards.panel import chart, panel, table
from dashboards.publication import Row
from dashboards.tables import Column
from dashboards.view import View

_MART = "unit_economics_by_feature_day"

WASTE = {
    "failed_cost_usd": "failed attempts",
    "abandoned_cost_usd": "abandoned streams",
    "rejected_cost_usd": "rejected answers",
    "missed_cache_cost_usd": "missed cache",
    "excess_context_cost_usd": "excess context",
}

_MEASURES = {
    "cost_per_operation_usd": "cost per operation",
    "tokens_per_operation": "tokens per operation",
    "attempts_per_operation": "attempts per operation",
    "error_rate": "error rate",
    "acceptance_rate": "acceptance rate",
}


def show(view: View) -> None:
    """Show the page."""
    panel(
        view,
        "Spend by feature and day",
        "spend_by_feature_day",
        view.query("spend_by_feature_day"),
        lambda rows: chart(
            charts.stacked_days(rows, "feature", "cost_usd", view.palette), f"Cost by feature and day, {view.days}"
        ),
        means=view.meaning(_MART, "effective_cost_usd", is_by_basis=True),
    )
    panel(
        view,
        "Unit costs",
        "feature_economics",
        view.query("feature_economics"),
        lambda rows: table(
            economics_columns(view, sum((row["cost_usd"] or Decimal(0) for row in rows), Decimal(0))), rows
        ),
        means=view.meaning(_MART, "cost_per_accepted_outcome_usd"),
    )
    releases = view.rows("releases")
    panel(
        view,
        "Tokens per accepted outcome",
        "tokens_per_outcome_by_feature_day",
        view.query("tokens_per_outcome_by_feature_day"),
        lambda rows: chart(
            charts.day_lines(
                rows,
                "feature",
                "tokens_per_accepted_outcome",
                view.palette,
                words=words.number,
                marks=[(row["deployed_date"], f"release {row['release_id']}: {row['note'] or ''}") for row in releases],
            ),
            "Tokens for each accepted outcome by feature and day; dashed rules are releases",
        ),
        means=view.meaning(_MART, "tokens_per_accepted_outcome") + " Dashed rules are releases.",
    )
    left, right = st.columns(2, gap="large")
    with left:
        panel(
            view,
            "Waste",
            "waste_by_feature",
            view.query("waste_by_feature"),
            lambda rows: chart(charts.stacked_bars(rows, "feature", WASTE, view.palette), "Waste by feature and kind"),
            means=view.meaning("waste_by_feature_day", "waste_cost_usd") + " Each dollar is in one kind.",
            cost="effective",
        )
    with right:
        panel(
            view,
            "What of it is wasted",
            "waste_shares",
            view.query("waste_by_feature"),
            lambda rows: table(_waste(view), rows),
            means=view.meaning("waste_by_feature_day", "waste_share"),
            cost="effective",
        )
    panel(
        view,
        "What releases changed",
        "release_impacts",
        view.query("release_impacts"),
        lambda rows: table(_impacts(view), rows),
        means=view.meaning("release_impacts", "adjusted_change") + " Only what moved beyond chance (95 %).",
        cost="effective",
        empty="No release of these days moved anything beyond chance.",
    )


def economics_columns(view: View, total: Decimal) -> list[Column]:
    """Return the columns of unit costs by feature; `total` is the spend of all of them."""

    def share(row: Row) -> float | None:
        return float(row["cost_usd"] / total) if row["cost_usd"] is not None and total > 0 else None

    def meaning(column: str) -> str:
        return view.meaning(_MART, column)

    return [
        Column(
            "feature",
            lambda row: words.name(row["feature"]),
            "name",
            meaning("feature"),
            link=lambda row: view.link("features", filters=view.filters.choosing("feature", row["feature"])),
        ),
        Column(
            "spend",
            lambda row: words.usd(row["cost_usd"], row["unpriced_attempts_count"]),
            meaning=view.meaning(_MART, "effective_cost_usd", is_by_basis=True),
            share=share,
        ),
        Column(
            "per accepted",
            lambda row: words.usd_each(row["cost_usd"], row["accepted_outcomes_count"], row["unpriced_attempts_count"]),
            meaning=meaning("cost_per_accepted_outcome_usd"),
        ),
        Column(
            "per operation",
            lambda row: words.usd_each(row["cost_usd"], row["operations_count"], row["unpriced_attempts_count"]),
            meaning=meaning("cost_per_operation_usd"),
        ),
        Column("accepted", _count("accepted_outcomes_count"), meaning=meaning("accepted_outcomes_count")),
        Column("operations", _count("operations_count"), meaning=meaning("operations_count")),
        Column(
            "tokens per accepted",
            lambda row: words.number(words.ratio(row["tokens"], row["accepted_outcomes_count"])),
            meaning=meaning("tokens_per_accepted_outcome"),
        ),
        Column(
            "retry rate",
            lambda row: words.rate(words.ratio(row["retries_count"], row["attempts_count"])),
            meaning=meaning("retry_rate"),
        ),
    ]


def _waste(view: View) -> list[Column]:
    return [
        Column("feature", lambda row: words.name(row["feature"]), "name"),
        Column(
            "wasted",
            lambda row: words.usd(row["waste_cost_usd"]),
            meaning=view.meaning("waste_by_feature_day", "waste_cost_usd"),
        ),
        Column(
            "of its spend",
            lambda row: words.percent(row["waste_cost_usd"], row["effective_cost_usd"]),
            meaning=view.meaning("waste_by_feature_day", "waste_share"),
        ),
        Column("mostly", _largest_kind, "name"),
    ]


def _largest_kind(row: Row) -> str:
    column = max(WASTE, key=lambda name: row[name] or Decimal(0))
    return f"{WASTE[column]}, {words.usd(row[column])}" if row[column] else words.NO_RATIO


def _impacts(view: View) -> list[Column]:
    def meaning(column: str) -> str:
        return view.meaning("release_impacts", column)

    return [
        Column("deployed", lambda row: words.day(row["deployed_date"]), "name", meaning("deployed_date")),
        Column("release", lambda row: words.name(row["release_id"]), "name", meaning("release_id")),
        Column(
            "measure",
            lambda row: _MEASURES.get(row["measure"]) or words.name(row["measure"]),
            "name",
            meaning("measure"),
        ),
        Column("before", lambda row: _measured(row["measure"], row["value_before"]), meaning=meaning("value_before")),
        Column("after", lambda row: _measured(row["measure"], row["value_after"]), meaning=meaning("value_after")),
        Column(
            "at an equal mix",
            lambda row: (
                f"{row['adjusted_change_rate']:+.1%}" if row["adjusted_change_rate"] is not None else words.NO_RATIO
            ),
            meaning=meaning("adjusted_change_rate"),
        ),
        Column("tenants", _count("tenants_count"), meaning=meaning("tenants_count")),
    ]


def _measured(measure: str, value: float | None) -> str:
    if measure.endswith("_rate"):
        return words.rate(value)
    if measure.endswith("_usd"):
        return words.UNKNOWN if value is None else f"${value:,.4f}"
    return words.number(value)


def _count(column: str) -> Callable[[Row], str]:
    def text(row: Row) -> str:
        return words.count(row[column])

    return text
