"""An explained change as a sentence and a table in the terminal.

Belongs here: what is shown of it. Does not belong here: figures.
"""

from __future__ import annotations

from decimal import Decimal

from rich import box
from rich.console import Console
from rich.table import Table

from orchestration.explain.change import MOST_TENANTS, Change
from orchestration.report import count, percent, safe_text, usd

_SHOWN_DRIVERS = 12
_LONGEST_SENTENCE = 600
_LONGEST_WORDS = 120


def print_change(change: Change, console: Console | None = None) -> None:
    """Print the sentence, then every driver that matters; the rest is summed, so that the table adds up.

    Args:
        change: What `explain_change` returned.
        console: Where to print; standard output for None.
    """
    console = console or Console()
    console.print()
    console.print(safe_text(change.sentence, longest=_LONGEST_SENTENCE), highlight=False)
    console.print()
    console.print(_table(change))
    if change.is_by_plan:
        words = f"More than {MOST_TENANTS} tenants: taken together by plan. TENANT=… explains one."
        console.print(words, highlight=False)
    before, after = change.unpriced_attempts
    if before or after:
        console.print(
            f"Attempts of unknown price, which no amount holds: {count(before)} before, {count(after)} after.",
            highlight=False,
        )


def _table(change: Change) -> Table:
    a_day = " a day" if change.is_daily_mean else ""
    table = Table(
        title="   ".join(
            f"{period}: {usd(amount)}{a_day}"
            for period, amount in ((change.baseline, change.baseline_usd), (change.current, change.current_usd))
        ),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("driver", overflow="fold")
    table.add_column(f"effect{a_day}", justify="right", no_wrap=True)
    table.add_column("share of change", justify="right", no_wrap=True)
    largest = sorted(change.drivers, key=lambda driver: abs(driver.effect_usd), reverse=True)[:_SHOWN_DRIVERS]
    shown = [driver for driver in change.drivers if driver in largest]
    for driver in shown:
        words = safe_text(driver.words, longest=_LONGEST_WORDS)
        table.add_row(words, usd(driver.effect_usd), percent(driver.effect_usd, change.change_usd))
    if others := [driver.effect_usd for driver in change.drivers if driver not in largest]:
        rest = sum(others, Decimal(0))
        table.add_row(f"{len(others)} others", usd(rest), percent(rest, change.change_usd))
    table.add_section()
    table.add_row("change", usd(change.change_usd), percent(change.change_usd, change.change_usd), style="bold")
    return table
