"""`python -m orchestration.alerting`: the check of the alert rules behind `make check`."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape

from orchestration.alerting.rules import read_rule_book
from orchestration.settings import Settings


def main() -> int:
    """Print what is wrong with the rules; return 0 when nothing is, else 1."""
    console = Console(soft_wrap=True, highlight=False)
    book = read_rule_book(Settings.from_env().pricing, datetime.now(UTC).date())
    for notice in book.notices:
        console.print(f"[yellow]{escape(notice)}[/]")
    for problem in book.problems:
        console.print(f"[red]{escape(problem)}[/]")
    if not book.problems:
        console.print(f"{len(book.rules)} alert rules and {len(book.overrides)} overrides are sound")
    return 1 if book.problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
