"""The ready-made monitors are valid, and ask for what is really sent and logged."""

from __future__ import annotations

import json
import re

import promql_parser
import pytest

from orchestration.metrics.figures import _QUERIES
from orchestration.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "observability.md").read_text()
SCHEMA = PROJECT_ROOT / "orchestration" / "connectors" / "schemas" / "llm_request.v1.json"
FIELDS = set(json.loads(SCHEMA.read_text())["properties"])

UNITS = {name: unit for query in _QUERIES for name, (unit, _) in query.values.items()}
UNITS |= {"trueup.day.end": "s", "trueup.day.tenant.cost": "USD"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def prometheus_name(metric: str) -> str:
    """Translate as Prometheus does: dots, and the unit at the end unless it is in braces."""
    suffix = {"s": "_seconds", "USD": "_USD"}.get(UNITS[metric], "")
    return metric.replace(".", "_") + suffix


@pytest.mark.parametrize("query", blocks("promql"))
def test_a_promql_monitor_parses_and_names_metrics_that_are_sent(query: str) -> None:
    promql_parser.parse(query)
    named = set(re.findall(r"trueup_day_\w+", query))
    assert named
    assert named <= {prometheus_name(metric) for metric in UNITS}


@pytest.mark.parametrize("query", blocks("datadog") + blocks("cloudwatch"))
def test_other_monitors_name_metrics_that_are_sent(query: str) -> None:
    assert set(re.findall(r"trueup\.day\.[a-z_.]*[a-z]", query)) <= set(UNITS)


@pytest.mark.parametrize("query", blocks("logql"))
def test_a_logql_monitor_asks_for_fields_of_the_log_line(query: str) -> None:
    asked = re.findall(r"(?:by \(|unwrap |\| )(\w+(?:, \w+)*)", query)
    words = {word for group in asked for word in group.split(", ")} - {"json", "unwrap", "__error__"}
    assert words
    assert words <= FIELDS


def test_every_engine_has_monitors() -> None:
    assert [len(blocks(language)) >= 2 for language in ("promql", "logql", "datadog", "cloudwatch")] == [True] * 4
