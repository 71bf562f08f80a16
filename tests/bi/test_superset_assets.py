"""The Superset bundle hangs together: charts ask metrics that exist, of published marts, and each has its check.

That Superset takes it, and that its charts say what the marts say, is asked of Superset: `make check-superset`.
"""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
import yaml
from test_metrics_and_exposures import of_kind, published

from orchestration.bi.bundle import ASSETS
from orchestration.bi.superset import CHECKS, cells, compare


def assets(kind: str) -> dict[str, dict[str, Any]]:
    return {path.stem: yaml.safe_load(path.read_text()) for path in sorted((ASSETS / kind).rglob("*.yaml"))}


CHARTS, DATASETS = assets("charts"), assets("datasets")
BY_UUID = {dataset["uuid"]: dataset for dataset in DATASETS.values()}


@pytest.fixture(scope="module")
def empty_marts() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for name, columns in published().items():
        connection.execute(f"create table {name} ({', '.join(f'{column} {kind}' for column, kind in columns.items())})")
    return connection


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_is_a_published_mart_and_its_metrics_are_sums_or_quotients_of_sums(
    name: str, empty_marts: duckdb.DuckDBPyConnection
) -> None:
    dataset = DATASETS[name]
    assert published()[dataset["table_name"]][dataset["main_dttm_col"]] == "date"
    known = {metric["name"] for metric in of_kind("metrics")} | set().union(*published().values())
    for metric in dataset["metrics"]:
        assert metric["metric_name"] in known
        assert "avg(" not in metric["expression"]
        empty_marts.execute(f"select {metric['expression']} from {dataset['table_name']}")


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_asks_what_its_dataset_has_and_its_check_answers_with_the_same_columns(
    name: str, empty_marts: duckdb.DuckDBPyConnection
) -> None:
    chart = CHARTS[name]
    dataset, params = BY_UUID[chart["dataset_uuid"]], chart["params"]
    metrics = params.get("metrics") or [params["metric"]]
    columns = [*([params["x_axis"]] if "x_axis" in params else []), *params.get("groupby", [])]
    assert set(metrics) <= {metric["metric_name"] for metric in dataset["metrics"]}
    assert set(columns) <= set(published()[dataset["table_name"]])
    answer = empty_marts.execute((CHECKS / f"{name}.sql").read_text())
    assert [column[0] for column in answer.description or []] == [*columns, *metrics]


def test_every_chart_stands_on_the_dashboard() -> None:
    (dashboard,) = assets("dashboards").values()
    placed = {
        item["meta"]["uuid"]
        for item in dashboard["position"].values()
        if isinstance(item, dict) and item["type"] == "CHART"
    }
    assert placed == {chart["uuid"] for chart in CHARTS.values()}


def test_names_are_shown_as_text() -> None:
    tables = [chart for chart in CHARTS.values() if chart["viz_type"] == "table"]
    assert tables
    assert all(chart["params"]["allow_render_html"] is False for chart in tables)


def test_a_chart_is_compared_cell_by_cell() -> None:
    mart = cells([{"feature": "a", "usage_date": "2026-10-01", "spend_usd": 1.5, "x_count": None}])
    assert mart == {("spend_usd", "a", "2026-10-01"): 1.5, ("x_count", "a", "2026-10-01"): None}
    chart = cells([{"feature": "a", "usage_date": 1_790_812_800_000, "spend_usd": 1.25}])
    assert compare("c", mart, chart) == ["c, spend_usd, a, 2026-10-01: 1.25, but the marts say 1.5"]
