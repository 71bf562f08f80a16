"""The Superset bundle of an installation names its place, and knows the columns of its marts."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import yaml
from company import Company

from orchestration.bi.bundle import write_bundle


def test_the_bundle_is_complete_and_reads_one_folder(small_company: Company, tmp_path: Path) -> None:
    bundle = tmp_path / "trueup.zip"
    write_bundle(small_company.home / "published", bundle, seen_at=Path('/srv/it\'s "here"'))
    with zipfile.ZipFile(bundle) as files:
        assets = {name.removeprefix("trueup/"): yaml.safe_load(files.read(name)) for name in files.namelist()}
    database = assets["databases/trueup.yaml"]
    assert database["sqlalchemy_uri"] == 'duckdb:////srv/it\'s "here"/marts.duckdb'
    assert database["extra"]["engine_params"]["connect_args"]["config"] == {"access_mode": "read_only"}
    assert not any(database[right] for right in ("expose_in_sqllab", "allow_dml", "allow_ctas", "allow_cvas"))
    columns = {
        each["column_name"]: each for each in assets["datasets/trueup/unit_economics_by_feature_day.yaml"]["columns"]
    }
    assert columns["usage_date"]["is_dttm"]
    assert columns["cost_per_accepted_outcome_usd"]["description"].startswith("effective_cost_usd /")
    chart = assets["charts/spend_by_feature.yaml"]
    (query,) = json.loads(chart["query_context"])["queries"]
    assert [query["columns"][0]["sqlExpression"], query["columns"][1], query["metrics"]] == [
        "usage_date",
        "feature",
        ["effective_cost_usd"],
    ]
