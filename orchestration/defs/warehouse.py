"""The three dbt ops, and the reviewed files that they read."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any

import dagster as dg

from orchestration.components.folder import landed_asset_keys
from orchestration.partitions import daily_partitions
from orchestration.runtime.instance import WAREHOUSE_POOL
from orchestration.settings import Settings
from orchestration.warehouse.assets import model_specs, reviewed_file_specs, test_specs
from orchestration.warehouse.build import (
    BuildConfig,
    DailyBuildConfig,
    StepEvents,
    build_daily,
    build_reference,
    build_rollup,
)
from orchestration.warehouse.project import DbtManifest, DbtOp, project_manifest
from orchestration.warehouse.runner import DbtProcess, take_over


@dg.resource(description="A dbt process that serves all ops of a run.")
def dbt_process(_context: dg.InitResourceContext) -> Iterator[DbtProcess]:
    """Yield the process, which starts while the sources are being pulled, and end it with the run."""
    with closing(take_over(Settings.from_env())) as process:
        process.warm_up()
        yield process


@dg.definitions
def warehouse(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Return the dbt assets, wired to whatever sources are in use."""
    settings = Settings.from_env()
    manifest = project_manifest(settings)
    landed = landed_asset_keys(settings, context)
    return dg.Definitions(
        assets=[*reviewed_file_specs(manifest), *dbt_assets(manifest, settings, landed)],
        resources={"dbt": dbt_process},
    )


def dbt_assets(
    manifest: DbtManifest, settings: Settings, landed: Mapping[str, Iterable[dg.AssetKey]]
) -> list[dg.AssetsDefinition]:
    """Return the ops `reference`, `daily` and `rollup`."""

    def shape(op: DbtOp) -> dict[str, Any]:
        return {
            "name": f"dbt_{op}",
            "specs": model_specs(manifest, op, lambda table: landed.get(table, ())),
            "check_specs": test_specs(manifest, op),
            "can_subset": True,
            "required_resource_keys": {"dbt"},
            "pool": WAREHOUSE_POOL,
        }

    @dg.multi_asset(**shape(DbtOp.REFERENCE))
    def reference(context: dg.AssetExecutionContext, config: BuildConfig) -> StepEvents:
        yield from build_reference(context, manifest, config)

    @dg.multi_asset(
        **shape(DbtOp.DAILY),
        partitions_def=daily_partitions(settings),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def daily(context: dg.AssetExecutionContext, config: DailyBuildConfig) -> StepEvents:
        yield from build_daily(context, manifest, config)

    @dg.multi_asset(**shape(DbtOp.ROLLUP))
    def rollup(context: dg.AssetExecutionContext, config: BuildConfig) -> StepEvents:
        yield from build_rollup(context, manifest, config)

    return [reference, daily, rollup]
