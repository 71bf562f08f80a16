"""The pooled event log says what Dagster's own says, event for event."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.partitions import range_tags
from orchestration.runtime.event_storage import PooledSqliteEventLogStorage
from orchestration.runtime.instance import open_instance
from orchestration.settings import Settings

PARTITIONS = dg.DailyPartitionsDefinition("2026-10-01", end_date="2026-10-11")
DAYS = [f"2026-10-{day:02d}" for day in range(1, 11)]


@dg.multi_asset(
    specs=[dg.AssetSpec("requests"), dg.AssetSpec("bills")],
    check_specs=[dg.AssetCheckSpec("good", asset="requests"), dg.AssetCheckSpec("bad", asset="bills")],
    partitions_def=PARTITIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def daily() -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    if "broken" in dg.AssetExecutionContext.get().run.tags:
        raise dg.Failure("broken")
    yield dg.MaterializeResult("requests", metadata={"rows": 3})
    yield dg.MaterializeResult("bills")
    yield dg.AssetCheckResult(asset_key="requests", check_name="good", passed=True)
    yield dg.AssetCheckResult(asset_key="bills", check_name="bad", passed=False, metadata={"breaches": 2})


@dg.asset(deps=["requests"])
def rollup() -> None:
    """Something downstream."""


DEFINITIONS = dg.Definitions(assets=[daily, rollup], jobs=[dg.define_asset_job("all", partitions_def=PARTITIONS)])


def run_on(
    instance: dg.DagsterInstance, first: str = DAYS[0], last: str = DAYS[-1], *, broken: bool = False
) -> dg.ExecuteInProcessResult:
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    if broken:
        tags["broken"] = "yes"
    return DEFINITIONS.resolve_job_def("all").execute_in_process(
        instance=instance, tags=tags, raise_on_error=not broken
    )


def story(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str, str, str]]:
    """What happened, with an event for each day where one speaks of a range."""
    told = []
    for entry in instance.all_logs(run_id):
        event = entry.dagster_event
        if event is None or event.event_type_value == "ENGINE_EVENT":
            continue
        days = [event.partition]
        if event.is_asset_materialization_planned and event.asset_materialization_planned_data.partitions_subset:
            days = list(event.asset_materialization_planned_data.partitions_subset.get_partition_keys())
        told += [(event.event_type_value, str(event.asset_key), str(day)) for day in days]
    return sorted(told)


def index(instance: dg.DagsterInstance) -> dict[str, object]:
    keys = [dg.AssetKey("requests"), dg.AssetKey("bills"), dg.AssetKey("rollup")]
    checks = [dg.AssetCheckKey(keys[0], "good"), dg.AssetCheckKey(keys[1], "bad")]
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(checks)
    return {
        "days": {key.to_string(): sorted(instance.get_materialized_partitions(key)) for key in keys[:2]},
        "last": {
            record.asset_entry.asset_key.to_string(): record.asset_entry.last_materialization_record is not None
            for record in instance.get_asset_records(keys)
        },
        "checks": {str(key): record.status.value for key, record in found.items()},
    }


@pytest.fixture
def pooled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    for name in ("DAGSTER_HOME", "TRUEUP_HOME", "DAGSTER_EVENT_BATCH_SIZE"):
        monkeypatch.setenv(name, str(tmp_path))
    with open_instance(Settings(home=tmp_path / "pooled")) as instance:
        assert isinstance(instance.event_log_storage, PooledSqliteEventLogStorage)
        yield instance


def test_it_says_what_dagsters_own_says(pooled: dg.DagsterInstance, tmp_path: Path) -> None:
    (tmp_path / "stock").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "stock")) as stock:
        expected, got = run_on(stock), run_on(pooled)
        assert story(pooled, got.run_id) == story(stock, expected.run_id)
        assert index(pooled) == index(stock)


def test_what_it_wrote_dagsters_own_reads(pooled: dg.DagsterInstance, tmp_path: Path) -> None:
    written = run_on(pooled)
    storage = tmp_path / "pooled" / "dagster" / "storage"
    with dg.DagsterInstance.local_temp(str(storage)) as stock:
        assert story(stock, written.run_id) == story(pooled, written.run_id)
        assert index(stock) == index(pooled)


def test_a_range_is_planned_by_one_event_and_its_days_are_failed_until_they_are_done(
    pooled: dg.DagsterInstance, tmp_path: Path
) -> None:
    """From days that were planned and are not done, the UI tells failed ones and those under way."""

    def attempts(instance: dg.DagsterInstance) -> set[str]:
        storage = instance.event_log_storage
        return set(
            storage.get_latest_asset_partition_materialization_attempts_without_materializations(
                dg.AssetKey("requests")
            )
        )

    def planned_count(instance: dg.DagsterInstance, run_id: str) -> int:
        entries = [entry.dagster_event for entry in instance.all_logs(run_id)]
        return sum(event is not None and event.is_asset_materialization_planned for event in entries)

    (tmp_path / "stock").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "stock")) as stock:
        for instance, planned in ((pooled, 3), (stock, 9)):
            run_on(instance, DAYS[0], DAYS[4])
            failed = run_on(instance, DAYS[3], DAYS[6], broken=True)
            assert not failed.success
            assert planned_count(instance, failed.run_id) == planned
            assert attempts(instance) == set(DAYS[3:7])
            run_on(instance, DAYS[6], DAYS[6])
            assert attempts(instance) == set(DAYS[3:6])


def test_check_evaluations_come_oldest_first_and_only_once(pooled: dg.DagsterInstance) -> None:
    """The sensor over failed checks keeps a number as its cursor."""

    def evaluations(after: int | None) -> list[dg.EventLogRecord]:
        wanted = dg.EventRecordsFilter(dg.DagsterEventType.ASSET_CHECK_EVALUATION, after_cursor=after)
        return list(pooled.get_event_records(wanted, limit=3, ascending=True))

    for _ in range(2):
        run_on(pooled)
    first = evaluations(None)
    rest = evaluations(first[-1].storage_id)
    numbers = [record.storage_id for record in [*first, *rest]]
    assert len(numbers) == 4
    assert numbers == sorted(set(numbers))
    assert evaluations(numbers[-1]) == []


def test_a_range_of_days_is_named_by_its_first_and_last_day() -> None:
    from orchestration.connectors.base import Window  # noqa: PLC0415
    from orchestration.partitions import days_of_run  # noqa: PLC0415

    days = Window(PARTITIONS.start.date(), PARTITIONS.start.date().replace(day=5))
    assert range_tags(days)["dagster/asset_partition_range_end"] == "2026-10-04"
    assert days_of_run(range_tags(days)) == days
    assert days_of_run({"dagster/partition": "2026-10-04"}) == Window(days.end.replace(day=4), days.end)
    assert days_of_run({}) is None
