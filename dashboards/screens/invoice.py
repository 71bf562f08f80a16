"""Invoice: does our number agree with the bill, where is the rest, and what is closed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from dashboards import charts, words
from dashboards.panel import chart, note, panel, table
from dashboards.publication import Row
from dashboards.tables import Column
from dashboards.view import View
from orchestration.closing.errors import ClosingError
from orchestration.closing.receipt import RECEIPT_FILE, ClosedMonth, closed_months

SHOWN_DAYS = 30

_MART = "recon_estimated_vs_billed_by_provider_day"


def show(view: View) -> None:
    """Show the page."""
    days = view.query("recon_by_day")
    rows = view.snapshot.rows(days)
    left, right = st.columns([3, 2], gap="large")
    with left:
        panel(
            view,
            "Estimated and billed",
            "recon_by_day",
            days,
            lambda rows: chart(
                charts.two_lines(rows, {"billed_cost_usd": "billed", "contracted_cost_usd": "estimated"}, view.palette),
                "Billed cost as bars and our estimate as a line, by day",
            ),
            means=view.meaning(_MART, "variance_usd"),
            cost="effective",
            rows=rows,
        )
    with right:
        panel(
            view,
            "Coverage of the providers' count",
            "coverage_by_day",
            days,
            lambda rows: chart(
                charts.day_lines(
                    [row | {"what": "coverage"} for row in rows],
                    "what",
                    "token_coverage",
                    view.palette,
                    words=words.rate,
                    axis=".0%",
                ),
                "Logged tokens as a share of the tokens that providers counted, by day",
            ),
            means=view.meaning(_MART, "token_coverage"),
            cost="effective",
            rows=rows,
        )
    panel(
        view,
        "By provider",
        "recon_by_provider",
        view.query("recon_by_provider"),
        lambda rows: table(_providers(view), rows, _total(rows)),
        means=view.meaning(_MART, "reconciliation_status"),
        cost="effective",
    )
    panel(
        view,
        "Billed, and taken by no request",
        "unattributed_by_reason",
        view.query("unattributed_by_reason"),
        lambda rows: table(_unattributed(view), rows),
        means=view.meaning("unattributed_cost_by_provider_day", "amount_usd"),
        cost="effective",
        empty="Nothing: every bill that has arrived is taken by requests.",
    )
    panel(
        view,
        "How near our prices are",
        "estimate_accuracy",
        view.query("estimate_accuracy"),
        lambda rows: table(_accuracy(view), rows),
        means=view.meaning("estimate_accuracy_by_sku", "estimate_error") + " All billed days, widest gap first.",
        cost="effective",
        empty="Nothing is billed yet.",
    )
    panel(
        view,
        "Days and providers",
        "recon_by_provider_day",
        view.query("recon_by_provider_day"),
        lambda rows: table(_days(view), rows[:SHOWN_DAYS]),
        means=view.meaning(_MART, "reconciliation_status") + f" The newest {SHOWN_DAYS}; a download has all.",
        cost="effective",
    )
    panel(
        view,
        "Restated bills",
        "restatements",
        view.query("restatements"),
        lambda rows: table(_restated(view), rows),
        means=view.meaning("restatements", "change_usd"),
        cost="effective",
        empty="No bill of these days was restated.",
    )
    _closed(view)


def _providers(view: View) -> list[Column]:
    def meaning(column: str) -> str:
        return view.meaning(_MART, column)

    return [
        Column("provider", lambda row: words.name(row["provider"]), "name", meaning("provider")),
        Column("estimated", lambda row: words.usd(row["contracted_cost_usd"]), meaning=meaning("contracted_cost_usd")),
        Column("billed", lambda row: words.usd(row["billed_cost_usd"]), meaning=meaning("billed_cost_usd")),
        Column("variance", lambda row: words.usd_change(row["variance_usd"]), meaning=meaning("variance_usd")),
        Column("of usage", lambda row: words.usd_change(row["usage_gap_usd"]), meaning=meaning("usage_gap_usd")),
        Column("of price", lambda row: words.usd_change(row["price_gap_usd"]), meaning=meaning("price_gap_usd")),
        Column(
            "unattributed",
            lambda row: words.usd(row["unattributed_cost_usd"]),
            meaning=meaning("unattributed_cost_usd"),
        ),
        Column(
            "coverage",
            lambda row: words.rate(words.ratio(row["logged_tokens"], row["provider_tokens"])),
            meaning=meaning("token_coverage"),
        ),
        Column(
            "days settled",
            lambda row: (
                f"{row['reconciled_days_count']} of {row['days_count']}"
                + (f", {row['disputed_days_count']} disputed" if row["disputed_days_count"] else "")
            ),
            meaning=meaning("reconciliation_status"),
        ),
    ]


def _total(rows: list[Row]) -> Row:
    def summed(column: str) -> Any:
        known = [row[column] for row in rows if row[column] is not None]
        return sum(known[1:], known[0]) if known else None

    return {"provider": "all"} | {column: summed(column) for column in rows[0] if column != "provider"}


def _unattributed(view: View) -> list[Column]:
    def meaning(column: str) -> str:
        return view.meaning("unattributed_cost_by_provider_day", column)

    return [
        Column("provider", lambda row: words.name(row["provider"]), "name"),
        Column("reason", lambda row: row["reason"].replace("_", " "), "name", meaning("reason")),
        Column("amount", lambda row: words.usd(row["amount_usd"]), meaning=meaning("amount_usd")),
        Column("days", lambda row: words.count(row["days_count"])),
        Column("likely cause", lambda row: row["likely_cause"] or words.NO_RATIO, "words", meaning("likely_cause")),
        Column("what to do", lambda row: row["what_to_do"] or words.NO_RATIO, "words", meaning("what_to_do")),
    ]


def _accuracy(view: View) -> list[Column]:
    def meaning(column: str) -> str:
        return view.meaning("estimate_accuracy_by_sku", column)

    return [
        Column("model", lambda row: words.name(row["model"]), "name", meaning("model")),
        Column("provider", lambda row: words.name(row["provider"]), "name", meaning("provider")),
        Column("tier", lambda row: words.name(row["service_tier"]), "name", meaning("service_tier")),
        Column("class", lambda row: words.name(row["usage_class"]), "name", meaning("usage_class")),
        Column("our price", lambda row: words.usd(row["expected_cost_usd"]), meaning=meaning("expected_cost_usd")),
        Column("gap", lambda row: words.usd_change(row["price_gap_usd"]), meaning=meaning("price_gap_usd")),
        Column("error", lambda row: words.rate(row["estimate_error"], 2), meaning=meaning("estimate_error")),
        Column(
            "error, newest week",
            lambda row: words.rate(row["recent_estimate_error"], 2),
            meaning=meaning("recent_estimate_error"),
        ),
    ]


def _days(view: View) -> list[Column]:
    def meaning(column: str) -> str:
        return view.meaning(_MART, column)

    return [
        Column("day", lambda row: words.day(row["usage_date"]), "name", meaning("usage_date")),
        Column("provider", lambda row: words.name(row["provider"]), "name", meaning("provider")),
        Column("estimated", lambda row: words.usd(row["contracted_cost_usd"]), meaning=meaning("contracted_cost_usd")),
        Column("billed", lambda row: words.usd(row["billed_cost_usd"]), meaning=meaning("billed_cost_usd")),
        Column("variance", lambda row: words.usd_change(row["variance_usd"]), meaning=meaning("variance_usd")),
        Column(
            "unattributed",
            lambda row: words.usd(row["unattributed_cost_usd"]),
            meaning=meaning("unattributed_cost_usd"),
        ),
        Column("coverage", lambda row: words.rate(row["token_coverage"]), meaning=meaning("token_coverage")),
        Column("status", lambda row: row["reconciliation_status"], "name", meaning("reconciliation_status")),
    ]


def _restated(view: View) -> list[Column]:
    def meaning(column: str) -> str:
        return view.meaning("restatements", column)

    return [
        Column("known from", lambda row: words.moment(row["known_from"], view.zone), "name", meaning("known_from")),
        Column("day", lambda row: words.day(row["usage_date"]), "name", meaning("usage_date")),
        Column("provider", lambda row: words.name(row["provider"]), "name"),
        Column("before", lambda row: words.usd(row["previous_billed_cost_usd"])),
        Column("after", lambda row: words.usd(row["billed_cost_usd"])),
        Column("change", lambda row: words.usd_change(row["change_usd"]), meaning=meaning("change_usd")),
    ]


def _closed(view: View) -> None:
    st.subheader(
        "Closed months",
        help="Months that finance books on, with the receipt that reproduces them (`make close`, `make replay`).",
        anchor=False,
    )
    months = _closed_months(view.home) if view.home else []
    if not months:
        note("No month is closed yet: make close MONTH=…")
        return
    table(
        [
            Column("month", lambda row: row["month"], "name"),
            Column("closed", lambda row: row["closed_at"], "name"),
            Column("as known at", lambda row: row["as_known_at"], "name"),
            Column("days not reconciled", lambda row: words.count(row["unreconciled"])),
            Column("reason", lambda row: row["reason"] or words.NO_RATIO, "words"),
            Column("receipt", lambda row: row["receipt"], "name"),
        ],
        [
            {
                "month": month.receipt.month,
                "closed_at": month.receipt.closed_at,
                "as_known_at": month.receipt.as_known_at,
                "unreconciled": len(month.receipt.unreconciled_days),
                "reason": month.receipt.reason,
                "receipt": f"{month.folder.parent.name}/{month.folder.name}/{RECEIPT_FILE}",
            }
            for month in reversed(months)
        ],
    )


def _closed_months(home: Path) -> list[ClosedMonth]:
    try:
        return closed_months(home / "closed")
    except ClosingError as error:
        note(str(error))
        return []
