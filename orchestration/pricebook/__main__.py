"""`python -m orchestration.pricebook`: behind `make prices`, `make check` and `make check-litellm`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from orchestration.environments import ProgramUnavailableError
from orchestration.pricebook import against_litellm, edition, export, litellm_source, litellm_verdicts, report
from orchestration.pricebook.book import BookError, load_book
from orchestration.pricebook.checking import check_files
from orchestration.pricebook.litellm_function import LitellmFunction
from orchestration.settings import PROJECT_ROOT, Settings

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
    comparing = commands.add_parser("against-litellm", help="hold the book against LiteLLM's own cost function")
    comparing.add_argument("--requests", type=int, default=20_000, help="random requests to price on both sides")
    comparing.add_argument("--write", action="store_true", help="write the page instead of comparing it")
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
        elif options.command == "against-litellm":
            problems = _against_litellm(options.seeds, options.requests, options.write)
            for problem in problems:
                console.print(problem, highlight=False)
        else:
            problems = check_files(options.seeds, options.overrides)
            report.show_problems(problems, console, most_rows)
    except (BookError, ProgramUnavailableError, ValueError, OSError) as error:
        console.print(f"[red]{error}[/]")
        return 1
    return 1 if problems else 0


def _against_litellm(seeds: Path, requests: int, write: bool) -> list[str]:
    """Compare, or write, the page; return what is wrong."""
    book = load_book(seeds)
    version, at = against_litellm.moment_of_the_map(book)
    litellm = LitellmFunction(Settings.from_env().home / "litellm", version)
    price_map = litellm_source.read(litellm.price_map, version)
    comparison = against_litellm.compare(book, price_map, litellm.costs, at, count=requests, seed=20261121)
    verdicts = litellm_verdicts.read_verdicts()
    judgement = litellm_verdicts.judge(comparison, verdicts, version, f"{at:%Y-%m-%d}")
    problems = [f"nobody has judged {model}" for model in judgement.unjudged]
    problems += [f"no difference is left of the verdict on {each.provider}/{each.model}" for each in judgement.unused]
    page = seeds / litellm_verdicts.PAGE
    if write:
        page.write_text(judgement.page, encoding="utf-8")
    elif not page.exists() or page.read_text(encoding="utf-8") != judgement.page:
        problems.append(f"{page} says something else than was found; --write writes it")
    return problems


if __name__ == "__main__":
    raise SystemExit(main())
