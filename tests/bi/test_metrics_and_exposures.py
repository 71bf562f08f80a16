"""What tools read of the marts is there, and nobody reads what is not public. From the project's YAML, without dbt.

That a metric equals its mart is asked of MetricFlow itself: `make check-metrics`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from orchestration.bi.metrics import GROUP_BY, compare

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "dbt_project"
ASKED_FOR = {
    "spend": "effective_cost_usd",
    "tokens": "tokens",
    "requests": "attempts_count",
    "operations": "operations_count",
    "accepted outcomes": "accepted_outcomes_count",
    "cost per accepted outcome": "cost_per_accepted_outcome_usd",
    "tokens per success": "tokens_per_accepted_outcome",
    "cache-hit rate": "cache_hit_rate",
    "retry rate": "retry_rate",
    "coverage": "token_coverage",
    "margin": "gross_margin_usd",
}


@cache
def read(file: Path) -> dict[str, Any]:
    return yaml.load(file.read_text(), yaml.CSafeLoader) or {}


@cache
def of_kind(kind: str) -> list[dict[str, Any]]:
    """Every entry of one kind in the project's YAML."""
    files = sorted((PROJECT / "models").rglob("*.yml"))
    return [entry for file in files for entry in read(file).get(kind, [])]


@cache
def published() -> dict[str, dict[str, str]]:
    """Columns and their types of every published mart."""
    return {
        model["name"]: {column["name"]: column["data_type"] for column in model["columns"]}
        for model in of_kind("models")
        if model.get("config", {}).get("meta", {}).get("published")
    }


def key_of(mart: str) -> list[str]:
    (model,) = [model for model in of_kind("models") if model["name"] == mart]
    (key,) = [test["primary_key"] for test in model["data_tests"] if "primary_key" in test]
    return key["arguments"]["columns"]


def ref(text: str) -> str:
    (name,) = re.fullmatch(r"ref\('(\w+)'\)", text).groups()  # type: ignore[union-attr]
    return name


def read_by(exposure: str) -> set[str]:
    (found,) = [each for each in of_kind("exposures") if each["name"] == exposure]
    return {ref(text) for text in found["depends_on"]}


def marts_read_in(*places: Path) -> set[str]:
    files = [file for place in places for file in (place.rglob("*") if place.is_dir() else [place])]
    text = "\n".join(file.read_text() for file in files if file.suffix in {".py", ".sql", ".yaml"})
    return set(re.findall(r"\b(?:from|join|table_name:)\s+(\w+)", text)) & set(published())


def test_every_public_mart_has_a_reader_that_is_named() -> None:
    named = set().union(*(read_by(each["name"]) for each in of_kind("exposures")))
    assert set(published()) - named == set(), "name who reads it in dbt_project/models/exposures.yml"
    assert named - set(published()) == set(), "only what is published may be read"


@pytest.mark.parametrize(
    ("exposure", "places"),
    [
        ("dashboards", ["dashboards"]),
        ("superset", ["bi/superset/assets"]),
        ("focus_export", ["orchestration/focus"]),
        ("explanations", ["orchestration/explain"]),
        ("monthly_report", ["orchestration/monthly"]),
        ("request_path_limits", ["orchestration/limits"]),
        ("daily_metrics", ["orchestration/metrics"]),
    ],
)
def test_an_exposure_names_what_its_code_names(exposure: str, places: list[str]) -> None:
    found = marts_read_in(*(ROOT / place for place in places))
    assert found - read_by(exposure) == set()


def test_every_metric_that_was_asked_for_is_there() -> None:
    assert set(ASKED_FOR.values()) <= {metric["name"] for metric in of_kind("metrics")}


@pytest.mark.parametrize("model", of_kind("semantic_models"), ids=lambda model: model["name"])
def test_a_semantic_model_reads_columns_of_a_published_mart(model: dict[str, Any]) -> None:
    columns = published()[ref(model["model"])]
    parts = [*model["entities"], *model.get("dimensions", []), *model.get("measures", [])]
    assert {part.get("expr", part["name"]) for part in parts} <= set(columns)


@pytest.mark.parametrize("metric", of_kind("metrics"), ids=lambda metric: metric["name"])
def test_a_metric_names_the_figure_of_a_mart_that_it_can_be_held_against(metric: dict[str, Any]) -> None:
    meta = metric["config"]["meta"]
    columns = published()[meta["mart"]]
    assert set(key_of(meta["mart"])) <= set(GROUP_BY), "MetricFlow must be able to group by the mart's key"
    declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    with duckdb.connect() as connection:
        connection.execute(f"create table mart ({declared})")
        connection.execute(f"select {meta.get('column', metric['name'])} from mart")


def test_a_value_that_differs_or_is_missing_is_told_and_unknown_is_not_zero() -> None:
    mart = {("1", "a"): {"spend": 1.5}, ("1", "b"): {"spend": None}, ("2", "a"): {"spend": 2.0}}
    same = {("1", "a"): {"spend": 1.5 + 1e-15}, ("2", "a"): {"spend": 2.0}}
    assert compare("m", ["spend"], mart, same) == []
    other = {("1", "a"): {"spend": 1.5001}, ("1", "b"): {"spend": 0.0}, ("3", "a"): {"spend": 1.0}}
    assert compare("m", ["spend"], mart, other) == [
        "spend of 1, a: 1.5001, but m says 1.5",
        "spend of 1, b: 0.0, but m says None",
        "spend of 2, a: None, but m says 2.0",
        "spend of 3, a: 1.0, but m says None",
    ]
