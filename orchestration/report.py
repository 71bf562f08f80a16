"""What a run found, as tables in the terminal.

Belongs here: a first look at the published marts for a person who has just run the job. Does not belong here:
figures that no mart holds, and anything that another program reads.

Names of tenants and features come from logs: they are shown as text, never as markup, with control characters
spelled out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from orchestration.publishing.reader import current_version, open_marts

UNKNOWN = "unknown"
"""Shown for an amount that nobody knows; it is not free."""

AT_LEAST = "≥"
"""Shown before an amount from which attempts without a known price are missing."""

NO_RATIO = "–"
"""Shown where there is nothing to divide by."""

DEAREST_TENANTS = 10

_LONGEST_NAME = 40
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

Count = Decimal | int | None
Row = tuple[Any, ...]


def print_report(published: Path, console: Console | None = None) -> None:
    """Print what the current version says: spend, unit costs, what is unattributed, which rules fire.

    Args:
        published: The folder that `publish` writes.
        console: Where to print; standard output for None.

    Raises:
        NotPublishedError: When nothing has been published.
    """
    console = console or Console()
    with open_marts(published) as connection:
        tables = [
            _spend_by_feature(connection),
            _dearest_tenants(connection),
            _cost_per_accepted_outcome(connection),
            _cost_by_model(connection),
            _unattributed(connection),
            _rules_that_fire(connection),
        ]
        where_next = _where_next(connection, published)
    for table in tables:
        console.print()
        console.print(table)
    console.print()
    for line in where_next:
        console.print(line, soft_wrap=True, highlight=False)


def _spend_by_feature(connection: duckdb.DuckDBPyConnection) -> Table:
    rows = _query(
        connection,
        """
        select
          feature,
          sum(effective_cost_usd),
          sum(effective_cost_usd) - sum(estimated_cost_usd),
          sum(attempts_count),
          sum(unpriced_attempts_count)
        from unit_economics_by_feature_day
        group by feature
        order by 2 desc nulls last, feature
        """,
    )
    _, total, total_billed, total_attempts, total_unpriced = _totals(rows, width=5)
    table = _table("Spend by feature", ["feature"], ["spend", "share", "of it billed", "attempts", "unpriced"])
    for feature, spend, billed, attempts, unpriced in rows:
        share = percent(spend, total)
        table.add_row(safe_text(feature), usd(spend, unpriced), share, usd(billed), count(attempts), count(unpriced))
    _add_total(table, usd(total, total_unpriced), "", usd(total_billed), count(total_attempts), count(total_unpriced))
    return table


def _dearest_tenants(connection: duckdb.DuckDBPyConnection) -> Table:
    rows = _query(
        connection,
        """
        select
          tenant_id,
          arg_max(customer_name, usage_date),
          arg_max(plan_name, usage_date),
          sum(effective_cost_usd),
          sum(attempts_count),
          sum(unpriced_attempts_count)
        from unit_economics_by_tenant_day
        group by tenant_id
        order by 4 desc nulls last, tenant_id
        """,
    )
    _, _, _, total, total_attempts, total_unpriced = _totals(rows, width=6)
    table = _table("The ten dearest tenants", ["tenant", "customer", "plan"], ["spend", "share", "attempts"])
    for tenant, customer, plan, spend, attempts, unpriced in rows[:DEAREST_TENANTS]:
        names = [safe_text(name) for name in (tenant, customer, plan)]
        table.add_row(*names, usd(spend, unpriced), percent(spend, total), count(attempts))
    if others := rows[DEAREST_TENANTS:]:
        _, _, _, spend, attempts, unpriced = _totals(others, width=6)
        names = [f"{len(others)} others", "", ""]
        table.add_row(*names, usd(spend, unpriced), percent(spend, total), count(attempts))
    _add_total(table, "", "", usd(total, total_unpriced), "", count(total_attempts))
    return table


def _cost_per_accepted_outcome(connection: duckdb.DuckDBPyConnection) -> Table:
    rows = _query(
        connection,
        """
        select
          feature,
          sum(effective_cost_usd),
          sum(operations_count),
          sum(accepted_outcomes_count),
          sum(unpriced_attempts_count)
        from unit_economics_by_feature_day
        group by feature
        order by sum(effective_cost_usd) / nullif(sum(accepted_outcomes_count), 0) desc nulls last, feature
        """,
    )
    table = _table(
        "Cost per accepted outcome, by feature",
        ["feature"],
        ["per accepted", "per operation", "spend", "accepted", "operations"],
    )
    for feature, spend, operations, accepted, unpriced in rows:
        table.add_row(
            safe_text(feature),
            usd_each(spend, accepted, unpriced),
            usd_each(spend, operations, unpriced),
            usd(spend, unpriced),
            count(accepted),
            count(operations),
        )
    return table


def _cost_by_model(connection: duckdb.DuckDBPyConnection) -> Table:
    rows = _query(
        connection,
        """
        select
          provider,
          model,
          sum(effective_cost_usd),
          sum(attempts_count),
          sum(input_tokens),
          sum(output_tokens),
          sum(unpriced_attempts_count)
        from unit_economics_by_model_day
        group by provider, model
        order by 3 desc nulls last, provider, model
        """,
    )
    table = _table("Cost by model", ["model"], ["spend", "attempts", "in Mtok", "out Mtok", "unpriced"])
    for provider, model, spend, attempts, input_tokens, output_tokens, unpriced in rows:
        table.add_row(
            Text.assemble(safe_text(provider), " / ", safe_text(model)),
            usd(spend, unpriced),
            count(attempts),
            millions(input_tokens),
            millions(output_tokens),
            count(unpriced),
        )
    _, _, spend, attempts, input_tokens, output_tokens, unpriced = _totals(rows, width=7)
    tokens = [millions(input_tokens), millions(output_tokens)]
    _add_total(table, usd(spend, unpriced), count(attempts), *tokens, count(unpriced))
    return table


def _unattributed(connection: duckdb.DuckDBPyConnection) -> Table:
    rows = _query(
        connection,
        """
        select provider, reason, sum(amount_usd), count(distinct usage_date), any_value(what_to_do)
        from unattributed_cost_by_provider_day
        group by provider, reason
        order by abs(sum(amount_usd)) desc, provider, reason
        """,
    )
    table = _table("Billed, and taken by no request", ["provider", "reason"], ["amount", "days"])
    table.add_column("what to do", overflow="fold")
    for provider, reason, amount, days, what_to_do in rows:
        advice = safe_text(what_to_do, longest=200)
        table.add_row(safe_text(provider), safe_text(reason), usd(amount), count(days), advice)
    if rows:
        _add_total(table, "", usd(_totals(rows, width=5)[2]), "", "")
    else:
        table.caption = "Nothing: every bill that has arrived is taken by requests."
    return table


def _rules_that_fire(connection: duckdb.DuckDBPyConnection) -> Table:
    rows = _query(
        connection,
        """
        with ranked as (
          select
            *,
            count(*) over (partition by alert_rule) as breaches_count,
            row_number() over (
              partition by alert_rule
              order by usage_date desc, observed / nullif(threshold, 0) desc nulls first, observed desc, scope_id
            ) as place
          from alerts
        )
        select
          alert_rule, severity, breaches_count, usage_date, scope_kind, scope_id, observed, threshold, unit
        from ranked
        where place = 1
        order by breaches_count desc, alert_rule
        """,
    )
    table = _table("Rules that fire", ["rule", "level"], ["breaches", "newest"])
    table.add_column("the newest breach", overflow="fold")
    for rule, severity, breaches, newest, scope_kind, scope_id, observed, threshold, unit in rows:
        scope = " ".join(part for part in (scope_kind, scope_id) if part)
        breach = Text.assemble(
            safe_text(scope, longest=2 * _LONGEST_NAME),
            f": {number(observed)} above {number(threshold)} ",
            safe_text(unit),
        )
        table.add_row(safe_text(rule), safe_text(severity), count(breaches), str(newest), breach)
    table.caption = None if rows else "None."
    return table


def _where_next(connection: duckdb.DuckDBPyConnection, published: Path) -> list[str]:
    ((first, last, attempts),) = _query(
        connection,
        """
        select min(first_date), max(last_date), sum(row_count)
        from published_info
        where mart = 'fct_llm_requests'
        """,
    )
    return [
        f"{count(attempts)} attempts from {first} to {last}, published as {current_version(published)}.",
        f"{AT_LEAST} stands before an amount that lacks attempts of which no price is known.",
        "",
        "[bold]Where to look next[/bold]",
        "  make ui     lineage, checks with the rows that breach them, schedules, backfills",
        "  README.md   which question is answered by which mart, and how to read your own sources",
        f"  {escape(str(published / 'marts.duckdb'))}",
        "              every figure above and what it is made of, for any tool that opens DuckDB",
    ]


def safe_text(value: str | None, longest: int = _LONGEST_NAME) -> Text:
    """Return a foreign name so that it can neither style, hide nor rewrite what stands around it."""
    if value is None:
        return Text(NO_RATIO)
    shown = value if len(value) <= longest else value[: longest - 1] + "…"
    return Text("".join(_visible(char) for char in shown))


def usd(amount: Decimal | None, unpriced: Count = 0) -> str:
    """Return an amount with two decimals, four below a dollar; `unknown` for None.

    Args:
        amount: The sum of what is known, in US dollars.
        unpriced: How many attempts of unknown price are missing from it; any make it a lower bound.
    """
    if amount is None:
        return UNKNOWN
    decimals = 2 if amount == 0 or abs(amount) >= 1 else 4
    shown = f"{abs(amount):,.{decimals}f}"
    if amount != 0 and not shown.strip("0.,"):
        return "under $0.0001" if amount > 0 else "over -$0.0001"
    return f"{AT_LEAST if unpriced else ''}{'-' if amount < 0 else ''}${shown}"


def usd_each(amount: Decimal | None, things: Count, unpriced: Count = 0) -> str:
    """Return the amount per thing with four decimals; a dash when there are no things."""
    if amount is None:
        return UNKNOWN
    if things is None or things <= 0:
        return NO_RATIO
    each = amount / Decimal(things)
    return f"{AT_LEAST if unpriced else ''}{'-' if each < 0 else ''}${abs(each):,.4f}"


def percent(part: Decimal | None, whole: Decimal | None) -> str:
    """Return a share of the whole; a dash when either is unknown or the whole is nothing."""
    return NO_RATIO if part is None or not whole else f"{part / whole:.1%}"


def count(things: Count) -> str:
    """Return a count with thousands set apart; `unknown` for None."""
    return UNKNOWN if things is None else f"{things:,.0f}"


def millions(things: Count) -> str:
    """Return a count in millions, with one decimal; `unknown` for None."""
    return UNKNOWN if things is None else f"{Decimal(things) / 1_000_000:,.1f}"


def number(value: float | None) -> str:
    """Return a measure with four significant digits, whole from a thousand on."""
    return UNKNOWN if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _visible(char: str) -> str:
    if unicodedata.category(char) in _HIDDEN_CATEGORIES:
        return f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"
    return char


def _query(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    return connection.execute(sql).fetchall()


def _totals(rows: Sequence[Row], width: int) -> list[Any]:
    """Return the sum of each column; None for a column of names, and for one without a known value."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * width
    return [_total(column) for column in columns]


def _total(values: Sequence[Any]) -> Decimal | int | None:
    known = [value for value in values if isinstance(value, Decimal | int)]
    return sum(known[1:], known[0]) if known else None


def _table(title: str, names: Sequence[str], figures: Sequence[str]) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for name in names:
        table.add_column(name, overflow="fold", min_width=8)
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
    return table


def _add_total(table: Table, *figures: str) -> None:
    table.add_section()
    table.add_row("total", *figures, style="bold")
