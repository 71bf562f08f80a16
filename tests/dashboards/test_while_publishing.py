"""Pages load while a run publishes in a loop: no read fails, and no page shows two versions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
from toy_warehouse import model

from dashboards.filters import DIMENSIONS, Days, Filters
from dashboards.publication import Publication, build_query
from dashboards.usage import MARTS
from orchestration.publishing.publish import publish

LOADS = 200
LOADS_A_PUBLICATION = 10
"""Asked for in advance, so that one is always under way; without end they take half of the test's time."""
DAYS = Days(date(2026, 1, 1), date(2026, 1, 3))
PAGE = (*["spend_totals", "spend_by_day"] * 4, "spend_by_feature_day", "model_economics")
FILTERS = (
    Filters(),
    Filters(chosen={"tenant": ("acme",)}),
    Filters(chosen={"model": ("small",), "feature": ("search",)}),
    Filters(chosen={"plan": ("Growth",)}),
)

MEASURES = (
    "attempts_count, retries_count, failed_attempts_count, unpriced_attempts_count, input_tokens, output_tokens, "
    "cache_read_tokens, operations_count, accepted_outcomes_count, rejected_outcomes_count"
)

PUBLISHER = """
import sys
from pathlib import Path
import duckdb
from orchestration.publishing.publish import publish
home = Path(sys.argv[1])
marts = sys.argv[2:]
for generation, _ in enumerate(sys.stdin, 2):
    with duckdb.connect(str(home / "warehouse.duckdb")) as warehouse:
        for mart in marts:
            warehouse.execute(f"update marts.{mart} set effective_cost_usd = {generation} * attempts_count")
    assert publish(home / "warehouse.duckdb", home / "published", home / "manifest.json", None).changed
"""


def make_warehouse(home: Path) -> None:
    """Three days of two tenants, features and models in every mart of usage; an attempt costs the generation."""
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.execute("create schema marts")
        for mart in MARTS:
            columns = ", ".join(f"{name}_of.value as {name}" for name in sorted(mart.dimensions))
            sources = "".join(f", (values ({values(name)})) as {name}_of (value)" for name in sorted(mart.dimensions))
            counts = ", ".join(f"cast(10 as bigint) as {name.strip()}" for name in MEASURES.split(","))
            connection.execute(
                f"create table marts.{mart.name} as select date '2026-01-01' + cast(day as integer) as usage_date, "
                f"{columns}, {counts}, cast(10 as decimal(38, 12)) as effective_cost_usd, "
                "cast(0 as decimal(38, 12)) as list_cost_usd, cast(0 as decimal(38, 12)) as contracted_cost_usd "
                f"from range(3) as days (day){sources}"
            )
    models = [model(mart.name, event_time=None) for mart in MARTS]
    nodes = {f"model.trueup.{node['name']}": node for node in models}
    (home / "manifest.json").write_text(json.dumps({"metadata": {"invocation_id": "run-1"}, "nodes": nodes}))


def values(name: str) -> str:
    both = {"tenant_id": "'acme'), ('globex'", "feature": "'search'), ('draft'", "model": "'small'), ('large'"}
    return both.get(name, "'Growth'")


def test_two_thousand_queries_of_two_hundred_page_loads(tmp_path: Path) -> None:
    assert LOADS * len(PAGE) == 2_000
    make_warehouse(tmp_path)
    marts = [mart.name for mart in MARTS]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    publish(tmp_path / "warehouse.duckdb", tmp_path / "published", tmp_path / "manifest.json", None)
    publisher = subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, str(tmp_path), *marts], env=environment, stdin=subprocess.PIPE
    )
    assert publisher.stdin is not None
    publisher.stdin.write(b"\n" * 2)
    publication = Publication(tmp_path / "published", threads=1)
    seen: list[int] = []
    try:
        for load in range(LOADS):
            if load % LOADS_A_PUBLICATION == 0:
                publisher.stdin.write(b"\n")
                publisher.stdin.flush()
            filters = FILTERS[load % len(FILTERS)]
            with publication.open() as snapshot:
                generations = {
                    row["cost_usd"] / row["attempts_count"]
                    for name in PAGE
                    for row in snapshot.rows(build_query(name, filters, DAYS, newest_date=DAYS.last))
                    if "attempts_count" in row
                }
            assert len(generations) == 1, f"versions {generations} on one page"
            seen.append(int(generations.pop()))
    finally:
        publisher.stdin.close()
        assert publisher.wait() == 0
    assert seen == sorted(seen)
    assert len(set(seen)) > 2, "the publisher was too slow to be seen"


def test_every_query_of_every_view_names_marts_that_hold_its_columns(tmp_path: Path) -> None:
    """Whatever is filtered, the smallest mart that is chosen has the columns: else the query would not bind."""
    make_warehouse(tmp_path)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("use warehouse.marts")
        for name in ("spend_totals", "spend_by_feature_day", "spend_by_model_day", "feature_economics"):
            for dimension in DIMENSIONS:
                query = build_query(name, Filters(chosen={dimension: ("acme",)}), DAYS, newest_date=DAYS.last)
                connection.execute(query.sql, dict(query.parameters)).fetchall()
