"""Telling people about failed checks.

Dagster raises no alert for a failed check by itself, and a run whose check does not block is still a success
(lab). So the check evaluations themselves are read, oldest first, with a cursor that is kept.
"""

# Dagster's decorators are typed in part.
# pyright: reportUnknownMemberType=false

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

import dagster as dg

from orchestration.alerting.evaluation import note_checks
from orchestration.alerting.message import FailedCheck, render
from orchestration.settings import Settings
from orchestration.warehouse.alerts import IN_BOUNDS

_EVALUATIONS_A_TICK = 500

_log = logging.getLogger("trueup.alerts")


@dg.definitions
def notifications() -> dg.Definitions:
    """Return the sensor."""

    @dg.sensor(
        name="failed_checks",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Logs each check that failed since the last tick, and tells people of those that changed.",
    )
    def failed_checks(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        records = context.instance.get_event_records(
            dg.EventRecordsFilter(
                dg.DagsterEventType.ASSET_CHECK_EVALUATION,
                after_cursor=int(context.cursor) if context.cursor else None,
            ),
            limit=_EVALUATIONS_A_TICK,
            ascending=True,
        )
        evaluations = list(evaluations_of(records))
        failures = [check for check, is_failing in evaluations if is_failing]
        for check in failures:
            _log.warning("%s", render(check))
        # A breach is told by its incident, once; a check of data by its change.
        of_data = [evaluation for evaluation in evaluations if evaluation[0].check != IN_BOUNDS]
        note_checks(Settings.from_env(), of_data, datetime.now(UTC))
        if records:
            context.update_cursor(str(records[-1].storage_id))
        return dg.SkipReason(f"{len(records)} checks evaluated, {len(failures)} failed")

    return dg.Definitions(sensors=[failed_checks])


def evaluations_of(records: Iterable[dg.EventLogRecord]) -> Iterator[tuple[FailedCheck, bool]]:
    """Yield checks, and whether they failed, in their order."""
    for record in records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        evaluation = event.asset_check_evaluation_data
        metadata: Mapping[str, dg.MetadataValue] = evaluation.metadata
        rows = metadata.get("breaching_rows")
        runbook = metadata.get("runbook")
        count = metadata.get("breaches") or metadata.get("failed_rows")
        found = FailedCheck(
            asset=evaluation.asset_key.to_user_string(),
            check=evaluation.check_name,
            is_blocking=bool(evaluation.blocking),
            severity=evaluation.severity.value,
            run_id=record.run_id,
            description=evaluation.description,
            runbook=str(runbook.value) if runbook else None,
            rows=[row.data for row in rows.records] if isinstance(rows, dg.TableMetadataValue) else (),
            rows_count=count.value if isinstance(count, dg.IntMetadataValue) else None,
        )
        yield found, not evaluation.passed
