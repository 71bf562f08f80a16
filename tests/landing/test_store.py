"""The landing zone: versions, windows that replace, pulls that become visible whole or not at all."""

from __future__ import annotations

import multiprocessing
import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.connectors.base import QuarantinedRow, TableKind, TableSpec, Window
from orchestration.landing import commit
from orchestration.landing.errors import ConservationError, LandingError, SchemaError, SourceBusyError
from orchestration.landing.manifest import read_manifest, read_manifests
from orchestration.landing.schemas import landed_schema
from orchestration.landing.state import current_slices
from orchestration.landing.store import LandingStore

COSTS = TableSpec("costs", TableKind.WINDOW, pa.schema([("amount_usd", pa.decimal128(38, 12))]))
USAGE = TableSpec("usage", TableKind.WINDOW, pa.schema([("tokens", pa.int64())]))
PLANS = TableSpec("plans", TableKind.STATE, pa.schema([("plan_id", pa.string())]))
LOG = TableSpec("log", TableKind.APPEND, pa.schema([("request_id", pa.string())]))

FIRST, SECOND, THIRD = date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 3)
WINDOW = Window(FIRST, THIRD)
START = datetime(2026, 10, 5, tzinfo=UTC)


class Clock:
    """A second passes each time it is looked at."""

    def __init__(self, moment=START):
        self.moment = moment

    def __call__(self):
        """Look at it."""
        self.moment += timedelta(seconds=1)
        return self.moment


@pytest.fixture
def store(tmp_path):
    return LandingStore(tmp_path / "landing", now=Clock())


def costs(*rows):
    return pa.Table.from_pylist(
        [{"usage_date": day, "amount_usd": Decimal(amount)} for day, amount in rows],
        schema=pa.schema([("usage_date", pa.date32()), *COSTS.schema]),
    )


def land_costs(store, *rows, window=WINDOW):
    with store.pull("bill") as pull:
        pull.count_read(COSTS, len(rows))
        pull.replace_window(COSTS, window, costs(*rows))
    return pull.result


def land_plans(store, *plans):
    with store.pull("company") as pull:
        pull.count_read(PLANS, len(plans))
        pull.replace_state(PLANS, pa.table({"plan_id": pa.array(plans, pa.string())}))
    return pull.result


def log_rows(*rows):
    days, requests = zip(*rows, strict=True)
    return pa.table({"usage_date": pa.array(days, pa.date32()), "request_id": requests})


def current_rows(store, table, as_known_at=None):
    """What counts, as (day, own columns…), read through the manifest as anybody would."""
    rows = []
    for slice_ in current_slices(store.root, [table], as_known_at).to_pylist():
        if slice_["file"]:
            landed = pq.ParquetFile(store.root / slice_["file"]).read().to_pylist()
            assert len(landed) == slice_["row_count"]
            rows += [(slice_["usage_date"], *(row[name] for name in table.schema.names)) for row in landed]
    return sorted(rows)


def visible_files(store):
    return sorted(path for path in store.root.glob("[!_]*/**/*") if path.is_file())


# -- windows ------------------------------------------------------------------------------------------------


def test_a_day_restated_to_nothing_becomes_nothing(store):
    land_costs(store, (FIRST, "1"), (SECOND, "2"))
    result = land_costs(store, (FIRST, "1"))
    assert result.changed_dates == (SECOND,)
    assert current_rows(store, COSTS) == [(FIRST, Decimal(1))]


def test_a_day_that_was_always_empty_is_known_to_be_empty(store):
    result = land_costs(store)
    assert result.changed_dates == (FIRST, SECOND)
    manifest = read_manifest(store.root, "bill", "costs").to_pylist()
    assert [(row["usage_date"], row["row_count"], row["file"]) for row in manifest] == [
        (FIRST, 0, None),
        (SECOND, 0, None),
    ]
    assert not land_costs(store).changed


def test_the_same_answer_in_another_order_is_no_new_version(store):
    land_costs(store, (FIRST, "1"), (FIRST, "2"))
    before = visible_files(store)
    result = land_costs(store, (FIRST, "2"), (FIRST, "1"))
    assert not result.changed
    assert result.tables["costs"].rows_landed == 2
    assert visible_files(store) == before


@pytest.mark.parametrize("again", [["1"], ["1", "1", "2"], ["1", "2.000000000001"]])
def test_what_comes_once_more_or_differs_in_the_last_digit_is_another_answer(store, again):
    land_costs(store, (FIRST, "1"), (FIRST, "2"))
    assert land_costs(store, *((FIRST, amount) for amount in again)).changed_dates == (FIRST,)


def test_rows_outside_of_the_window_are_refused(store):
    with pytest.raises(SchemaError, match=r"table costs: rows of 2026-11-01 in a pull of \[2026-10-01, 2026-10-03\)"):
        land_costs(store, (date(2026, 11, 1), "1"))


day_contents = st.dictionaries(st.sampled_from([FIRST, SECOND, THIRD]), st.lists(st.integers(-3, 3), max_size=3))
windows = st.sampled_from([Window(FIRST, SECOND), Window(SECOND, date(2026, 10, 4)), Window(FIRST, date(2026, 10, 4))])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(windows, day_contents), min_size=1, max_size=5))
def test_any_pulls_leave_the_last_answer_of_each_day_and_every_earlier_state_can_be_seen_again(tmp_path_factory, pulls):
    store = LandingStore(tmp_path_factory.mktemp("windows") / "landing", now=Clock())
    expected = {}
    history = []
    for window, contents in pulls:
        answer = {day: contents.get(day, []) for day in window.days()}
        rows = [(day, str(amount)) for day, amounts in answer.items() for amount in amounts]
        result = land_costs(store, *rows, window=window)
        changed = {day for day in answer if sorted(answer[day]) != sorted(expected.get(day, [None]))}
        assert set(result.changed_dates) == changed
        expected |= answer
        history.append((result.pulled_at, sorted((day, Decimal(n)) for day in expected for n in expected[day])))
    for moment, rows in history:
        assert current_rows(store, COSTS, moment) == rows


# -- copies and logs ----------------------------------------------------------------------------------------


def test_an_unchanged_copy_of_a_table_lands_nothing_and_a_changed_one_replaces_it(store):
    for plans, changed in ((["a"], True), (["a"], False), (["a", "b"], True), (["a"], True), ([], True), ([], False)):
        result = land_plans(store, *plans)
        assert result.changed is changed
        assert [plan for _, plan in current_rows(store, PLANS)] == plans


def test_a_copy_has_no_days_that_change(store):
    assert land_plans(store, "a").changed_dates == ()


def test_unknown_and_the_word_null_are_not_the_same(store):
    land_plans(store, None)
    assert land_plans(store, "null").changed
    assert land_plans(store, '["null"]').changed


def test_the_same_segment_lands_once(store):
    for expected in (True, False):
        with store.pull("app") as pull:
            if not pull.already_landed(LOG, "hash"):
                pull.count_read(LOG, 1)
                pull.append(LOG, segment_hash="hash", input_file="a.jsonl", data=log_rows((FIRST, "r1")))
            assert pull.already_landed(LOG, "hash")
        assert pull.result.changed is expected
    assert current_rows(store, LOG) == [(FIRST, "r1")]


def test_segments_add_up_and_never_replace_each_other(store):
    for number in range(3):
        with store.pull("app") as pull:
            pull.count_read(LOG, 2)
            data = log_rows((FIRST, f"a{number}"), (SECOND, f"b{number}"))
            pull.append(LOG, segment_hash=f"hash {number}", input_file="a.jsonl", data=data)
        assert pull.result.changed_dates == (FIRST, SECOND)
    assert len(current_rows(store, LOG)) == 6


def test_a_segment_may_have_several_files_a_day(store, tmp_path):
    with store.pull("app") as pull:
        for name in ("0", "1"):
            path = pull.scratch / "rows" / f"usage_date={FIRST}" / f"{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = {"source_name": ["app"], "pull_id": [pull.pull_id], "request_id": [name]}
            pq.write_table(pa.table(rows, schema=landed_schema(LOG)), path)
        pull.count_read(LOG, 2)
        pull.append(LOG, segment_hash="hash", input_file="a.jsonl", parquet_dir=pull.scratch / "rows")
    assert current_rows(store, LOG) == [(FIRST, "0"), (FIRST, "1")]


def test_a_segment_without_a_good_line_is_remembered(store):
    with store.pull("app") as pull:
        pull.count_read(LOG, 1, rows_skipped=1)
        pull.append(LOG, segment_hash="hash", input_file="a.jsonl")
    with store.pull("app") as pull:
        assert pull.already_landed(LOG, "hash")
    assert current_rows(store, LOG) == []


def test_notes_on_inputs_are_kept_only_with_the_pull(store):
    with store.pull("app") as pull:
        pull.ledger(LOG)["a.jsonl"] = {"bytes": 10}
    with pytest.raises(ConservationError), store.pull("app") as pull:
        pull.ledger(LOG)["a.jsonl"] = {"bytes": 20}
        pull.count_read(LOG, 1)
    with store.pull("app") as pull:
        assert pull.ledger(LOG) == {"a.jsonl": {"bytes": 10}}


# -- nothing is lost, nothing is guessed --------------------------------------------------------------------


def test_a_double_where_a_decimal_is_meant_is_refused_by_name(store):
    data = pa.table({"usage_date": pa.array([FIRST]), "amount_usd": pa.array([1.0])})
    with (
        pytest.raises(SchemaError, match=r"costs, column amount_usd: expected decimal128\(38, 12\), got double"),
        store.pull("bill") as pull,
    ):
        pull.replace_window(COSTS, WINDOW, data)


def test_a_file_with_another_schema_is_refused_by_name(store):
    with (
        pytest.raises(SchemaError, match="table log, column request_id: expected string, got int64"),
        store.pull("app") as pull,
    ):
        path = pull.scratch / f"usage_date={FIRST}" / "0.parquet"
        path.parent.mkdir()
        pq.write_table(pa.table({"source_name": ["app"], "pull_id": ["p"], "request_id": [1]}), path)
        pull.append(LOG, segment_hash="hash", input_file="a.jsonl", parquet_dir=pull.scratch)


def test_a_table_is_written_the_way_of_its_kind(store):
    with pytest.raises(SchemaError, match="table log is of kind append, not window"), store.pull("app") as pull:
        pull.replace_window(LOG, WINDOW, log_rows((FIRST, "r1")))


def test_a_row_that_is_neither_landed_nor_quarantined_nor_skipped_fails_the_pull(store):
    with (
        pytest.raises(ConservationError, match="table costs: 3 rows were read, but 1 landed"),
        store.pull("bill") as pull,
    ):
        pull.count_read(COSTS, 3)
        pull.replace_window(COSTS, WINDOW, costs((FIRST, "1")))
    assert visible_files(store) == []


def test_quarantined_rows_are_kept_with_their_reason_however_many(store):
    rows = [QuarantinedRow("a.jsonl", number, "invalid_json", "…") for number in range(1000)]
    with store.pull("app") as pull:
        pull.count_read(LOG, 2000)
        pull.quarantine(LOG, rows)
        pull.quarantine(LOG, rows)
    assert pull.result.tables["log"].reasons == {"invalid_json": 2000}
    (path,) = (store.root / "_quarantine/app/log").glob("*.parquet")
    kept = pq.read_table(path).to_pylist()
    assert len(kept) == 2000
    assert kept[7] == {
        "source_name": "app",
        "table_name": "log",
        "pull_id": pull.pull_id,
        "input_file": "a.jsonl",
        "line_number": 7,
        "reason": "invalid_json",
        "raw_excerpt": "…",
        "quarantined_at": pull.pulled_at,
    }


def test_the_counts_of_the_manifest_add_up(store):
    bad = [QuarantinedRow("a.jsonl", 1, "invalid_json", "…")]
    with store.pull("app") as pull:
        for number in range(2):
            pull.count_read(LOG, 5, rows_skipped=2)
            pull.quarantine(LOG, bad)
            data = log_rows((FIRST, "r1"), (SECOND, "r2"))
            pull.append(LOG, segment_hash=f"hash {number}", input_file="a.jsonl", data=data)
        pull.count_read(LOG, 4, rows_skipped=3)
        pull.quarantine(LOG, bad)
    manifest = read_manifest(store.root, "app", "log")
    sums = {name: sum(manifest[name].to_pylist()) for name in ("row_count", "quarantined_count", "skipped_count")}
    assert sums == {"row_count": 4, "quarantined_count": 3, "skipped_count": 7}


# -- whole pulls --------------------------------------------------------------------------------------------


def test_a_pull_that_fails_leaves_nothing(store):
    with pytest.raises(RuntimeError), store.pull("bill") as pull:
        (pull.scratch / "copy.jsonl").write_text("what the source said")
        pull.replace_window(COSTS, WINDOW, costs((FIRST, "1")))
        raise RuntimeError
    assert visible_files(store) == []
    assert list((store.root / "_staging/bill").iterdir()) == []


def _die_before_the_commit(root):
    with LandingStore(root, now=Clock()).pull("bill") as pull:
        pull.count_read(COSTS, 1)
        pull.replace_window(COSTS, WINDOW, costs((FIRST, "1")))
        os._exit(1)


def _die_in_the_commit(root):
    commit.add_to_manifest = lambda *_: os._exit(1)
    land_costs(LandingStore(root, now=Clock()), (FIRST, "1"))


def run_and_die(target, root):
    process = multiprocessing.get_context("spawn").Process(target=target, args=(root,))
    process.start()
    process.join()
    assert process.exitcode == 1


def test_a_process_killed_in_the_middle_of_a_pull_leaves_nothing_to_readers_nor_to_the_next_pull(store):
    run_and_die(_die_before_the_commit, store.root)
    assert visible_files(store) == []
    result = land_costs(store)
    assert (result.changed_dates, current_rows(store, COSTS)) == ((FIRST, SECOND), [])
    assert list((store.root / "_staging/bill").iterdir()) == []


@pytest.mark.parametrize("finished_by", ["the next pull", "recovery"])
def test_a_process_killed_after_the_commit_point_is_finished(store, finished_by):
    run_and_die(_die_in_the_commit, store.root)
    assert current_rows(store, COSTS) == []
    if finished_by == "recovery":
        store.recover()
    else:
        store._now.moment += timedelta(hours=1)
        assert not land_costs(store, (FIRST, "1")).changed
    assert current_rows(store, COSTS) == [(FIRST, Decimal(1))]
    assert read_manifest(store.root, "bill", "costs").num_rows == 2
    assert list((store.root / "_staging/bill").iterdir()) == []


def test_two_tables_of_one_pull_are_kept_apart(store):
    with store.pull("bill") as pull:
        pull.count_read(COSTS, 1)
        pull.replace_window(COSTS, WINDOW, costs((FIRST, "1")))
        pull.count_read(USAGE, 0)
        pull.replace_window(
            USAGE,
            WINDOW,
            pa.table({"usage_date": pa.array([], pa.date32()), "tokens": []}).cast(
                pa.schema([("usage_date", pa.date32()), *USAGE.schema])
            ),
        )
    assert sorted(set(read_manifests(store.root)["table_name"].to_pylist())) == ["costs", "usage"]
    assert current_rows(store, COSTS) == [(FIRST, Decimal(1))]


def test_the_newest_answer_counts_even_when_the_clock_was_set_back(store):
    land_costs(store, (FIRST, "1"))
    store._now.moment -= timedelta(days=1)
    land_costs(store, (FIRST, "2"))
    assert current_rows(store, COSTS) == [(FIRST, Decimal(2))]


@pytest.mark.parametrize("name", ["", "_schemas", "../elsewhere", "a/b", "x" * 101])
def test_a_source_whose_name_cannot_be_a_folder_is_refused(store, name):
    with pytest.raises(LandingError, match="is no name for a source"), store.pull(name):
        pass


def _try_to_pull(root, outcome):
    try:
        with LandingStore(root).pull("bill"):
            outcome.put("pulled")
    except SourceBusyError as error:
        outcome.put(str(error))


def test_two_processes_never_pull_one_source_at_once(store):
    context = multiprocessing.get_context("spawn")
    outcome = context.Queue()
    with store.pull("bill"):
        other = context.Process(target=_try_to_pull, args=(store.root, outcome))
        other.start()
        assert "another pull of it is under way" in outcome.get(timeout=60)
        other.join()
    with store.pull("bill"), store.pull("another source"[:7]):
        pass
