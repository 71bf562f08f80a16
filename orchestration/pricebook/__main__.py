"""`python -m orchestration.pricebook refresh | check | export-semantics`: behind `make prices` and `make check`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from orchestration.pricebook import edition, export, report
from orchestration.pricebook.book import BookError
from orchestration.pricebook.checking import check_files
from orchestration.settings import PROJECT_ROOT

_SEMANTICS = PROJECT_ROOT / "middleware/src/trueup_middleware/usage/semantics.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 1 when the input or the book is not valid."""
    parser = argparse.ArgumentParser(prog="python -m orchestration.pricebook", description=__doc__)
    parser.add_argument("--seeds", type=Path, default=PROJECT_ROOT / "pricing_seeds", help="folder of the book")
    parser.add_argument("--all", action="store_true", help="show every row of every table")
    commands = parser.add_subparsers(dest="command", required=True)
    refreshing = commands.add_parser("refresh", help="bring the book up to what its sources say now")
    refreshing.add_argument(
        "--litellm-map", type=Path, help="LiteLLM's price map or a wheel with it; without it its rows stay"
    )
    refreshing.add_argument("--litellm-version", help="what to call the map, when it is not a wheel")
    checking = commands.add_parser("check", help="check the book; nothing is written")
    checking.add_argument("overrides", nargs="*", type=Path, help="further files of overrides")
    commands.add_parser("export-semantics", help="write what usage objects mean into the middleware's package")
    options = parser.parse_args(arguments)

    console = Console(soft_wrap=True) if not sys.stdout.isatty() else Console()
    most_rows = sys.maxsize if options.all else 20
    try:
        if options.command == "refresh":
            found = edition.publish(
                options.seeds,
                datetime.now(UTC).replace(microsecond=0),
                options.litellm_map,
                options.litellm_version,
            )
            report.show_edition(found, console, most_rows)
            problems = found.problems
        elif options.command == "export-semantics":
            export.write_usage_semantics(_SEMANTICS)
            problems = []
        else:
            problems = check_files(options.seeds, options.overrides)
            report.show_problems(problems, console, most_rows)
    except (BookError, ValueError, OSError) as error:
        console.print(f"[red]{error}[/]")
        return 1
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
