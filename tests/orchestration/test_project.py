"""The manifest answers: who builds what, in which order, made of what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration.settings import Settings
from orchestration.warehouse.inputs import Reaches
from orchestration.warehouse.project import DbtManifest, DbtOp, DbtProjectError, prepared_manifest
from orchestration.warehouse.state import Reach


def node(name: str, tags: list[str], parents: list[str], materialized: str = "table", sql: str = "1") -> dict[str, Any]:
    return {
        "name": name,
        "unique_id": f"model.p.{name}",
        "resource_type": "model",
        "tags": tags,
        "original_file_path": f"models/{name}.sql",
        "checksum": {"checksum": sql},
        "raw_code": sql,
        "config": {"materialized": materialized},
        "depends_on": {"nodes": parents},
    }


def data_test(name: str, parents: list[str], attached: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "unique_id": f"test.p.{name}",
        "resource_type": "test",
        "attached_node": attached,
        "depends_on": {"nodes": parents},
    }


def manifest(*nodes: dict[str, Any], macro: str = "m", **variables: object) -> DbtManifest:
    sources = {"source.p.landing.requests": {"source_name": "landing", "name": "requests"}}
    return DbtManifest(
        {
            "nodes": {item["unique_id"]: item for item in nodes},
            "sources": sources,
            "groups": {},
            "metadata": {"project_name": "p"},
            "macros": {"macro.p.m": {"package_name": "p", "macro_sql": macro}},
        },
        Path("manifest.json"),
        variables,
    )


VIEW = node("stg", ["reference"], ["source.p.landing.requests"], "view")
FACT = node("fct", ["daily"], ["model.p.stg"])
BILL_VIEW = node("billed", ["daily"], ["model.p.fct"], "view")
OPERATIONS = node("operations", ["rollup", "daily"], ["model.p.billed"])
ROLLUP = node("by_day", ["rollup"], ["model.p.operations"])
ALL = (VIEW, FACT, BILL_VIEW, OPERATIONS, ROLLUP)


def test_each_model_has_one_op_and_the_more_particular_tag_wins() -> None:
    ops = manifest(*ALL).op_of_model
    assert ops["model.p.stg"] is DbtOp.REFERENCE
    assert ops["model.p.operations"] is DbtOp.DAILY
    assert ops["model.p.by_day"] is DbtOp.ROLLUP


def test_models_come_parents_first() -> None:
    assert [model["name"] for model in manifest(*reversed(ALL)).models_of(DbtOp.DAILY).values()] == [
        "fct",
        "billed",
        "operations",
    ]


def test_levels_count_the_tables_underneath() -> None:
    levels = manifest(*ALL).levels_of(DbtOp.DAILY)
    assert levels == {"model.p.fct": 1, "model.p.billed": 1, "model.p.operations": 2}


def test_a_model_without_a_tag_is_refused_by_name() -> None:
    with pytest.raises(DbtProjectError, match=r"orphan \(models/orphan.sql\).*reference, daily, rollup"):
        _ = manifest(node("orphan", [], [])).op_of_model


def test_a_model_that_reads_a_later_op_is_refused() -> None:
    early = node("early", ["reference"], ["model.p.fct"])
    with pytest.raises(DbtProjectError, match=r"early is built by the op reference and reads fct"):
        _ = manifest(VIEW, FACT, early).op_of_model


def test_a_test_runs_with_the_last_model_it_reads() -> None:
    on_fact = data_test("key", ["model.p.fct"], attached="model.p.fct")
    across = data_test("same_total", ["model.p.fct", "model.p.by_day"], attached="model.p.fct")
    of_source = data_test("source_only", ["source.p.landing.requests"])
    found = manifest(*ALL, on_fact, across, of_source)
    assert {key: owner for key, (owner, _) in found.tests_of(DbtOp.DAILY).items()} == {"test.p.key": "model.p.fct"}
    assert {key: owner for key, (owner, _) in found.tests_of(DbtOp.ROLLUP).items()} == {
        "test.p.same_total": "model.p.by_day"
    }


def test_inputs_reach_through_views_to_what_has_landed() -> None:
    inputs = manifest(*ALL).inputs
    assert inputs[DbtOp.DAILY].tables_of("landing") == {"requests"}
    assert inputs[DbtOp.REFERENCE].tables_of("landing") == frozenset()


def test_code_counts_of_the_op_of_what_lies_under_it_and_of_macros() -> None:
    before = manifest(*ALL).inputs
    other_view = manifest(node("stg", ["reference"], ["source.p.landing.requests"], "view", sql="2"), *ALL[1:]).inputs
    other_rollup = manifest(*ALL[:-1], node("by_day", ["rollup"], ["model.p.operations"], sql="2")).inputs
    assert other_view[DbtOp.DAILY].code != before[DbtOp.DAILY].code
    assert other_rollup[DbtOp.DAILY].code == before[DbtOp.DAILY].code
    assert other_rollup[DbtOp.ROLLUP].code != before[DbtOp.ROLLUP].code
    assert manifest(*ALL, macro="other").inputs[DbtOp.DAILY].code != before[DbtOp.DAILY].code


def test_a_variable_counts_where_it_is_used() -> None:
    """Dbt's manifest holds no variable: another look-back rebuilt no day."""

    def codes(*, days: int, usd: int, macro: str = "") -> dict[DbtOp, str]:
        fact = node("fct", ["daily"], ["model.p.stg"], sql="select {{ var('days') }}")
        rollup = node("by_day", ["rollup"], ["model.p.operations"], sql='{{ var( "usd") }} {{ env_var("days") }}')
        return {
            op: inputs.code
            for op, inputs in manifest(
                VIEW, fact, BILL_VIEW, OPERATIONS, rollup, macro=macro, days=days, usd=usd
            ).inputs.items()
        }

    before, other_days, other_usd = codes(days=7, usd=15), codes(days=8, usd=15), codes(days=7, usd=16)
    assert [op for op in DbtOp if other_days[op] != before[op]] == [DbtOp.DAILY, DbtOp.ROLLUP]
    assert [op for op in DbtOp if other_usd[op] != before[op]] == [DbtOp.ROLLUP]
    in_macro = [codes(days=days, usd=15, macro="{{ var('days') }}") for days in (7, 8)]
    assert all(in_macro[0][op] != in_macro[1][op] for op in DbtOp)


def test_a_longer_look_back_reaches_further() -> None:
    reaches = Reaches.of(manifest(*ALL, outcome_lookback_days=14))
    assert reaches.outcomes == Reach(days_before=14, days_after=0)
    assert reaches.widest == Reach(days_before=16, days_after=1)


def test_a_project_that_dbt_cannot_parse_says_what_dbt_said(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "dbt_project.yml").write_text("name: p\nprofile: p\nversion: 'not a version'\n")
    (project / "profiles.yml").write_text("p: {target: t, outputs: {t: {type: duckdb, path: ':memory:'}}}\n")
    with pytest.raises(DbtProjectError, match="not a version"):
        prepared_manifest(Settings(home=tmp_path / "home"), project)
