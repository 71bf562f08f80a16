"""From days to commands: nothing left out, nothing twice, no day before the neighbours that it reads."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestration.connectors.base import Window
from orchestration.warehouse.plan import Level, around, build_commands, contiguous_ranges, split_by_rows

START = date(2026, 9, 1)
days = st.integers(0, 120).map(lambda offset: START + timedelta(days=offset))
LEVELS = [Level(("requests",), ("requests_are_unique",)), Level(("operations",)), Level(("outcomes",))]


@given(st.sets(days), st.integers(0, 5))
def test_ranges_cover_every_day_once_and_bridge_no_wider_gap(wanted: set[date], max_gap: int) -> None:
    ranges = contiguous_ranges(wanted, max_gap)
    covered = [day for window in ranges for day in window.days()]
    assert len(covered) == len(set(covered))
    assert wanted <= set(covered)
    assert all(window.start in wanted and window.end - timedelta(days=1) in wanted for window in ranges)
    gaps = [(later.start - earlier.end).days for earlier, later in pairwise(ranges)]
    assert all(gap > max_gap for gap in gaps)


@given(st.dictionaries(days, st.integers(0, 50)), st.integers(1, 60))
def test_a_cut_range_holds_the_same_days_and_no_more_rows_than_allowed(rows: dict[date, int], most: int) -> None:
    whole = Window(START, START + timedelta(days=121))
    parts = split_by_rows([whole], rows, most)
    assert [day for part in parts for day in part.days()] == list(whole.days())
    for part in parts:
        held = [rows.get(day, 0) for day in part.days()]
        assert sum(held) <= most or len(held) == 1 or not any(held[1:])


def test_a_single_range_is_one_command_and_dbt_keeps_the_order() -> None:
    window = Window(START, START + timedelta(days=60))
    (command,) = build_commands(LEVELS, [window])
    assert command.models == ("requests", "operations", "outcomes")
    assert command.tests == ("requests_are_unique",)
    assert command.window == window
    assert not command.full_refresh


def test_several_ranges_are_built_level_by_level_because_a_day_reads_its_neighbours() -> None:
    first = Window(START, START + timedelta(days=3))
    second = Window(START + timedelta(days=3), START + timedelta(days=6))
    commands = build_commands(LEVELS, [first, second], full_refresh=True)
    assert [(command.models[0], command.window) for command in commands] == [
        ("requests", first),
        ("requests", second),
        ("operations", first),
        ("operations", second),
        ("outcomes", first),
        ("outcomes", second),
    ]
    assert [command.full_refresh for command in commands] == [True, False, True, False, True, False]


def test_nothing_to_build_is_no_command() -> None:
    assert build_commands(LEVELS, []) == []


@given(st.sets(days), st.integers(0, 9), st.integers(0, 2))
def test_what_days_reach_is_one_range_around_them(changed: set[date], before: int, after: int) -> None:
    window = around(changed, before, after)
    if window is None:
        assert not changed
    else:
        assert window.start == min(changed) - timedelta(days=before)
        assert window.end == max(changed) + timedelta(days=after + 1)
