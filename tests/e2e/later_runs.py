"""What becomes of the small company: it moves, runs again with nothing new, is closed, and has a bill restated.

Belongs here: a run of a company that has run before, and what it left, kept before the next one. Does not belong here:
what is expected of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest
from company import Company

from orchestration.runtime.instance import open_instance

ASSETS = ("staging/stg_openai__charges", "marts/fct_operations", "marts/fct_provider_charges", "published/marts")


@dataclass(frozen=True)
class Run:
    """What a run left.

    Attributes:
        company: Where it ran.
        version: What was published.
        built_days: What the days were made of.
        dbt_log: What dbt noted during the run.
        dbt_output: What its process printed.
        metadata: What was last said of some assets.
        jobs: Which Dagster runs it took, in their order.
    """

    company: Company
    version: str
    built_days: Mapping[str, str]
    dbt_log: str
    dbt_output: str
    metadata: Mapping[str, Mapping[str, Any]]
    jobs: tuple[str, ...]


@contextmanager
def instance_of(company: Company) -> Iterator[dg.DagsterInstance]:
    """Open the Dagster instance that the UI would show."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("DAGSTER_HOME", "TRUEUP_HOME", "DAGSTER_EVENT_BATCH_SIZE"):
            environment.setenv(name, str(company.home))
        with open_instance(company.settings) as instance:
            yield instance


def latest_materialization(instance: dg.DagsterInstance, key: dg.AssetKey) -> dg.AssetMaterialization:
    """Return what a run said of an asset that it has materialised."""
    record = instance.get_latest_materialization_event(key)
    assert record is not None, key
    assert record.asset_materialization is not None
    return record.asset_materialization


def run_again(company: Company, **environment: str) -> Run:
    """Run the main job and keep what it left."""
    logs = [company.home / "dbt" / "logs" / name for name in ("dbt.log", "output.log")]
    for log in logs:
        log.unlink(missing_ok=True)
    with instance_of(company) as instance:
        earlier = {run.run_id for run in instance.get_runs()}
    done = company.trueup("run", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    with instance_of(company) as instance:
        jobs = [run.job_name for run in instance.get_runs(ascending=True) if run.run_id not in earlier]
        metadata = {name: latest_materialization(instance, dg.AssetKey(name.split("/"))).metadata for name in ASSETS}
    dbt_log, dbt_output = (log.read_text() if log.exists() else "" for log in logs)
    return Run(company, company.version, company.built_days, dbt_log, dbt_output, metadata, tuple(jobs))
