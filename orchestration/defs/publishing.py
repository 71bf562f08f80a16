"""The published marts: the last asset, downstream of every check that blocks."""

from dataclasses import replace
from typing import Any

import dagster as dg

from orchestration.defs.incidents import INCIDENTS
from orchestration.publishing.publish import publish
from orchestration.runtime.instance import WAREHOUSE_POOL
from orchestration.settings import Settings
from orchestration.warehouse.assets import model_key
from orchestration.warehouse.inputs import publication
from orchestration.warehouse.project import DbtOp, project_manifest
from orchestration.warehouse.runner import warehouse_lock
from orchestration.warehouse.state import PUBLISHED_PART, WarehouseState, stale_days

PUBLISHED_MARTS = dg.AssetKey(["published", "marts"])


class PublishConfig(dg.Config):
    """How the marts are published."""

    force: bool = False
    """Write every day and mart, also those that did not change."""


@dg.definitions
def publishing() -> dg.Definitions:
    """Return the asset of the published marts."""
    manifest = project_manifest(Settings.from_env())
    public = [node for node in manifest.models.values() if node["config"].get("meta", {}).get("published")]

    @dg.asset(
        key=PUBLISHED_MARTS,
        # Events of incidents are written by this run, and are a view in the warehouse.
        deps=[*(model_key(node) for node in public), INCIDENTS],
        group_name="published",
        kinds={"parquet", "duckdb"},
        pool=WAREHOUSE_POOL,
        description="Parquet for each public mart and `marts.duckdb` over it: all that readers ever open.",
    )
    def marts(config: PublishConfig) -> dg.MaterializeResult[Any]:
        settings = Settings.from_env()
        with warehouse_lock(settings):
            state = WarehouseState.load(settings.warehouse_state, settings.warehouse)
            rolled_up = state.parts.get(DbtOp.ROLLUP)
            wanted = rolled_up and publication(settings, rolled_up)
            is_current = wanted is not None and state.parts.get(PUBLISHED_PART) == wanted
            if is_current and not config.force and (settings.published / "marts.duckdb").exists():
                return dg.MaterializeResult(metadata={"unchanged": True})
            changed = None if config.force else stale_days(state.days, state.published_days)
            # What is rolled up is noted as it is (orchestration/warehouse).
            rolled_up_days = None if config.force else ()
            result = publish(
                settings.warehouse, settings.published, manifest.path, changed, rolled_up_dates=rolled_up_days
            )
            replace(state.with_part(PUBLISHED_PART, wanted), published_days=state.days).save(settings.warehouse_state)
        return dg.MaterializeResult(metadata={"unchanged": False, "version": result.version})

    return dg.Definitions(assets=[marts])
