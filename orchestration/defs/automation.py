"""When things run: every hour the newest days, every night whatever the providers have restated.

A source that cannot be read fails its run before anything is built. A sensor then builds from what the other
sources have landed, so that one silent source does not hold everybody up.
"""

# Dagster's decorators are typed in part.
# pyright: reportUnknownMemberType=false

from datetime import UTC, datetime

import dagster as dg

from orchestration.connectors.base import Window
from orchestration.partitions import ONE_DAY, daily_partitions, days_of_run, range_tags
from orchestration.runtime.jobs import (
    BUILD_JOB,
    MAIN_JOB,
    PULL_JOB,
    REVISIT_JOB,
    RunOptions,
    only_sources_failed,
    run_config,
)
from orchestration.settings import Settings
from orchestration.warehouse.assets import model_key
from orchestration.warehouse.project import project_manifest


@dg.definitions
def automation() -> dg.Definitions:
    """Return the jobs over all assets and their schedules."""
    everything = dg.AssetSelection.all()
    settings = Settings.from_env()
    manifest = project_manifest(settings)
    partitions = daily_partitions(settings)
    built = dg.AssetSelection.assets(*(model_key(node) for node in manifest.models.values()))
    landed = dg.AssetSelection.key_prefixes("landing")
    main_job = dg.define_asset_job(
        MAIN_JOB,
        everything,
        partitions_def=partitions,
        description="Pull, build, check and publish the given days.",
    )
    build_job = dg.define_asset_job(
        BUILD_JOB,
        everything - landed,
        partitions_def=partitions,
        description="Build and publish from what has landed, without asking any source.",
    )

    pull_job = dg.define_asset_job(
        PULL_JOB,
        landed,
        partitions_def=partitions,
        description="Pull the given days, and build nothing.",
    )
    revisit_job = dg.define_asset_job(
        REVISIT_JOB,
        everything - landed - built,
        partitions_def=partitions,
        description="Build nothing, and do what follows a build: time alone ends a switch, or makes a message due.",
    )

    @dg.schedule(name="hourly", cron_schedule="7 * * * *", execution_timezone="UTC", job=main_job)
    def hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        days = today_and_yesterday(context.scheduled_execution_time)
        return dg.RunRequest(run_key=f"hourly-{context.scheduled_execution_time:%Y%m%dT%H}", tags=range_tags(days))

    @dg.schedule(name="nightly", cron_schedule="23 4 * * *", execution_timezone="UTC", job=main_job)
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        days = today_and_yesterday(context.scheduled_execution_time)
        ops = op_names(context.repository_def.get_job(MAIN_JOB))
        return dg.RunRequest(
            run_key=f"nightly-{context.scheduled_execution_time:%Y%m%d}",
            tags=range_tags(days),
            # Every day that a provider may still change is pulled; exactly the days that did change are
            # built.
            run_config=run_config(ops, RunOptions(restate=True, every_stale_day=True)),
        )

    @dg.run_failure_sensor(
        name="build_without_failed_sources",
        monitored_jobs=[main_job],
        request_job=build_job,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="When only sources failed, builds and publishes from what the others have landed.",
    )
    def build_without_failed_sources(context: dg.RunFailureSensorContext) -> dg.RunRequest | dg.SkipReason:
        failed = [event.step_key for event in context.get_step_failure_events()]
        days = days_of_run(context.dagster_run.tags)
        if days is None or not only_sources_failed(failed):
            return dg.SkipReason("not only sources failed")
        return dg.RunRequest(run_key=f"build-{context.dagster_run.run_id}", tags=range_tags(days))

    return dg.Definitions(
        jobs=[main_job, build_job, pull_job, revisit_job],
        schedules=[hourly, nightly],
        sensors=[build_without_failed_sources],
        # Steps share one process: a step of its own process takes four seconds to begin, and there are a
        # dozen.
        executor=dg.in_process_executor,
    )


def op_names(job: dg.JobDefinition) -> list[str]:
    """Return the names of a job's ops."""
    return [node.name for node in job.nodes]


def today_and_yesterday(now: datetime) -> Window:
    """Return the UTC day of `now` and the one before."""
    today = now.astimezone(UTC).date()
    return Window(today - ONE_DAY, today + ONE_DAY)
