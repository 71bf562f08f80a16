"""dbt's arguments, and the days they stand for, as pure functions.

Belongs here: turning days into half-open ranges and ranges into command lines. Does not belong here: deciding
which days are stale (`state`), and starting a process (`runner`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from orchestration.connectors.base import Window
from orchestration.partitions import ONE_DAY

MAX_GAP_DAYS = 3
"""Days that need no work but stand between two ranges of work, at most, for the ranges to share one dbt
command.

Beginning a dbt command costs about as much as building three small days more (lab: 0.3 s to begin, 0.7 s to
plan the requests); a day that is built again comes out the same.
"""

MAX_RANGE_ROWS = 2_000_000
"""Landed rows that one dbt command builds at once, about; what does not fit into DuckDB's memory then spills."""


def contiguous_ranges(days: Iterable[date], max_gap_days: int = MAX_GAP_DAYS) -> list[Window]:
    """Cover `days` by half-open ranges, oldest first, bridging gaps of up to `max_gap_days` days.

    Every given day lies in exactly one range, ranges do not touch, and a range begins and ends with a given
    day.
    """
    ranges: list[Window] = []
    for day in sorted(set(days)):
        if ranges and (day - ranges[-1].end).days <= max_gap_days:
            ranges[-1] = Window(ranges[-1].start, day + ONE_DAY)
        else:
            ranges.append(Window(day, day + ONE_DAY))
    return ranges


def bounded_ranges(ranges: Iterable[Window], rows: Mapping[date, int], max_rows: int = MAX_RANGE_ROWS) -> list[Window]:
    """Cut ranges so that none holds more than `max_rows` landed rows, unless a single day does.

    Args:
        ranges: Half-open ranges of UTC days.
        rows: Landed rows of each day.
        max_rows: How many rows one dbt command may hold at once.
    """
    bounded: list[Window] = []
    for window in ranges:
        start, held = window.start, 0
        for day in window.days():
            if day > start and held + rows.get(day, 0) > max_rows:
                bounded.append(Window(start, day))
                start, held = day, 0
            held += rows.get(day, 0)
        bounded.append(Window(start, window.end))
    return bounded


def event_time_arguments(window: Window | None) -> list[str]:
    """Return the flags that bound daily models to the UTC days of `window`; none for None.

    dbt reads both bounds as UTC and the end as exclusive, as a `Window` is.
    """
    if window is None:
        return []
    return ["--event-time-start", window.start.isoformat(), "--event-time-end", window.end.isoformat()]


def build_arguments(
    models: Sequence[str],
    tests: Sequence[str] = (),
    *,
    window: Window | None = None,
    full_refresh: bool = False,
) -> list[str]:
    """Return the arguments of `dbt build` for exactly these models and data tests.

    Unit tests never run here: they are not asset checks, yet a failing one would fail the build (lab).

    Args:
        models: Names of models.
        tests: Names of data tests. Named one by one, because dbt's own ways to find tests either run one that
            compares a model with another op's model before that one is built, or never run it.
        window: The UTC days that daily models replace; None for models that have no days.
        full_refresh: Drop and build anew the tables that are otherwise built day by day.

    Raises:
        ValueError: When nothing is selected; dbt would then build everything.
    """
    if not models and not tests:
        raise ValueError("nothing to build")
    return [
        "build",
        "--select",
        *sorted(models),
        *sorted(tests),
        "--indirect-selection",
        "empty",
        *event_time_arguments(window),
        *(["--full-refresh"] if full_refresh else []),
    ]


def project_arguments(project: Path, home: Path) -> list[str]:
    """Return the flags that say where the project lies and where dbt may write.

    Nothing is written into the project, so that it may lie in a folder that is read-only.
    """
    return [
        "--project-dir",
        str(project),
        "--profiles-dir",
        str(project),
        "--target-path",
        str(home / "dbt" / "target"),
        "--log-path",
        str(home / "dbt" / "logs"),
    ]
