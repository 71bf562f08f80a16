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
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from orchestration.publishing.reader import current_version, open_marts

UNKNOWN = "unknown"
"""Shown for an amount that nobody knows; it is not free."""

NO_RATIO = "–"
"""Shown where there is nothing to divide by."""

DEAREST_TENANTS = 10

_LONGEST_NAME = 40
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

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
        sections = [
            _spend_by_feature(connection),
            _dearest_tenants(connection),
            _cost_per_accepted_outcome(connection),
            _cost_by_model(connection),
            _unattributed(connection),
            _alerts(connection),
            _where_next(connection, published),
        ]
    for section in sections:
        console.print()
        console.print(section)


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
    total = _sum(row[1] for row in rows)
    table = _table("Spend by feature", ["feature"], ["spend", "share", "of it billed", "attempts", "unpriced"])
    for feature, spend, billed, attempts, unpriced in rows:
        table.add_row(
            safe_text(feature),
            usd(spend),
            percent(spend, total),
            usd(billed),
            count(attempts),
            count(unpriced),
        )
    _add_total(table, [usd(total), "", usd(_sum(row[2] for row in rows)), *(_count_sums(rows, 3, 4))])
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
          sum(attempts_count)
        from unit_economics_by_tenant_day
        group by tenant_id
        order by 4 desc nulls last, tenant_id
        """,
    )
    total = _sum(row[3] for row in rows)
    table = _table("The ten dearest tenants", ["tenant", "customer", "plan"], ["spend", "share", "attempts"])
    for tenant, customer, plan, spend, attempts in rows[:DEAREST_TENANTS]:
        table.add_row(
            safe_text(tenant),
            safe_text(customer),
            safe_text(plan),
            usd(spend),
            percent(spend, total),
            count(attempts),
        )
    if others := rows[DEAREST_TENANTS:]:
        spend = _sum(row[3] for row in others)
        table.add_row(f"{len(others)} others", "", "", usd(spend), percent(spend, total), *_count_sums(others, 4))
    _add_total(table, ["", "", usd(total), "", *_count_sums(rows, 4)])
    return table


def _cost_per_accepted_outcome(connection: duckdb.DuckDBPyConnection) -> Table:
    rows = _query(
        connection,
        """
        select
          feature,
          sum(effective_cost_usd),
          sum(operations_count),
          sum(accepted_outcomes_count)
        from unit_economics_by_feature_day
        group by feature
        order by sum(effective_cost_usd) / nullif(sum(accepted_outcomes_count), 0) desc nulls last, feature
        """,
    )
    table = _table(
        "Cost per accepted outcome, by feature",
        ["feature"],
        ["per accepted outcome", "per operation", "spend", "operations", "accepted"],
    )
    for feature, spend, operations, accepted in rows:
        table.add_row(
            safe_text(feature),
            usd_each(spend, accepted),
            usd_each(spend, operations),
            usd(spend),
            count(operations),
            count(accepted),
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
    table = _table(
        "Cost by model",
        ["provider", "model"],
        ["spend", "attempts", "input tokens", "output tokens", "unpriced"],
    )
    for provider, model, spend, *counts in rows:
        table.add_row(safe_text(provider), safe_text(model), usd(spend), *map(count, counts))
    _add_total(table, ["", usd(_sum(row[2] for row in rows)), *_count_sums(rows, 3, 4, 5, 6)])
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
        table.add_row(
            safe_text(provider),
            safe_text(reason),
            usd(amount),
            count(days),
            safe_text(what_to_do, longest=200),
        )
    if rows:
        _add_total(table, ["", usd(_sum(row[2] for row in rows)), "", ""])
    else:
        table.caption = "Nothing: every bill that has arrived is taken by requests."
    return table


def _alerts(connection: duckdb.DuckDBPyConnection) -> Table:
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
    table = _table("Rules that fire", ["rule", "severity"], ["breaches", "newest"])
    table.add_column("the newest breach", overflow="fold")
    for rule, severity, breaches, newest, scope_kind, scope_id, observed, threshold, unit in rows:
        breach = Text.assemble(
            safe_text(scope_kind),
            " ",
            safe_text(scope_id),
            f": {number(observed)} above {number(threshold)} ",
            safe_text(unit),
        )
        table.add_row(safe_text(rule), safe_text(severity), count(breaches), str(newest), breach)
    table.caption = None if rows else "None."
    return table


def _where_next(connection: duckdb.DuckDBPyConnection, published: Path) -> Group:
    ((first, last, requests),) = _query(
        connection,
        """
        select min(first_date), max(last_date), sum(row_count)
        from published_info
        where mart = 'fct_llm_requests'
        """,
    )
    marts = escape(str(published / "marts.duckdb"))
    return Group(
        f"[bold]{count(requests)} attempts from {first} to {last}, version {current_version(published)}.[/bold]",
        "Where to look next:",
        "  make ui     lineage, checks with their breaching rows, schedules and backfills",
        f"  {marts}     every figure above, for any tool that opens DuckDB (read-only)",
        "  README.md   which question is answered by which mart, and how to point this at your own sources",
    )


def safe_text(value: str | None, longest: int = _LONGEST_NAME) -> Text:
    """Return a foreign name so that it can neither style, hide nor rewrite what stands around it."""
    if value is None:
        return Text(NO_RATIO)
    shown = value if len(value) <= longest else value[: longest - 1] + "…"
    return Text("".join(_visible(char) for char in shown))


def usd(amount: Decimal | None) -> str:
    """Return an amount with two decimals, four below a dollar; `unknown` for None."""
    if amount is None:
        return UNKNOWN
    decimals = 2 if amount == 0 or abs(amount) >= 1 else 4
    shown = f"{abs(amount):,.{decimals}f}"
    if amount != 0 and not shown.strip("0.,"):
        return "under $0.0001" if amount > 0 else "over -$0.0001"
    return f"-${shown}" if amount < 0 else f"${shown}"


def usd_each(amount: Decimal | None, things: Decimal | int | None) -> str:
    """Return the amount per thing with four decimals; a dash when there are no things."""
    if amount is None:
        return UNKNOWN
    if things is None or things <= 0:
        return NO_RATIO
    each = amount / Decimal(things)
    return f"{'-' if each < 0 else ''}${abs(each):,.4f}"


def percent(part: Decimal | None, whole: Decimal | None) -> str:
    """Return a share of the whole; a dash when either is unknown or the whole is nothing."""
    return NO_RATIO if part is None or not whole else f"{part / whole:.1%}"


def count(things: Decimal | int | None) -> str:
    """Return a count with thousands set apart; `unknown` for None."""
    return UNKNOWN if things is None else f"{things:,.0f}"


def number(value: float | None) -> str:
    """Return a measure with four significant digits, whole from a thousand on."""
    return UNKNOWN if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _visible(char: str) -> str:
    if unicodedata.category(char) in _HIDDEN_CATEGORIES:
        return f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"
    return char


def _query(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    return connection.execute(sql).fetchall()


def _sum(amounts: Any) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None


def _count_sums(rows: Sequence[Row], *columns: int) -> list[str]:
    return [count(_sum(row[column] for row in rows) or 0) for column in columns]


def _table(title: str, names: Sequence[str], figures: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", caption_justify="left", pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
    return table


def _add_total(table: Table, figures: Sequence[str]) -> None:
    table.add_section()
    table.add_row("total", *figures, style="bold")
