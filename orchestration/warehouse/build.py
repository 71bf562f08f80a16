"""Building one dbt op inside a Dagster step: what is stale is built, everything is reported.

Belongs here: the order of asking, building, remembering and reporting. Does not belong here: the definition
of the assets (`orchestration/defs/warehouse.py`), and each of the steps (`inputs`, `state`, `args`,
`runner`).

A step reports every selected asset, built or not: Dagster skips whatever stands downstream of an output that
is not reported, and an asset whose inputs did not change is as current as one that was just built.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from orchestration.connectors.base import Window
from orchestration.partitions import ONE_DAY, days_of_step
from orchestration.publishing.changed_days import Changed, note_changed_days
from orchestration.runtime import progress
from orchestration.settings import Settings
from orchestration.warehouse.args import build_arguments
from orchestration.warehouse.assets import model_key, test_check_name
from orchestration.warehouse.home import prepare_home
from orchestration.warehouse.inputs import Inputs, current_inputs
from orchestration.warehouse.plan import BuildCommand, Level, around, build_commands, contiguous_ranges, split_by_rows
from orchestration.warehouse.project import DbtManifest, DbtOp
from orchestration.warehouse.runner import DbtProcess, NodeResult, warehouse_lock
from orchestration.warehouse.state import WarehouseState, days_to_build, settled_days, stale_days, unsettled_mark

StepEvents = Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]

_EVERY_DAY = "rollup_without_days"
"""What the state calls the fingerprint of what all days of the roll-ups share."""


class BuildConfig(dg.Config):
    """How an op without days is built."""

    force: bool = Field(default=False, description="Build also when nothing that it is made of has changed.")


class DailyBuildConfig(dg.Config):
    """How the daily op is built."""

    force: bool = Field(default=False, description="Build the days of the run also when nothing has changed.")
    every_stale_day: bool = Field(
        default=False, description="Build every day whose inputs have changed, not only the days of the run."
    )


@dataclass(frozen=True)
class Selection:
    """What a step was asked to build.

    Attributes:
        models: Model by asset key.
        tests: Data test by check key.
        is_whole: Whether that is all of the op; only then may it be remembered as built.
    """

    models: Mapping[dg.AssetKey, Mapping[str, Any]]
    tests: Mapping[dg.AssetCheckKey, Mapping[str, Any]]
    is_whole: bool

    @classmethod
    def whole(cls, manifest: DbtManifest, op: DbtOp) -> Selection:
        """Return everything of an op."""
        models = {model_key(node): node for node in manifest.models_of(op).values()}
        tests = {
            dg.AssetCheckKey(model_key(manifest.models[model]), test_check_name(node)): node
            for model, node in manifest.tests_of(op).values()
        }
        return cls(models=models, tests=tests, is_whole=True)

    @classmethod
    def of_step(cls, context: dg.AssetExecutionContext, manifest: DbtManifest, op: DbtOp) -> Selection:
        """Read what `context` selects of an op."""
        whole = cls.whole(manifest, op)
        models, tests = whole.models, whole.tests
        # In the order of the manifest: Dagster wants parents reported before children.
        selected_models = {key: node for key, node in models.items() if key in context.selected_asset_keys}
        selected_tests = {key: node for key, node in tests.items() if key in context.selected_asset_check_keys}
        return cls(
            models=selected_models,
            tests=selected_tests,
            is_whole=len(selected_models) == len(models) and len(selected_tests) == len(tests),
        )

    def levels(self, manifest: DbtManifest) -> list[Level]:
        """Return the selected models and tests in the order in which several ranges of days are built."""
        level_of = manifest.levels_of(DbtOp.DAILY)
        models: dict[int, list[str]] = defaultdict(list)
        tests: dict[int, list[str]] = defaultdict(list)
        for node in self.models.values():
            models[level_of[node["unique_id"]]].append(node["name"])
        for node in self.tests.values():
            read = [level_of[parent] for parent in node["depends_on"]["nodes"] if parent in level_of]
            tests[max(read)].append(node["name"])
        return [Level(tuple(models[level]), tuple(tests[level])) for level in sorted({*models, *tests})]

    @property
    def model_names(self) -> list[str]:
        """Names of the selected models."""
        return [node["name"] for node in self.models.values()]

    @property
    def test_names(self) -> list[str]:
        """Names of the selected data tests."""
        return [node["name"] for node in self.tests.values()]


def build_reference(context: dg.AssetExecutionContext, manifest: DbtManifest, config: BuildConfig) -> StepEvents:
    """Build prices, names and views, unless they are what they would become."""
    settings = Settings.from_env()
    selection = Selection.of_step(context, manifest, DbtOp.REFERENCE)
    prepare_home(settings)
    wanted = current_inputs(settings, manifest).reference
    with warehouse_lock(settings):
        state = WarehouseState.load(settings.warehouse_state, settings.warehouse)
        if state.parts.get(DbtOp.REFERENCE) == wanted and not config.force:
            results: Sequence[NodeResult] = ()
        else:
            results = _rebuild(
                context,
                settings,
                selection,
                build_arguments(selection.model_names, selection.test_names),
                begun=state.with_part(DbtOp.REFERENCE, None),
                done=state.with_part(DbtOp.REFERENCE, wanted),
            )
    yield from _events(selection, results, {})


def build_rollup(context: dg.AssetExecutionContext, manifest: DbtManifest, config: BuildConfig) -> StepEvents:
    """Build roll-ups, dimensions and alerts, unless nothing under them has changed."""
    settings = Settings.from_env()
    selection = Selection.of_step(context, manifest, DbtOp.ROLLUP)
    inputs = current_inputs(settings, manifest)
    with warehouse_lock(settings):
        state = WarehouseState.load(settings.warehouse_state, settings.warehouse)
        wanted = inputs.rollup(state.days)
        if state.parts.get(DbtOp.ROLLUP) == wanted and not config.force:
            results: Sequence[NodeResult] = ()
        else:
            window = _days_to_roll_up(state, inputs, selection, force=config.force)
            note_changed_days(settings.published, window and window.days(), Changed.ROLL_UPS)
            done = state.with_part(DbtOp.ROLLUP, wanted).with_part(_EVERY_DAY, inputs.rollup_without_days)
            results = _rebuild(
                context,
                settings,
                selection,
                build_arguments(
                    selection.model_names, selection.test_names, window=window, full_refresh=window is None
                ),
                begun=replace(state.with_part(DbtOp.ROLLUP, None), rolled_up_days={}),
                done=replace(done, rolled_up_days=state.days),
            )
    yield from _events(selection, results, {})


def _rebuild(
    context: dg.AssetExecutionContext,
    settings: Settings,
    selection: Selection,
    arguments: Sequence[str],
    *,
    begun: WarehouseState,
    done: WarehouseState,
) -> Sequence[NodeResult]:
    """Build with one command; the state is `begun` before it, and `done` once everything of the op stands."""
    begun.save(settings.warehouse_state)
    dbt: DbtProcess = context.resources.dbt
    results = dbt.run(arguments, progress.report).nodes
    if selection.is_whole and not _failures(results, selection):
        done.save(settings.warehouse_state)
    return results


def _days_to_roll_up(state: WarehouseState, inputs: Inputs, selection: Selection, *, force: bool) -> Window | None:
    """Return the days that roll-ups by day replace; None when all of them must be built anew.

    A verdict counts on the day of the operation that it judges, so a changed day reaches back as far as its rows do.
    """
    is_whole = force or not selection.is_whole or state.parts.get(_EVERY_DAY) != inputs.rollup_without_days
    if is_whole or not state.rolled_up_days:
        return None
    changed = stale_days(state.days, state.rolled_up_days)
    return around(changed, inputs.reach.days_before, inputs.reach.days_after)


def build_daily(context: dg.AssetExecutionContext, manifest: DbtManifest, config: DailyBuildConfig) -> StepEvents:
    """Build the days whose inputs have changed, each range of them with one dbt command.

    A change of code drops the tables and builds every day that has landed: a table whose days were made by
    different code answers no question.
    """
    settings = Settings.from_env()
    selection = Selection.of_step(context, manifest, DbtOp.DAILY)
    run_days = days_of_step(context)
    with warehouse_lock(settings):
        inputs = current_inputs(settings, manifest)
        state = WarehouseState.load(settings.warehouse_state, settings.warehouse)
        is_new_code = selection.is_whole and state.code != inputs.code[DbtOp.DAILY]
        if is_new_code:
            state = replace(state, code=inputs.code[DbtOp.DAILY], days={})
        windows = split_by_rows(_ranges(inputs, state, config, run_days, is_new_code=is_new_code), inputs.rows)
        built = [day for window in windows for day in window.days()]
        if built:
            # Marked first: what a failed build leaves behind is made of no inputs that anybody could name.
            state.with_days({day: unsettled_mark() for day in built}).save(settings.warehouse_state)
        commands = build_commands(selection.levels(manifest), windows, full_refresh=is_new_code)
        results = _run(context, commands)
        if built and selection.is_whole and not _failures(results, selection):
            settled = settled_days(built, stale_days(inputs.days, state.days), inputs.reach)
            state = state.with_days(
                {day: inputs.days.get(day) if day in settled else unsettled_mark() for day in built}
            )
            state.save(settings.warehouse_state)
    _report_days_outside(context, selection, built, run_days)
    yield from _events(selection, results, {"built_days": len(built), "days": _shown_days(built)})


def _run(context: dg.AssetExecutionContext, commands: Sequence[BuildCommand]) -> list[NodeResult]:
    """Run commands until one of them fails; what stands on a failed one must not be built."""
    dbt: DbtProcess = context.resources.dbt
    results: list[NodeResult] = []
    for command in commands:
        context.log.info(f"building the days from {command.window.start} to {command.window.end} (exclusive)")
        done = dbt.run(
            build_arguments(command.models, command.tests, window=command.window, full_refresh=command.full_refresh),
            progress.report,
        )
        results.extend(done.nodes)
        if not done.success:
            break
    return results


def _ranges(
    inputs: Inputs, state: WarehouseState, config: DailyBuildConfig, run_days: Window, *, is_new_code: bool
) -> list[Window]:
    if is_new_code:
        days = sorted(inputs.days)
        # Tables must exist for what stands on them, also when nothing at all has landed.
        return [Window(days[0], days[-1] + ONE_DAY)] if days else [Window(run_days.end - ONE_DAY, run_days.end)]
    return contiguous_ranges(
        days_to_build(
            inputs.days,
            state.days,
            requested=None if config.every_stale_day and not config.force else run_days,
            reach=inputs.reach,
            force=config.force,
        )
    )


def _events(selection: Selection, results: Sequence[NodeResult], shared: Mapping[str, Any]) -> StepEvents:
    """Report every selected asset that is as it should be, and the worst result of every test that ran.

    Raises:
        dagster.Failure: When a model could not be built. Failed tests are check results, and Dagster stops at
            those that block.
    """
    by_node: dict[str, list[NodeResult]] = {}
    for result in results:
        by_node.setdefault(result.unique_id, []).append(result)
    for key, node in selection.models.items():
        ran = by_node.get(node["unique_id"], [])
        if all(result.status == "success" for result in ran):
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={
                    "unchanged": not ran,
                    "dbt_seconds": sum(result.seconds for result in ran),
                    **shared,
                },
            )
    for key, node in selection.tests.items():
        ran = by_node.get(node["unique_id"], [])
        if ran:
            yield _check_result(key, node, ran)
    failed = [result for result in results if result.unique_id.startswith("model.") and result.status != "success"]
    if failed:
        raise dg.Failure(
            "\n".join(
                [
                    "dbt could not build every model:",
                    *(f"{result.unique_id}: {result.status}: {result.message}" for result in failed),
                ]
            ),
            allow_retries=False,
        )


def _check_result(key: dg.AssetCheckKey, node: Mapping[str, Any], ran: Sequence[NodeResult]) -> dg.AssetCheckResult:
    bad = [result for result in ran if result.status != "pass"]
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=not bad,
        # A test that could not run at all says nothing good about the data, whatever its severity.
        severity=dg.AssetCheckSeverity.WARN
        if all(result.status == "warn" for result in bad)
        else dg.AssetCheckSeverity.ERROR,
        description=bad[0].message if bad else None,
        metadata={
            "failed_rows": sum(result.failures or 0 for result in ran),
            "dbt_seconds": sum(result.seconds for result in ran),
            "test": f"dbt_project/{node['original_file_path']}",
        },
    )


def _failures(results: Sequence[NodeResult], selection: Selection) -> list[NodeResult]:
    tests = {node["unique_id"] for node in selection.tests.values()}
    return [
        result
        for result in results
        if result.status not in ({"pass", "warn"} if result.unique_id in tests else {"success"})
    ]


def _report_days_outside(
    context: dg.AssetExecutionContext, selection: Selection, built: Sequence[date], run_days: Window
) -> None:
    """Record the days that were built without being asked for, so that the UI shows them as built."""
    partitions = context.assets_def.partitions_def
    for day in built:
        partition = day.isoformat()
        if run_days.start <= day < run_days.end or partitions is None:
            continue
        if not partitions.has_partition_key(partition):
            continue
        for key in selection.models:
            context.log_event(dg.AssetMaterialization(key, partition=partition, metadata={"built_days": 1}))


def _shown_days(days: Sequence[date]) -> str:
    if not days:
        return "none"
    ranges = contiguous_ranges(days, max_gap_days=0)
    return ", ".join(
        f"{window.start}"
        if window.end - window.start == ONE_DAY
        else f"{window.start} to {window.end - timedelta(days=1)}"
        for window in ranges
    )
