"""The alert rules as asset checks on the alert models."""

from collections.abc import Iterator

import dagster as dg

from orchestration.partitions import days_of_run
from orchestration.runtime.instance import WAREHOUSE_POOL
from orchestration.settings import Settings
from orchestration.warehouse.alerts import alert_check_specs, alert_models, evaluate_alerts
from orchestration.warehouse.assets import model_key
from orchestration.warehouse.project import DbtOp, project_manifest
from orchestration.warehouse.runner import warehouse_lock
from orchestration.warehouse.state import EVALUATED_PART, WarehouseState, evaluation


@dg.definitions
def checks() -> dg.Definitions:
    """Return one op with a check for each alert model."""
    manifest = project_manifest(Settings.from_env())
    nodes = {model_key(node): node for node in alert_models(manifest)}
    if not nodes:
        return dg.Definitions()

    @dg.multi_asset_check(name="alert_rules", specs=alert_check_specs(manifest), can_subset=True, pool=WAREHOUSE_POOL)
    def alert_rules(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        settings = Settings.from_env()
        days = days_of_run(context.run.tags)
        selected = [nodes[key.asset_key] for key in context.selected_asset_check_keys]
        is_whole = len(selected) == len(nodes)
        with warehouse_lock(settings):
            state = WarehouseState.load(settings.warehouse_state, settings.warehouse)
            yield from evaluate_alerts(settings.warehouse, selected, days)
            rolled_up = state.parts.get(DbtOp.ROLLUP)
            if is_whole and rolled_up is not None and days is not None:
                state.with_part(EVALUATED_PART, evaluation(rolled_up, days)).save(settings.warehouse_state)

    return dg.Definitions(asset_checks=[alert_rules])
