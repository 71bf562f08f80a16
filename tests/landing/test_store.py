"""The landing zone: versions, windows that replace, pulls that become visible whole or not at all."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from orchestration.connectors.base import QuarantinedRow, TableKind, TableSpec, Window
from orchestration.landing import store as store_module
from orchestration.landing.errors import ConservationError, SchemaError, SourceBusyError
from orchestration.landing.manifest import read_manifest
from orchestration.landing.state import current_slices, input_fingerprints
from orchestration.landing.store import LandingStore

COSTS = TableSpec("costs", TableKind.WINDOW, pa.schema([("amount_usd", pa.decimal128(38, 12))]))
PLANS = TableSpec("plans", TableKind.STATE, pa.schema([("plan_id", pa.string())]))
LOG = TableSpec("log", TableKind.APPEND, pa.schema([("request_id", pa.string())]))

FIRST, SECOND = date(2026, 10, 1), date(2026, 10, 2)
WINDOW = Window(FIRST, date(2026, 10, 3))


class Clock:
    def __init__(self):
        self.moment = datetime(2026, 10, 5, tzinfo=UTC)

    def __call__(self):
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


def land_costs(store, *rows):
    with store.pull("bill") as pull:
        pull.count_read(COSTS, len(rows))
        pull.replace_window(COSTS, WINDOW, costs(*rows))
    return store._last_result


def rows_that_count(store, table):
    slices = current_slices(store.root, [table])
    return sum(row["row_count"] for row in slices.to_pylist())


def test_a_day_restated_to_nothing_becomes_nothing(store):
    land_costs(store, (FIRST, "1"), (SECOND, "2"))
    result = land_costs(store, (FIRST, "1"))
    assert result.changed_dates == (SECOND,)
    assert rows_that_count(store, COSTS) == 1


def test_the_same_answer_in_another_order_is_no_new_version(store):
    land_costs(store, (FIRST, "1"), (FIRST, "2"))
    before = read_manifest(store.root, "bill", "costs").num_rows
    result = land_costs(store, (FIRST, "2"), (FIRST, "1"))
    assert not result.changed
    assert read_manifest(store.root, "bill", "costs").num_rows == before


def test_every_version_is_kept_and_an_earlier_moment_sees_the_earlier_one(store):
    land_costs(store, (FIRST, "1"), (FIRST, "2"))
    between = store._now()
    land_costs(store, (FIRST, "3"))
    assert rows_that_count(store, COSTS) == 1
    assert sum(row["row_count"] for row in current_slices(store.root, [COSTS], between).to_pylist()) == 2


def test_a_double_where_a_decimal_is_meant_is_refused_by_name(store):
    data = pa.table({"usage_date": pa.array([FIRST]), "amount_usd": pa.array([1.0])})
    with (
        pytest.raises(SchemaError, match=r"costs, column amount_usd: expected decimal128\(38, 12\), got double"),
        store.pull("bill") as pull,
    ):
        pull.replace_window(COSTS, WINDOW, data)


def test_rows_outside_of_the_window_are_refused(store):
    with pytest.raises(SchemaError, match="in a pull of"):
        land_costs(store, (date(2026, 11, 1), "1"))


def test_a_row_that_is_neither_landed_nor_quarantined_nor_skipped_fails_the_pull(store):
    with pytest.raises(ConservationError, match="3 rows were read, but 1 landed"):  # noqa: SIM117
        with store.pull("bill") as pull:
            pull.count_read(COSTS, 3)
            pull.replace_window(COSTS, WINDOW, costs((FIRST, "1")))
    assert read_manifest(store.root, "bill", "costs").num_rows == 0


def test_quarantined_rows_are_kept_with_their_reason(store):
    with store.pull("bill") as pull:
        pull.count_read(COSTS, 1)
        pull.quarantine(COSTS, [QuarantinedRow("costs.json", 7, "invalid_json", "…")])
        pull.replace_window(COSTS, WINDOW, costs())
    assert store._last_result.tables["costs"].reasons == {"invalid_json": 1}
    assert len(list((store.root / "_quarantine/bill/costs").glob("*.parquet"))) == 1


def test_the_same_segment_lands_once(store):
    data = pa.table({"usage_date": pa.array([FIRST], pa.date32()), "request_id": ["r1"]})
    for expected in (True, False):
        with store.pull("app") as pull:
            if not pull.already_landed(LOG, "hash"):
                pull.count_read(LOG, 1)
                pull.append(LOG, segment_hash="hash", input_file="a.jsonl", data=data)
        assert store._last_result.changed is expected
    assert rows_that_count(store, LOG) == 1


def test_an_unchanged_copy_of_a_table_lands_nothing_and_a_changed_one_replaces_it(store):
    for plans, changed in ((["a"], True), (["a"], False), (["a", "b"], True), (["a"], True)):
        with store.pull("company") as pull:
            pull.count_read(PLANS, len(plans))
            pull.replace_state(PLANS, pa.table({"plan_id": plans}))
        assert store._last_result.changed is changed
    assert rows_that_count(store, PLANS) == 1


def test_a_pull_that_dies_leaves_nothing(store):
    with pytest.raises(RuntimeError), store.pull("bill") as pull:
        pull.count_read(COSTS, 1)
        pull.replace_window(COSTS, WINDOW, costs((FIRST, "1")))
        raise RuntimeError("killed")
    assert not list(store.root.glob("bill/costs/**/*.parquet"))
    assert not list((store.root / "_staging/bill").iterdir())


def test_a_pull_that_dies_after_its_commit_point_is_finished_by_the_next(store, monkeypatch):
    calls = []

    def die_in_the_middle(*args):
        calls.append(args)
        raise OSError("power failure")

    monkeypatch.setattr(store_module, "add_to_manifest", die_in_the_middle)
    with pytest.raises(OSError, match="power failure"):
        land_costs(store, (FIRST, "1"))
    monkeypatch.undo()
    assert calls
    land_costs(store, (FIRST, "1"))
    manifest = read_manifest(store.root, "bill", "costs")
    assert manifest["usage_date"].to_pylist() == [FIRST, SECOND]
    assert rows_that_count(store, COSTS) == 1


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


def test_a_fingerprint_moves_only_with_its_own_day(store):
    land_costs(store, (FIRST, "1"), (SECOND, "2"))
    before = input_fingerprints(store.root, [COSTS])
    land_costs(store, (FIRST, "1"), (SECOND, "3"))
    after = input_fingerprints(store.root, [COSTS])
    assert before[FIRST] == after[FIRST]
    assert before[SECOND] != after[SECOND]
