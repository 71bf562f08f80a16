"""The Superset bundle: what `bi/superset/assets` says, completed for one installation.

Belongs here: filling in what the published marts know (columns, their descriptions, where they lie) and what follows
from a chart's own parameters. Does not belong here: charts, metrics and layout (`bi/superset/assets`), and running
Superset (`superset`).

A bundle is a zip of YAML as Superset exports one, format 1.0.0 (apache-superset 6.1).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import yaml

from orchestration.publishing.reader import open_marts
from orchestration.settings import PROJECT_ROOT

ASSETS = PROJECT_ROOT / "bi" / "superset" / "assets"

_PLACE = "PUBLISHED"
_FOLDER = "trueup"
_ROW_LIMIT = 10_000
_TIMES = ("DATE", "TIMESTAMP")

Asset = dict[str, Any]


def write_bundle(published: Path, target: Path, *, seen_at: Path | None = None) -> None:
    """Write the zip that `superset import-dashboards` takes.

    Args:
        published: The published folder.
        target: The zip; replaced when it is there.
        seen_at: Where Superset finds that folder, when it runs elsewhere.

    Raises:
        NotPublishedError: When nothing has been published.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, asset in read_assets(published, seen_at or published):
            bundle.writestr(f"{_FOLDER}/{name}", yaml.safe_dump(asset, sort_keys=False, allow_unicode=True))


def read_assets(published: Path, seen_at: Path) -> Iterator[tuple[str, Asset]]:
    """Yield the completed assets by their path in the bundle.

    Raises:
        NotPublishedError: When nothing has been published.
    """
    files = {path.relative_to(ASSETS): path.read_text() for path in sorted(ASSETS.rglob("*.yaml"))}
    assets: dict[Path, Asset] = {name: yaml.safe_load(text) for name, text in files.items()}
    datasets = {asset["uuid"]: asset for name, asset in assets.items() if name.parts[0] == "datasets"}
    with open_marts(published) as marts:
        for name, asset in assets.items():
            match name.parts[0]:
                case "databases":
                    yield str(name), _located(asset, seen_at.absolute())
                case "datasets":
                    yield str(name), {**asset, "columns": list(_columns(marts, asset["table_name"]))}
                case "charts":
                    yield str(name), _queried(asset, datasets[asset["dataset_uuid"]]["main_dttm_col"])
                case _:
                    yield str(name), asset


def _located(database: Asset, published: Path) -> Asset:
    return json.loads(json.dumps(database).replace(_PLACE, json.dumps(str(published))[1:-1]))


def _columns(marts: duckdb.DuckDBPyConnection, mart: str) -> Iterator[Asset]:
    """Yield the columns of a mart as Superset knows them, with the descriptions that the published file holds."""
    rows = marts.execute(
        "select column_name, data_type, comment from duckdb_columns() where table_name = ? order by column_index",
        [mart],
    ).fetchall()
    for name, kind, comment in rows:
        is_time = kind.startswith(_TIMES)
        yield {
            "column_name": name,
            "type": kind,
            "is_dttm": is_time,
            "is_active": True,
            "groupby": kind in {"VARCHAR", "BOOLEAN"} or is_time,
            "filterable": True,
            "description": comment,
        }


def _queried(chart: Asset, day: str) -> Asset:
    """Complete a chart: its filter of time, and the query that its data API answers and its page asks."""
    params: Mapping[str, Any] = chart["params"]
    on_time = {"clause": "WHERE", "expressionType": "SIMPLE", "subject": day}
    no_filter = {"operator": "TEMPORAL_RANGE", "comparator": "No filter"}
    complete = {
        "viz_type": chart["viz_type"],
        "row_limit": _ROW_LIMIT,
        "adhoc_filters": [on_time | no_filter],
        **params,
    }
    metrics = params["metrics"] if "metrics" in params else [params["metric"]]
    axis = {
        "columnType": "BASE_AXIS",
        "expressionType": "SQL",
        "label": params.get("x_axis"),
        "sqlExpression": params.get("x_axis"),
        "timeGrain": params.get("time_grain_sqla"),
    }
    query = {
        "columns": [*([axis] if "x_axis" in params else []), *params.get("groupby", [])],
        "metrics": metrics,
        "filters": [{"col": day, "op": "TEMPORAL_RANGE", "val": "No filter"}],
        "extras": {"having": "", "where": ""},
        "orderby": [[metrics[0], False]],
        "row_limit": _ROW_LIMIT,
    }
    context = {
        # Superset puts in the id that the dataset gets.
        "datasource": {"id": 0, "type": "table"},
        "force": False,
        "queries": [query],
        "form_data": {"datasource": "0__table", **complete},
        "result_format": "json",
        "result_type": "full",
    }
    return {**chart, "params": complete, "query_context": json.dumps(context)}
