"""Telling people about failed checks.

Dagster raises no alert for a failed check by itself, and a run whose check does not block is still a success
(lab). So the check evaluations themselves are read, oldest first, with a cursor that is kept.
"""

# Dagster's decorators are typed in part.
# pyright: reportUnknownMemberType=false

import logging
from collections.abc import Iterable, Iterator, Mapping

import dagster as dg

from orchestration.alerting.message import FailedCheck, render

_EVALUATIONS_A_TICK = 500

_log = logging.getLogger("trueup.alerts")


@dg.definitions
def notifications() -> dg.Definitions:
    """Return the sensor."""

    @dg.sensor(
        name="failed_checks",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes one message for each check that failed since the last tick.",
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
        failures = list(failures_of(records))
        for failure in failures:
            _log.warning("%s", render(failure))
        if records:
            context.update_cursor(str(records[-1].storage_id))
        return dg.SkipReason(f"{len(records)} checks evaluated, {len(failures)} failed")

    return dg.Definitions(sensors=[failed_checks])


def failures_of(records: Iterable[dg.EventLogRecord]) -> Iterator[FailedCheck]:
    """Yield the failed ones of check evaluations, in their order."""
    for record in records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        evaluation = event.asset_check_evaluation_data
        if evaluation.passed:
            continue
        metadata: Mapping[str, dg.MetadataValue] = evaluation.metadata
        rows = metadata.get("breaching_rows")
        runbook = metadata.get("runbook")
        count = metadata.get("breaches") or metadata.get("failed_rows")
        yield FailedCheck(
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
