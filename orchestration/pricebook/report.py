"""A refresh, told to a human in the terminal.

Belongs here: tables. Does not belong here: any judgement; what is shown was found elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from orchestration.pricebook.book import PriceRow, format_decimal
from orchestration.pricebook.edition import Edition
from orchestration.pricebook.validate import Problem


def show_edition(edition: Edition, console: Console, most_rows: int) -> None:
    """Print what a refresh found and did.

    Args:
        edition: The refresh.
        console: Where to.
        most_rows: A table is cut after so many rows, and says how many it leaves out.
    """
    is_first = {change.source: not change.closed and len(change.added) > 1000 for change in edition.changes}
    for change in edition.changes:
        console.print(
            f"[bold]{change.source}[/]: {len(change.added)} rows appended, {len(change.closed)} closed, "
            f"{len(change.retired)} models no longer listed"
        )
        if is_first[change.source]:
            continue
        closed = {row.key: row for row in change.closed}
        _table(
            console,
            f"Prices that changed or are new in {change.source}",
            ("model", "class", "tier", "from", "was", "is"),
            (
                (
                    f"{row.key.provider}/{row.key.model}",
                    row.key.usage_class,
                    _tier(row),
                    f"{row.valid_from:%Y-%m-%d}",
                    _price(closed.get(row.key)),
                    _price(row),
                )
                for row in change.added
            ),
            most_rows,
        )
        _table(console, "Not in the book", ("remark",), ((text,) for text in change.remarks), most_rows)
    _table(
        console,
        "New models",
        ("provider", "model"),
        edition.new_models,
        most_rows,
    )
    console.print(f"{len(edition.new_aliases)} new names")
    _table(
        console,
        "Sources disagree (the book follows the first)",
        ("model", "other source's key", "class", "price", "other"),
        (
            (
                f"{found.provider}/{found.model}",
                found.name,
                found.usage_class,
                format_decimal(found.price),
                format_decimal(found.other_price),
            )
            for found in edition.disagreements
        ),
        most_rows,
    )
    _table(
        console,
        "Look at these",
        ("why", "price", "figures"),
        ((found.code, found.row.price_id, found.message) for found in edition.suspicions),
        most_rows,
    )
    show_problems(edition.problems, console, most_rows)


def show_problems(problems: Sequence[Problem], console: Console, most_rows: int) -> None:
    """Print what makes the book unusable."""
    _table(
        console,
        "The book is not usable",
        ("what", "where"),
        ((problem.code, problem.message) for problem in problems),
        most_rows,
    )


def _table(console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], most_rows: int) -> None:
    listed = list(rows)
    if not listed:
        return
    table = Table(title=f"{title} ({len(listed)})", title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in listed[:most_rows]:
        table.add_row(*row)
    console.print(table)
    if len(listed) > most_rows:
        console.print(f"… and {len(listed) - most_rows} more; --all shows them")


def _tier(row: PriceRow) -> str:
    context = f" >{row.key.context_from_tokens}" if row.key.context_from_tokens else ""
    window = f" {row.key.utc_time_from}-{row.key.utc_time_to}" if row.key.utc_time_from else ""
    return f"{row.key.service_tier}{context} {row.key.region}{window}".strip()


def _price(row: PriceRow | None) -> str:
    if row is None:
        return ""
    if row.price_usd_per_mtok is not None:
        return f"${format_decimal(row.price_usd_per_mtok)}/M"
    return f"${format_decimal(row.price_usd_per_kcount or Decimal(0))}/k"
