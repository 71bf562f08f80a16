"""The Dagster instance of one `TRUEUP_HOME`: the file that configures it, and opening it.

Belongs here: `dagster.yaml` and the environment that Dagster reads. Does not belong here: jobs and assets.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

WAREHOUSE_POOL = "warehouse"
"""The pool that every op shares which opens the warehouse file; its size is 1."""

DAGSTER_YAML = """\
# Written by trueup at every start; change orchestration/runtime/instance.py instead.
telemetry:
  enabled: false
storage:
  custom:
    module: orchestration.runtime.event_storage
    class: PooledSqliteStorage
    config:
      base_dir: {base_dir}
concurrency:
  pools:
    # The only pool is `warehouse`: DuckDB has one writer, and dbt alone writes.
    default_limit: 1
  runs:
    max_concurrent_runs: 2
run_monitoring:
  enabled: true
retention:
  schedule: {{purge_after_days: 90}}
  sensor: {{purge_after_days: {{skipped: 7, failure: 30, success: 30}}}}
"""


def dagster_environment(settings: Settings) -> dict[str, str]:
    """Return the environment variables with which Dagster uses this installation's instance."""
    return {
        "DAGSTER_HOME": str(settings.dagster_home),
        "DAGSTER_EVENT_BATCH_SIZE": "1000",
        "DAGSTER_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
        "TRUEUP_HOME": str(settings.home),
    }


def write_workspace(settings: Settings) -> Path:
    """Write `TRUEUP_HOME/dagster/workspace.yaml`, which tells servers what to load, and return its path.

    The location bears the name that Dagster's project tools give it; another name makes each load warn.
    """
    path = settings.dagster_home / "workspace.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "load_from:\n"
        "  - python_module:\n"
        "      module_name: orchestration.definitions\n"
        f"      working_directory: {json.dumps(str(PROJECT_ROOT))}\n"
        f"      location_name: {json.dumps(PROJECT_ROOT.name)}\n"
    )
    return path


def write_instance_config(settings: Settings) -> Path:
    """Write `TRUEUP_HOME/dagster/dagster.yaml` unless it is what it should be, and return its path."""
    path = settings.dagster_home / "dagster.yaml"
    text = DAGSTER_YAML.format(base_dir=settings.dagster_home / "storage")
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return path


def open_instance(settings: Settings) -> DagsterInstance:
    """Open the instance; the caller closes it (it is a context manager)."""
    from dagster import DagsterInstance  # noqa: PLC0415 - a second of imports that `trueup --help` need not wait for

    write_instance_config(settings)
    os.environ.update(dagster_environment(settings))
    return DagsterInstance.from_config(str(settings.dagster_home))
