"""Do the metrics say what the marts say? Asked of MetricFlow, in an environment of its own.

Belongs here: asking each metric by the keys of the mart that it names, and comparing cell by cell. Does not belong
here: what a metric is made of (`dbt_project/models/semantics`).

MetricFlow asks the published file through dbt's target `published`, as a user does (docs/bi.md).
"""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.environments import Environment, ProgramUnavailableError, environment
from orchestration.publishing.errors import NotPublishedError
from orchestration.publishing.reader import current_version, open_marts
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.warehouse.project import DBT_PROJECT, dbt_environment

REQUIREMENTS = PROJECT_ROOT / "bi" / "metricflow" / "requirements.txt"
PYTHONS = ("3.11", "3.12", "3.13")

TARGET = "published"
"""The target of `profiles.yml` that is the published file."""

GROUP_BY = {
    "usage_date": "metric_time__day",
    "usage_month": "metric_time__month",
    "tenant_id": "tenant",
    "feature": "feature",
    "provider": "provider",
}
"""What MetricFlow calls a key column of the marts."""

_IN_PROJECT = ("dbt_project.yml", "profiles.yml", "macros", "models", "tests", "docs")
_RELATIVE_TOLERANCE = 1e-12
"""MetricFlow hands decimals out as doubles, of 15 digits."""

Key = tuple[str, ...]
Values = Mapping[str, float | None]
Cells = Mapping[Key, Values]


@dataclass(frozen=True)
class Metric:
    """A metric and the mart that says the same.

    Attributes:
        name: Of the metric.
        mart: Name of a published mart.
        column: SQL over the mart's columns that the metric equals, row by row.
    """

    name: str
    mart: str
    column: str


@dataclass(frozen=True)
class MetricsReport:
    """What MetricFlow answered.

    Attributes:
        metrics_count: Metrics that were asked.
        values_count: Values that were compared.
        differences: What differs, in words; empty when every value is the mart's.
    """

    metrics_count: int
    values_count: int
    differences: tuple[str, ...]


def check_metrics(settings: Settings) -> MetricsReport:
    """Ask every metric of MetricFlow and compare it with its mart.

    Args:
        settings: The installation; the environment is made below its home.

    Raises:
        NotPublishedError: When nothing has been published.
        ProgramUnavailableError: When MetricFlow cannot be installed or run, or the project is not parsed by it.
    """
    if current_version(settings.published) is None:
        raise NotPublishedError(f"nothing is published in {settings.published}; run `make run` first")
    folder = settings.home / "metricflow"
    program = environment(folder / "environment", REQUIREMENTS, PYTHONS)
    flow = _MetricFlow(program, folder / "project", settings)
    differences: list[str] = []
    values_count = 0
    metrics = flow.metrics()
    for mart in sorted({metric.mart for metric in metrics}):
        of_mart = [metric for metric in metrics if metric.mart == mart]
        keys = flow.key_of(mart)
        expected = _of_mart(settings, mart, keys, of_mart)
        found = flow.query([metric.name for metric in of_mart], keys)
        values_count += len(expected) * len(of_mart)
        differences += compare(mart, [metric.name for metric in of_mart], expected, found)
    return MetricsReport(len(metrics), values_count, tuple(differences))


def compare(
    mart: str, metrics: Sequence[str], expected: Mapping[Key, Values], found: Mapping[Key, Values]
) -> list[str]:
    """Return in words where MetricFlow differs from a mart; a missing row holds nothing known."""
    nothing: Values = {}
    return [
        f"{metric} of {', '.join(key)}: {found.get(key, nothing).get(metric)}, but {mart} says "
        f"{expected.get(key, nothing).get(metric)}"
        for key in sorted({*expected, *found})
        for metric in metrics
        if not _is_same(expected.get(key, nothing).get(metric), found.get(key, nothing).get(metric))
    ]


def read_metrics(manifest: Mapping[str, Any]) -> list[Metric]:
    """Return the metrics of a dbt manifest with what `config.meta` says of each."""
    metrics: list[Metric] = []
    for node in manifest["metrics"].values():
        meta = node["config"]["meta"]
        metrics.append(Metric(node["name"], meta["mart"], meta.get("column", node["name"])))
    return sorted(metrics, key=lambda metric: metric.name)


class _MetricFlow:
    """MetricFlow on a project of links to ours: it looks for its manifest in the project's own `target`."""

    def __init__(self, program: Environment, project: Path, settings: Settings) -> None:
        self._program = program
        self._project = project
        shutil.rmtree(project, ignore_errors=True)
        project.mkdir(parents=True)
        for name in _IN_PROJECT:
            (project / name).symlink_to(DBT_PROJECT / name)
        self._variables = {
            **os.environ,
            **dbt_environment(settings),
            "DBT_TARGET": TARGET,
            "DBT_PROFILES_DIR": str(project),
        }
        self._run("dbt", "parse", "--quiet")
        self._manifest = json.loads((project / "target" / "manifest.json").read_bytes())

    def metrics(self) -> list[Metric]:
        return read_metrics(self._manifest)

    def key_of(self, mart: str) -> list[str]:
        """Return the columns that name a row of a mart, of its test `primary_key`."""
        for node in self._manifest["nodes"].values():
            test = node.get("test_metadata") or {}
            attached = str(node.get("attached_node") or "")
            if test.get("name") == "primary_key" and attached.rpartition(".")[2] == mart:
                columns: list[str] = test["kwargs"]["columns"]
                return columns
        raise ProgramUnavailableError(f"{mart} has no primary_key test that names its columns")

    def query(self, metrics: Sequence[str], keys: Sequence[str]) -> Cells:
        """Ask metrics, grouped by key columns of a mart."""
        group_by = [GROUP_BY[key] for key in keys]
        answer = self._project / "answer.csv"
        answer.unlink(missing_ok=True)
        self._run(
            "mf", "query", "--quiet", "--metrics", ",".join(metrics), "--group-by", ",".join(group_by), "--csv", answer
        )
        if not answer.exists():
            return {}
        with answer.open(newline="") as lines:
            return dict(_cells(csv.DictReader(lines), group_by, metrics))

    def _run(self, program: str, *arguments: str | Path) -> None:
        self._program.run(program, *arguments, cwd=self._project, variables=self._variables)


def _cells(
    rows: Iterable[Mapping[str, str]], keys: Sequence[str], metrics: Sequence[str]
) -> Iterator[tuple[Key, Values]]:
    for row in rows:
        key = tuple(row[key].removesuffix(" 00:00:00") for key in keys)
        yield key, {metric: float(row[metric]) if row[metric] else None for metric in metrics}


def _of_mart(settings: Settings, mart: str, keys: Sequence[str], metrics: Sequence[Metric]) -> Cells:
    columns = ", ".join(f"cast({metric.column} as double)" for metric in metrics)
    with open_marts(settings.published) as connection:
        rows = connection.execute(f"select {', '.join(keys)}, {columns} from {mart}").fetchall()
    names = [metric.name for metric in metrics]
    return {
        tuple(str(value) for value in row[: len(keys)]): dict(zip(names, row[len(keys) :], strict=True)) for row in rows
    }


def _is_same(expected: float | None, found: float | None) -> bool:
    if expected is None or found is None:
        return expected is found
    return math.isclose(expected, found, rel_tol=_RELATIVE_TOLERANCE, abs_tol=_RELATIVE_TOLERANCE)
