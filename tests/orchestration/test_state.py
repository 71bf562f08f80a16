"""What is stale: exactly the days that a change reaches, in any order of building."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from orchestration.connectors.base import Window
from orchestration.warehouse.state import (
    DailyInput,
    Reach,
    WarehouseState,
    covers,
    day_fingerprints,
    days_to_build,
    evaluation,
    files_fingerprint,
    settled_days,
    stale_days,
    unsettled_mark,
)

START = date(2026, 9, 1)
DAYS = [START + timedelta(days=offset) for offset in range(30)]
REACH = Reach(days_before=2, days_after=1)
days = st.sampled_from(DAYS)


def landed(changed: dict[date, str] | None = None) -> dict[date, str]:
    content = {day: f"content of {day}" for day in DAYS}
    content.update(changed or {})
    return content


def fingerprints(changed: dict[date, str] | None = None, *, static: str = "code") -> dict[date, str]:
    return day_fingerprints([DailyInput(landed(changed), REACH)], static)


@given(days)
def test_a_restated_day_makes_stale_exactly_the_days_that_read_it(day: date) -> None:
    stale = stale_days(fingerprints({day: "restated"}), fingerprints())
    reads_it = {day + timedelta(days=offset) for offset in range(-REACH.days_after, REACH.days_before + 1)}
    assert stale == reads_it & set(DAYS)


def test_a_bill_reaches_less_far_than_a_log() -> None:
    logs = DailyInput(landed(), REACH)
    before = day_fingerprints([logs, DailyInput(landed(), Reach(0, 1))], "code")
    after = day_fingerprints([logs, DailyInput(landed({DAYS[9]: "restated"}), Reach(0, 1))], "code")
    assert stale_days(after, before) == {DAYS[8], DAYS[9]}


def test_what_all_days_share_makes_all_of_them_stale() -> None:
    assert stale_days(fingerprints(static="other code"), fingerprints()) == set(DAYS)


def test_nothing_changed_is_nothing_to_build() -> None:
    assert days_to_build(fingerprints(), fingerprints(), requested=None, reach=REACH) == []


def test_a_requested_day_takes_its_stale_neighbours_along_and_no_others() -> None:
    current = fingerprints({DAYS[5]: "restated", DAYS[20]: "restated"})
    requested = Window(DAYS[5], DAYS[6])
    built = days_to_build(current, fingerprints(), requested=requested, reach=REACH)
    assert built == [DAYS[4], DAYS[5], DAYS[6], DAYS[7]]


def test_force_builds_the_requested_days_although_nothing_changed() -> None:
    requested = Window(DAYS[5], DAYS[7])
    built = days_to_build(fingerprints(), fingerprints(), requested=requested, reach=REACH, force=True)
    assert built == [DAYS[5], DAYS[6]]


def test_a_day_that_is_no_longer_there_is_stale_once() -> None:
    assert stale_days({}, {START: "gone"}) == {START}


@given(st.lists(st.sets(days, min_size=1), max_size=6))
def test_building_in_any_order_ends_with_every_day_built_from_days_that_are_built(orders: list[set[date]]) -> None:
    """A day is remembered only when the days that it reads are built: then what it read is what there is."""
    current = fingerprints()
    built: dict[date, str] = {}
    for chosen in [*orders, set(DAYS)]:
        stale = stale_days(current, built)
        wanted = chosen & stale
        settled = settled_days(wanted, stale, REACH)
        for day in settled:
            neighbours = {day + timedelta(days=offset) for offset in range(-REACH.days_before, REACH.days_after + 1)}
            assert not (neighbours & stale) - wanted
        built.update({day: current[day] for day in settled})
    assert stale_days(current, built) == set()


def test_the_state_survives_a_round_trip_and_dies_with_the_warehouse(tmp_path: Path) -> None:
    path, warehouse = tmp_path / "state.json", tmp_path / "warehouse.duckdb"
    state = WarehouseState(code="c", published_days={START: "p"}).with_days({START: "a"}).with_part("rollup", "r")
    state.save(path)
    assert WarehouseState.load(path, warehouse) == WarehouseState()
    warehouse.touch()
    assert WarehouseState.load(path, warehouse) == state
    path.write_text("{ half a fi")
    assert WarehouseState.load(path, warehouse) == WarehouseState()


def test_a_forgotten_day_and_part_are_stale_again() -> None:
    state = WarehouseState().with_days({START: "a"}).with_part("rollup", "r")
    assert state.with_days({START: None}).days == {}
    assert state.with_part("rollup", None).parts == {}


def test_a_changed_file_changes_the_fingerprint_and_its_order_does_not(tmp_path: Path) -> None:
    one, two = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("1")
    two.write_text("2")
    before = files_fingerprint([one, two])
    assert files_fingerprint([two, one]) == before
    two.write_text("changed")
    assert files_fingerprint([one, two]) != before


def test_a_day_built_before_its_neighbours_is_stale_and_another_than_it_was() -> None:
    """Built twice so, what stands on it must be built twice: no fingerprint tells the two builds apart."""
    once, again = {DAYS[3]: unsettled_mark()}, {DAYS[3]: unsettled_mark()}
    assert DAYS[3] in stale_days(fingerprints(), once)
    assert stale_days(once, again) == {DAYS[3]}


def test_rules_are_evaluated_again_for_other_figures_and_for_a_new_day() -> None:
    week = Window(date(2026, 10, 1), date(2026, 10, 8))
    noted = evaluation("figures", week)
    assert covers(noted, "figures", Window(date(2026, 10, 6), date(2026, 10, 8)))
    assert not covers(noted, "other figures", week)
    assert not covers(noted, "figures", Window(date(2026, 10, 7), date(2026, 10, 9)))
    assert not covers(noted, "figures", Window(date(2026, 9, 30), date(2026, 10, 8)))
    assert not covers(None, "figures", week)
    assert not covers("what an older version noted", "figures", week)
