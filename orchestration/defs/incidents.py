"""Incidents: evaluated after the alerts of a run are built, before they are published; and the sending of messages."""

# Dagster's decorators are typed in part.
# pyright: reportUnknownMemberType=false

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orchestration.alerting.delivery import deliver_due
from orchestration.alerting.evaluation import evaluate_incidents
from orchestration.partitions import days_of_run
from orchestration.runtime.instance import WAREHOUSE_POOL
from orchestration.settings import Settings
from orchestration.warehouse.alerts import alert_models, rule_of
from orchestration.warehouse.assets import model_key
from orchestration.warehouse.project import project_manifest
from orchestration.warehouse.runner import warehouse_lock

INCIDENTS = dg.AssetKey(["alerting", "incidents"])


@dg.definitions
def incidents() -> dg.Definitions:
    """Return the asset and the sensor."""
    manifest = project_manifest(Settings.from_env())
    rule_models = {rule_of(node): node["name"] for node in alert_models(manifest)}
    alerts = [model_key(node) for node in manifest.models.values() if node["name"] == "alerts"]

    @dg.asset(
        key=INCIDENTS,
        deps=alerts,
        group_name="alerting",
        kinds={"sqlite"},
        pool=WAREHOUSE_POOL,
        description="One incident a rule and scope, its history, and the messages that are yet to be sent.",
    )
    def evaluated(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        settings = Settings.from_env()
        days = days_of_run(context.run.tags)
        if days is None:
            context.log.info("the run names no days")
            return dg.MaterializeResult(metadata={"events": 0})
        with warehouse_lock(settings):
            events = evaluate_incidents(settings, days, rule_models, datetime.now(UTC))
        return dg.MaterializeResult(metadata={"events": len(events)})

    @dg.sensor(
        name="alert_delivery",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends the messages that are due, each channel by itself.",
    )
    def alert_delivery() -> dg.SkipReason:
        waiting = deliver_due(Settings.from_env())
        return dg.SkipReason(f"no address for {', '.join(waiting)}" if waiting else "nothing more is due")

    return dg.Definitions(assets=[evaluated], sensors=[alert_delivery])
