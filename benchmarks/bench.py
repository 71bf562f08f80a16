"""`make bench`: throughput, memory, the cost of one more day, and a run with nothing new, beside hand-written DuckDB.

Belongs here: running both sides on the same input, comparing their answers, then printing times. A time is printed only
when all sides gave the same totals to the last digit, and both that write a fact and a cube the same rows.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.by_hand import NOT_COMPARED
from benchmarks.workload import write_days
from orchestration.settings import PROJECT_ROOT

console = Console()

_ROUNDS = 3
"""How often a short run is measured; the best counts. (lab) The same run takes 28 to 31 s."""

_SOURCE = """type: orchestration.components.SourceComponent
attributes:
  source_name: app_requests
  kind: llm_request_log
  config:
    path: "{inbox}"
"""


@dataclass(frozen=True)
class Measured:
    """One process: seconds on the wall, and the highest memory of it and its children together, in bytes."""

    seconds: float
    peak_bytes: int
    output: str


def measure(command: list[str], environment: dict[str, str]) -> Measured:
    """Run a command to its end while watching the memory of its process tree."""
    peak = 0
    done = threading.Event()
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT, cwd=PROJECT_ROOT
        )

        def watch() -> None:
            nonlocal peak
            parent = psutil.Process(process.pid)
            while not done.wait(0.25):
                total = 0
                try:
                    for member in [parent, *parent.children(recursive=True)]:
                        # Pages shared between processes count once for each: the figure errs on the high side.
                        total += member.memory_info().rss
                except psutil.Error:
                    continue
                peak = max(peak, total)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        code = process.wait()
        seconds = time.perf_counter() - started
        done.set()
        watcher.join()
        output.seek(0)
        text = output.read()
    if code:
        console.print(text[-4000:], markup=False)
        raise SystemExit(f"{' '.join(command)} ended with {code}")
    return Measured(seconds, peak, text)


class Ours:
    """trueup over one folder of lines, as a user runs it."""

    def __init__(self, root: Path, days: int) -> None:
        # A run covers the days up to today, so that is where the last of them lies.
        self.first_day = datetime.now(UTC).date() - timedelta(days=days - 1)
        self.inbox = root / "inbox"
        self.inbox.mkdir(parents=True)
        sources = root / "sources"
        sources.mkdir()
        (sources / "app.yaml").write_text(_SOURCE.format(inbox=self.inbox))
        self.home = root / "home"
        self.environment = {
            "TRUEUP_HOME": str(self.home),
            "TRUEUP_SOURCES": str(sources),
            "TRUEUP_START_DATE": self.first_day.isoformat(),
            "TRUEUP_USER_HASH_KEY": "a key of the benchmark",
        }

    def run(self) -> Measured:
        """Pull, build, check and publish whatever is new."""
        return measure([str(Path(sys.executable).parent / "trueup"), "run"], self.environment)

    def totals(self) -> dict[str, object]:
        """Return the published figures."""
        with duckdb.connect(str(self.home / "published" / "marts.duckdb"), read_only=True) as marts:
            row = marts.execute(
                "select count(*), sum(input_tokens), sum(output_tokens), sum(list_cost_usd)::varchar "
                "from fct_llm_requests"
            ).fetchone()
            cube = marts.execute(
                "select sum(attempts_count), sum(list_cost_usd)::varchar from llm_usage_by_tenant_feature_model_day"
            ).fetchone()
        assert row is not None  # noqa: S101
        assert cube is not None  # noqa: S101
        if (row[0], row[3]) != (int(cube[0]), cube[1]):
            raise SystemExit(f"the fact says {row}, the cube says {cube}")
        return {"calls": row[0], "input_tokens": int(row[1]), "output_tokens": int(row[2]), "list_cost_usd": row[3]}


def same_rows(ours: Path, by_hand: Path) -> None:
    """End the benchmark unless both sides wrote the same rows, value for value, into the fact and the cube."""
    pairs = [("fct_llm_requests", "fact", NOT_COMPARED), ("llm_usage_by_tenant_feature_model_day", "cube", ())]
    with duckdb.connect() as database:
        database.execute("set memory_limit = '1200MB'")
        for mart, table, left_out in pairs:
            exclude = f"exclude ({', '.join(left_out)})" if left_out else ""
            found = [
                database.execute(
                    f"select count(*), bit_xor(hash(rows)) from (select * {exclude} from "
                    f"read_parquet('{folder}/*/*.parquet', hive_partitioning = true) ) as rows"
                ).fetchone()
                for folder in (ours / mart, by_hand / table)
            ]
            if found[0] != found[1]:
                raise SystemExit(f"{mart} and the hand-written {table} differ: {found}")


def by_hand(mode: str, inbox: Path, output: Path) -> tuple[Measured, dict[str, object]]:
    """Run a hand-written script over the same lines."""
    measured = measure([sys.executable, "-m", "benchmarks.by_hand", mode, str(inbox), str(output)], {})
    figures = json.loads(measured.output.splitlines()[-1])
    figures.pop("seconds")
    return measured, figures


def throughput(root: Path, requests: int, days: int) -> None:
    """Compare one first run over `requests` calls in `days` days with both scripts."""
    ours = Ours(root / "ours", days)
    calls = write_days(ours.inbox, ours.first_day, range(days), requests // days)
    full, full_totals = by_hand("full", ours.inbox, root / "full")
    prices, prices_totals = by_hand("prices", ours.inbox, root / "prices")
    run = ours.run()
    totals = ours.totals()
    if not totals == full_totals == prices_totals:
        raise SystemExit(f"the answers differ: ours {totals}, full {full_totals}, prices {prices_totals}")
    same_rows(ours.home / "published", root / "full")
    # While millions of calls were read, the system may have dropped the libraries from its cache.
    again = min((ours.run() for _ in range(_ROUNDS)), key=lambda measured: measured.seconds)
    table = Table(title=f"{calls:,} calls in {days} days; all three say {totals['list_cost_usd']} USD")
    for heading in ("", "seconds", "calls a second", "peak memory", "ours is"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, measured, aim in (
        ("trueup: JSON lines to published marts", run, None),
        ("by hand: fact, cube, Parquet", full, 0.7),
        ("by hand: only price and add up", prices, 0.3),
    ):
        ratio = "" if aim is None else f"{measured.seconds / run.seconds:.2f} × (aim {aim})"
        table.add_row(
            name,
            f"{measured.seconds:.1f}",
            f"{calls / measured.seconds:,.0f}",
            f"{measured.peak_bytes / 1e9:.2f} GB",
            ratio,
        )
    table.add_row(
        f"trueup again, nothing new, best of {_ROUNDS} (aim 5 s)",
        f"{again.seconds:.1f}",
        "",
        f"{again.peak_bytes / 1e9:.2f} GB",
        "",
    )
    console.print(table)


def one_more_day(root: Path, histories: list[int], requests: int) -> dict[int, float]:
    """Return the seconds of a run that has one new day, by how many days stand before it; the best of `_ROUNDS`.

    The histories take turns: what a machine does faster or slower in the meantime, it does to each of them.
    """
    homes = {days: Ours(root / f"history-{days}", days + _ROUNDS) for days in histories}
    for days, ours in homes.items():
        write_days(ours.inbox, ours.first_day, range(days), requests)
        ours.run()
    seconds: dict[int, list[float]] = {days: [] for days in histories}
    for number in range(_ROUNDS):
        for days, ours in homes.items():
            write_days(ours.inbox, ours.first_day, range(days + number, days + number + 1), requests)
            seconds[days].append(ours.run().seconds)
    return {days: min(each) for days, each in seconds.items()}


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--days", type=int, default=7, help="days over which the calls of a throughput run lie")
    parser.add_argument("--day-requests", type=int, default=5_000, help="calls a day for the cost of one more day")
    parser.add_argument("--history", type=int, nargs="*", default=[7, 365])
    parser.add_argument("--scratch", type=Path, default=None, help="where to work; default a temporary folder")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="trueup-bench-", dir=options.scratch))
    try:
        for requests in options.requests:
            throughput(scratch / str(requests), requests, options.days)
            shutil.rmtree(scratch / str(requests))
        if options.history:
            seconds = one_more_day(scratch, options.history, options.day_requests)
            first = next(iter(seconds.values()))
            table = Table(title=f"One more day of {options.day_requests:,} calls")
            for heading in ("after days of history", "seconds", "against the first"):
                table.add_column(heading, justify="right")
            for days, value in seconds.items():
                table.add_row(str(days), f"{value:.1f}", f"{value / first:.2f} × (bound 1.15)")
            console.print(table)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
