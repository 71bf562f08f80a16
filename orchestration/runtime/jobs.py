"""The jobs by name, and how a run of one is configured, as pure functions.

Belongs here: what both the schedules and the command line ask for. Does not belong here: defining the jobs
(`orchestration/defs/automation.py`) and executing them (`run`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MAIN_JOB = "main"
"""Pull, build, check and publish: everything."""

BUILD_JOB = "build"
"""The same without pulling."""

PULL_JOB = "pull"
"""Pulling alone."""

REVISIT_JOB = "revisit"
"""What follows a build, without one."""

PULL_PREFIX = "pull_"
"""How the op of every source begins; its name follows."""


@dataclass(frozen=True)
class RunOptions:
    """How a run does its work.

    Attributes:
        restate: Pull, besides the days of the run, every day before them that a provider may still change.
        every_stale_day: Build every day whose inputs have changed, not only the days of the run.
        force: Build and publish also what has not changed.
    """

    restate: bool = True
    every_stale_day: bool = True
    force: bool = False


def run_config(ops: Iterable[str], options: RunOptions) -> dict[str, Any]:
    """Return the configuration of a run of a job with these ops."""
    config: dict[str, Any] = {}
    for name in ops:
        if name.startswith(PULL_PREFIX):
            config[name] = {"config": {"restate": options.restate}}
        elif name == "dbt_daily":
            config[name] = {"config": {"force": options.force, "every_stale_day": options.every_stale_day}}
        elif name.startswith("dbt_") or name == "published__marts":
            config[name] = {"config": {"force": options.force}}
    return {"ops": config}


def only_sources_failed(step_keys: Iterable[str | None]) -> bool:
    """Tell whether a run failed in nothing but pulling sources."""
    keys = list(step_keys)
    return bool(keys) and all(key is not None and key.startswith(PULL_PREFIX) for key in keys)
