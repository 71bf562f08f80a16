"""Runs of jobs in this process, stored where the Dagster UI finds them.

Belongs here: loading the definitions, executing jobs over a range of days, saying what failed. Does not
belong here: drawing progress (`terminal`) and the command line.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Timer
from typing import TYPE_CHECKING, Any

from orchestration.connectors.base import Window
from orchestration.partitions import range_tags
from orchestration.runtime.jobs import (
    BUILD_JOB,
    MAIN_JOB,
    PULL_JOB,
    REVISIT_JOB,
    RunOptions,
    only_sources_failed,
    run_config,
)
from orchestration.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance, Definitions, JobDefinition
    from dagster._core.events.log import EventLogEntry

    from orchestration.warehouse.runner import DbtProcess

_QUICK_PULL_SECONDS = 2
"""Files of a folder are looked through in one second; beside that, a start of dbt for nothing is felt."""

StepListener = Callable[[str, str], None]
"""Called with `started`, `succeeded`, `skipped` or `failed` and the key of the step."""

_STEP_EVENTS: Mapping[str, str] = {
    "STEP_START": "started",
    "STEP_SUCCESS": "succeeded",
    "STEP_SKIPPED": "skipped",
    "STEP_FAILURE": "failed",
}


@dataclass(frozen=True)
class RunOutcome:
    """What became of a run.

    Attributes:
        run_id: The Dagster run.
        succeeded: Whether every step ended well.
        errors: Message of each failed step, by its key.
        steps_count: Number of steps.
    """

    run_id: str
    succeeded: bool
    errors: Mapping[str, str]
    steps_count: int


def load_definitions() -> Definitions:
    """Load every asset, check and job.

    Like `orchestration.definitions`, without what that adds for the UI: a description of every component type
    that is installed, for which Dagster imports all its libraries (lab: 1.5 s of a start of 3.4 s).

    Raises:
        SourceDocumentError: When a source's document cannot be used.
        DbtProjectError: When the dbt project cannot be parsed.
    """
    from dagster import ComponentTree  # noqa: PLC0415 - a second of imports

    from orchestration.components import SourceDocumentError  # noqa: PLC0415
    from orchestration.warehouse.project import DbtProjectError  # noqa: PLC0415

    try:
        from orchestration import defs  # noqa: PLC0415 - a mistake in it is one of those that are told below

        # What `ComponentTree.for_project` returns once it has parsed `pyproject.toml`, twice.
        tree = ComponentTree.from_module(defs, PROJECT_ROOT)
        return tree.build_defs_at_path(tree.defs_module_path)
    except Exception as error:
        # Dagster wraps an error once for each folder above the document.
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, SourceDocumentError | DbtProjectError):
                raise cause from None
            cause = cause.__cause__
        raise


@contextmanager
def parsing_ahead(settings: Settings) -> Generator[DbtProcess]:
    """Let dbt parse its project, if need be, while the block does something else; yield the process.

    The run takes it over. Whoever loads the definitions waits for the parsing, and reports what is wrong with the
    project. Where no warehouse stands dbt starts in any case; elsewhere there may be nothing for it to do.
    """
    from orchestration.warehouse.project import DbtProjectError, prepared_manifest  # noqa: PLC0415
    from orchestration.warehouse.runner import DbtProcess, hand_over, take_over  # noqa: PLC0415

    process = DbtProcess(settings)
    hand_over(process)

    def parse() -> None:
        with suppress(DbtProjectError):
            prepared_manifest(settings, process=process)
            if not settings.warehouse_state.exists():
                process.warm_up()

    with ThreadPoolExecutor(1) as background:
        background.submit(parse)
        try:
            yield process
        finally:
            take_over(settings).close()


def execute(
    definitions: Definitions,
    instance: DagsterInstance,
    job_name: str,
    days: Window,
    options: RunOptions,
    *,
    on_plan: Callable[[list[str]], None] | None = None,
    on_step: StepListener | None = None,
) -> RunOutcome:
    """Run a job over `days` in this process and wait for its end."""
    from orchestration.defs.automation import op_names  # noqa: PLC0415

    job: JobDefinition = definitions.resolve_job_def(job_name)
    run_id = str(uuid.uuid4())
    errors: dict[str, str] = {}
    steps = op_names(job)

    def listen(entry: EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None or event.step_key is None:
            return
        kind = _STEP_EVENTS.get(event.event_type_value)
        if kind == "failed":
            errors[event.step_key] = _root_message(event.event_specific_data)
        if kind is not None and on_step is not None:
            on_step(kind, event.step_key)

    if on_plan is not None:
        on_plan(steps)
    config = run_config(steps, options)
    config["loggers"] = {"console": {"config": {"log_level": "CRITICAL"}}}
    instance.add_event_listener(run_id, listen)  # pyright: ignore[reportUnknownMemberType]
    result = job.execute_in_process(
        run_config=config, instance=instance, tags=range_tags(days), run_id=run_id, raise_on_error=False
    )
    return RunOutcome(run_id=run_id, succeeded=result.success, errors=errors, steps_count=len(steps))


def run_in_turn(
    settings: Settings,
    process: DbtProcess,
    job_name: str,
    days: Window,
    run_job: Callable[[str], RunOutcome],
    *,
    force: bool = False,
) -> list[RunOutcome]:
    """Run a job and, where only sources failed, build from what the others have landed; return every outcome.

    Where a warehouse stands, the main job is two runs: pull, then build if that brought anything. One run over a
    warehouse that is up to date reports 170 assets as they are, a third of the 6.4 s that nothing new took (lab).

    Args:
        settings: Of the installation.
        process: Starts while sources are pulled that take their time, or else while a build is being planned.
        job_name: The main job, or another.
        days: Of the run.
        run_job: Executes a job by its name.
        force: Build also what has not changed.
    """
    from orchestration.warehouse.inputs import is_built  # noqa: PLC0415
    from orchestration.warehouse.project import project_manifest  # noqa: PLC0415

    if job_name != MAIN_JOB or force or not settings.warehouse_state.exists():
        outcome = run_job(job_name)
        return [outcome, run_job(BUILD_JOB)] if only_sources_failed(outcome.errors) else [outcome]
    ahead = Timer(_QUICK_PULL_SECONDS, process.warm_up)
    ahead.start()
    try:
        pulled = run_job(PULL_JOB)
    finally:
        ahead.cancel()
        ahead.join()
    if not pulled.succeeded and not only_sources_failed(pulled.errors):
        return [pulled]
    if is_built(settings, project_manifest(settings), days):
        return [pulled, run_job(REVISIT_JOB)]
    process.warm_up()
    return [pulled, run_job(BUILD_JOB)]


def log_to_file(settings: Settings) -> None:
    """Send log records and warnings of this process to `TRUEUP_HOME/logs/trueup.log`, not to the screen."""
    folder = settings.home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(folder / "trueup.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _root_message(data: Any) -> str:
    """Return the message of the error at the root of a step failure, without its traceback."""
    failure = getattr(data, "user_failure_data", None)
    if failure is not None and failure.description:
        return failure.description
    error = getattr(data, "error", None)
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else "failed without a message"
