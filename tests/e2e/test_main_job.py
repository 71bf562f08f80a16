"""The main job, as a user starts it: one real Dagster run over every asset, then again, then after a restatement."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import dagster as dg
import pytest
from company import DAYS, LAST_DAY, Company
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from later_runs import Run, instance_of, latest_materialization

from orchestration.connectors.base import Window
from orchestration.partitions import days_of_run
from orchestration.publishing.reader import open_marts
from orchestration.runtime.run import load_definitions


def test_it_ends_well_and_shows_the_figures(small_company: Company) -> None:
    code, *_ = small_company.first_output.splitlines()
    assert code == "0", small_company.first_output
    for title in (
        "Spend by feature",
        "The ten dearest tenants",
        "Cost per accepted outcome",
        "make ui",
        "marts.duckdb",
    ):
        assert title in small_company.first_output
    assert "Warning" not in small_company.first_output


def test_it_is_one_run_that_materialises_every_asset_and_day(small_company: Company) -> None:
    days = {(LAST_DAY - timedelta(days=back)).isoformat() for back in range(DAYS)}
    with instance_of(small_company) as instance:
        graph = load_definitions().resolve_asset_graph()
        (run,) = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert run.job_name == "main"
        for key in graph.materializable_asset_keys:
            if graph.get(key).is_partitioned:
                assert instance.get_materialized_partitions(key) == days, key
            else:
                assert latest_materialization(instance, key), key


def test_every_check_was_evaluated_and_none_that_blocks_failed(small_company: Company) -> None:
    with instance_of(small_company) as instance:
        graph = load_definitions().resolve_asset_graph()
        found = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(graph.asset_check_keys))
        evaluations = {}
        for key in graph.asset_check_keys:
            assert key in found, key
            rows = instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
            assert AssetCheckExecutionRecordStatus.PLANNED not in {row.status for row in rows}, key
            event = found[key].event
            assert event is not None
            assert event.dagster_event is not None
            evaluations[key] = event.dagster_event.asset_check_evaluation_data
        lost = [key for key, evaluation in evaluations.items() if not evaluation.passed and evaluation.blocking]
        assert lost == []
        assert {key.name for key in evaluations} >= {"nothing_lost", "quarantine_empty", "in_bounds"}


def test_a_breach_shows_its_rows_and_its_runbook_in_the_ui(small_company: Company) -> None:
    """The sample bills a service that nobody instrumented, so a share of the bill belongs to nobody."""
    with instance_of(small_company) as instance:
        key = dg.AssetCheckKey(dg.AssetKey(["alerts", "alert_unattributed_shares"]), "in_bounds")
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
        assert record.event is not None
        assert record.event.dagster_event is not None
        evaluation = record.event.dagster_event.asset_check_evaluation_data
        assert not evaluation.passed
        rows = evaluation.metadata["breaching_rows"]
        assert isinstance(rows, dg.TableMetadataValue)
        assert len(rows.records) == evaluation.metadata["breaches"].value
        assert str(evaluation.metadata["runbook"].value).endswith(".md")


def test_each_failed_check_is_told_once(small_company: Company, caplog: pytest.LogCaptureFixture) -> None:
    with instance_of(small_company) as instance:
        sensor = load_definitions().get_repository_def().get_sensor_def("failed_checks")
        first = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
        told = [record.message for record in caplog.records if record.name == "trueup.alerts"]
        assert any("alerts/alert_unattributed_shares" in message and "what to do: " in message for message in told)
        caplog.clear()
        sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=first.cursor))
        assert not [record for record in caplog.records if record.name == "trueup.alerts"]


def test_the_schedules_ask_for_today_and_yesterday_and_the_night_for_what_was_restated(small_company: Company) -> None:
    with instance_of(small_company):
        repository = load_definitions().get_repository_def()
        now = datetime(2026, 11, 2, 4, 23, tzinfo=UTC)
        requests = {}
        for name in ("hourly", "nightly"):
            context = dg.build_schedule_context(scheduled_execution_time=now, repository_def=repository)
            (requests[name],) = repository.get_schedule_def(name).evaluate_tick(context).run_requests or []
        for request in requests.values():
            assert days_of_run(request.tags) == Window(date(2026, 11, 1), date(2026, 11, 3))
        nightly = requests["nightly"].run_config["ops"]
        assert nightly["pull_anthropic"]["config"] == {"restate": True}
        assert nightly["dbt_daily"]["config"]["every_stale_day"] is True
        assert not requests["hourly"].run_config


def test_readers_see_one_total_however_it_is_cut(small_company: Company) -> None:
    with open_marts(small_company.home / "published") as marts:
        totals = {
            mart: marts.execute(f"select sum(effective_cost_usd) from {mart}").fetchone()
            for mart in ("fct_llm_requests", "unit_economics_by_feature_day", "unit_economics_by_tenant_day")
        }
    assert len(set(totals.values())) == 1, totals
    (total,) = totals["fct_llm_requests"] or (None,)
    assert isinstance(total, Decimal)
    assert total > 0


def test_a_move_changes_no_figure(small_company: Company, moved: Run) -> None:
    assert moved.version == small_company.version
    assert moved.built_days == small_company.built_days


def test_again_with_nothing_new_builds_and_publishes_nothing(moved: Run, unchanged: Run) -> None:
    assert moved.jobs == ("pull", "build")
    assert "node model." in moved.dbt_log
    # Two small runs; one over all assets would report each of them as it is.
    assert unchanged.jobs == ("pull", "revisit")
    # dbt may get ready meanwhile, and is sent away.
    assert "node model." not in unchanged.dbt_log
    assert unchanged.dbt_output == ""
    assert unchanged.version == moved.version
    assert unchanged.built_days == moved.built_days
    assert unchanged.metadata["published/marts"]["unchanged"].value is True
    assert {**unchanged.metadata, "published/marts": None} == {**moved.metadata, "published/marts": None}
    with instance_of(unchanged.company) as instance:
        # A check that is planned and not evaluated would show as skipped.
        rule = dg.AssetCheckKey(dg.AssetKey(["alerts", "alert_unattributed_shares"]), "in_bounds")
        (newest,) = instance.event_log_storage.get_asset_check_execution_history(rule, limit=1)
        assert newest.status is not AssetCheckExecutionRecordStatus.PLANNED


def test_a_restated_bill_rebuilds_its_day_and_the_one_before_and_no_closed_month(unchanged: Run, restated: Run) -> None:
    day, before, after = restated.company.restated_day("openai"), unchanged.built_days, restated.built_days
    changed = {date.fromisoformat(key) for key in after if after[key] != before.get(key)}
    assert changed == {day, day - timedelta(days=1)}
    assert restated.version != unchanged.version
    assert restated.metadata["marts/fct_provider_charges"]["built_days"].value == len(changed)
    booked = restated.company.trueup("adjustments")
    assert "adjustments for 2026-11" in booked.stdout, booked.stdout + booked.stderr


def test_a_rebuilt_warehouse_says_the_same(changing_company: Company) -> None:
    company = changing_company

    def figures() -> list[tuple[object, ...]]:
        with open_marts(company.home / "published") as marts:
            return marts.execute("select * from unit_economics_by_tenant_feature_day order by all").fetchall()

    before = figures()
    rebuilt = company.trueup("rebuild")
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    assert figures() == before
