"""Tenants: who is dear, on which plan, at what margin; and one tenant's page."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import streamlit as st

from dashboards import charts, chrome, words
from dashboards.panel import chart, note, panel, table
from dashboards.publication import Row
from dashboards.screens.alerts import breach_columns, show_open
from dashboards.screens.features import economics_columns
from dashboards.tables import Column, escaped
from dashboards.view import View

_MART = "unit_economics_by_tenant_day"
_MARGINS = "gross_margin_by_tenant_month"

SHOWN = 50


def show(view: View) -> None:
    """Show the page: of one tenant when one is chosen, of all otherwise."""
    chosen = view.filters.chosen.get("tenant", ())
    if len(chosen) == 1:
        _one(view, chosen[0])
    else:
        _all(view)


def _all(view: View) -> None:
    search = view.extra.get("search", "")
    st.session_state["w.search"] = search
    st.text_input(
        "Search",
        key="w.search",
        on_change=lambda: chrome.set_extra("search", st.session_state["w.search"]),
        placeholder="tenant or customer",
        max_chars=200,
        width=320,
    )
    panel(
        view,
        f"The dearest tenants, {_period_words(view)}",
        "tenants",
        view.query("tenants", search=search, tenants_shown=SHOWN),
        lambda rows: _tenants(view, rows),
        means=f"At most {SHOWN}. Choose the period above: newest day, 7, 30 or 90 days.",
        empty="No tenant is called that." if search else "No tenant for these filters.",
    )


def _period_words(view: View) -> str:
    return "newest day" if view.days.count == 1 else f"{view.days.count} days"


def _tenants(view: View, rows: list[Row]) -> None:
    total = rows[0]["total_cost_usd"]

    def margin(column: str) -> str:
        return view.meaning(_MARGINS, column)

    columns = [
        Column(
            "tenant",
            lambda row: words.name(row["tenant_id"]),
            "name",
            view.meaning(_MART, "tenant_id"),
            link=lambda row: view.link("tenants", filters=view.filters.choosing("tenant", row["tenant_id"])),
        ),
        Column("customer", lambda row: words.visible(row["customer_name"] or words.NO_RATIO), "name"),
        Column("plan", lambda row: words.visible(row["plan_name"] or words.NO_RATIO), "name"),
        Column(
            "spend",
            lambda row: words.usd(row["cost_usd"], row["unpriced_attempts_count"]),
            meaning=view.meaning(_MART, "effective_cost_usd", is_by_basis=True),
            share=lambda row: float(row["cost_usd"] / total) if row["cost_usd"] is not None and total else None,
        ),
        Column("share", lambda row: words.percent(row["cost_usd"], total), meaning="Of the spend of all tenants."),
        Column(
            "per accepted",
            lambda row: words.usd_each(row["cost_usd"], row["accepted_outcomes_count"], row["unpriced_attempts_count"]),
            meaning=view.meaning(_MART, "cost_per_accepted_outcome_usd"),
        ),
        Column("revenue, month", lambda row: words.usd(row["revenue_usd"]), meaning=margin("revenue_usd")),
        Column("margin, month", lambda row: words.rate(row["gross_margin_rate"]), meaning=margin("gross_margin_rate")),
        Column(
            "budget used",
            lambda row: words.rate(row["budget_used_share"], 0),
            meaning=view.meaning("spend_forecasts", "budget_used_share"),
        ),
    ]
    table(columns, rows)


def _one(view: View, tenant: str) -> None:
    st.button(
        "All tenants",
        type="tertiary",
        icon=":material/arrow_back:",
        on_click=lambda: chrome.write_filters(view.filters.choosing("tenant")),
    )
    profiles = view.rows("tenant_profile", tenant=tenant)
    profile: dict[str, Any] = profiles[0] if profiles else {}
    who = [profile.get("customer_name"), profile.get("plan_name"), profile.get("ai_tier")]
    known = " · ".join(word for word in who if word) or "no customer record"
    st.html(
        f'<div class="tu-title" role="heading" aria-level="2"><bdi>{escaped(words.name(tenant))}</bdi></div>'
        f'<p class="tu-facts"><bdi>{escaped(known)}</bdi></p>'
    )
    months = view.rows("tenant_months", tenant=tenant)
    _tiles(view, profile, months)
    panel(
        view,
        "Spend by feature and day",
        "spend_by_feature_day",
        view.query("spend_by_feature_day"),
        lambda rows: chart(
            charts.stacked_days(rows, "feature", "cost_usd", view.palette), "Cost of the tenant by feature and day"
        ),
        means=view.meaning(_MART, "effective_cost_usd", is_by_basis=True),
    )
    panel(
        view,
        "Unit costs by feature",
        "feature_economics",
        view.query("feature_economics"),
        lambda rows: table(
            economics_columns(view, sum((row["cost_usd"] or Decimal(0) for row in rows), Decimal(0))), rows
        ),
        means=view.meaning("unit_economics_by_tenant_feature_day", "cost_per_accepted_outcome_usd"),
    )
    panel(
        view,
        "Margin by month",
        "tenant_months",
        view.query("tenant_months", tenant=tenant),
        lambda rows: table(_months(view), rows),
        means=view.meaning(_MARGINS, "gross_margin_usd"),
        cost="effective",
        empty="No month has revenue or cost of this tenant.",
        rows=months,
    )
    show_open(view, "tenant", tenant)
    panel(
        view,
        "Days in breach",
        "alerts_of_tenant",
        view.query("alerts", rule=None, scope_kind="tenant", scope_id=tenant),
        lambda rows: table(breach_columns(view), rows),
        cost="none",
        empty="No rule fired for this tenant.",
    )


def _tiles(view: View, profile: Row, months: list[Row]) -> None:
    (spend,), (before,) = view.rows("spend_totals"), view.rows("spend_totals", days=view.days.before())
    change = words.rate_change(before["cost_usd"], spend["cost_usd"])
    tiles = st.columns(4)
    with tiles[0]:
        st.metric(
            "Spend",
            words.usd(spend["cost_usd"], spend["unpriced_attempts_count"]),
            f"{change} vs the days before" if change else None,
            delta_color="inverse",
            border=True,
            help=view.meaning(_MART, "effective_cost_usd", is_by_basis=True),
        )
    with tiles[1]:
        st.metric(
            "Cost per accepted outcome",
            words.usd_each(spend["cost_usd"], spend["accepted_outcomes_count"], spend["unpriced_attempts_count"]),
            f"{words.count(spend['accepted_outcomes_count'])} accepted",
            delta_color="off",
            delta_arrow="off",
            border=True,
            help=view.meaning(_MART, "cost_per_accepted_outcome_usd"),
        )
    with tiles[2]:
        newest = months[0] if months else None
        st.metric(
            f"Margin, {words.month(newest['usage_month'])}" if newest else "Margin",
            words.rate(newest["gross_margin_rate"]) if newest else words.NO_RATIO,
            f"{words.usd(newest['gross_margin_usd'])} of {words.usd(newest['revenue_usd'])}" if newest else None,
            delta_color="off",
            delta_arrow="off",
            border=True,
            help=view.meaning(_MARGINS, "gross_margin_usd"),
        )
    with tiles[3]:
        st.metric(
            "Budget used this month",
            words.rate(profile.get("budget_used_share"), 0),
            f"of {words.usd(profile['budget_usd'])}" if profile.get("budget_usd") is not None else "no budget",
            delta_color="off",
            delta_arrow="off",
            border=True,
            help=view.meaning("spend_forecasts", "budget_used_share"),
        )
    if not profile:
        note("Nobody has told us who this tenant is.")


def _months(view: View) -> list[Column]:
    def meaning(column: str) -> str:
        return view.meaning(_MARGINS, column)

    return [
        Column("month", lambda row: words.month(row["usage_month"]), "name"),
        Column("plan", lambda row: words.visible(row["plan_name"] or words.NO_RATIO), "name", meaning("plan_name")),
        Column("revenue", lambda row: words.usd(row["revenue_usd"]), meaning=meaning("revenue_usd")),
        Column(
            "cost",
            lambda row: words.usd(row["llm_cost_usd"], row["unpriced_attempts_count"]),
            meaning=meaning("llm_cost_usd"),
        ),
        Column("margin", lambda row: words.usd(row["gross_margin_usd"]), meaning=meaning("gross_margin_usd")),
        Column("rate", lambda row: words.rate(row["gross_margin_rate"]), meaning=meaning("gross_margin_rate")),
        Column("operations", lambda row: words.count(row["operations_count"]), meaning=meaning("operations_count")),
        Column(
            "of the allowance",
            lambda row: words.rate(row["allowance_used_share"], 0),
            meaning=meaning("allowance_used_share"),
        ),
    ]
