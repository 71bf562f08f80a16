"""Readers and a publishing run at the same time: no query fails, none sees two versions at once."""

import os
import subprocess
import sys

import duckdb
from toy_warehouse import CUBE, FACT, day, run

from orchestration.publishing.reader import open_marts

PUBLICATIONS = 15
QUERIES = 300

PUBLISHER = f"""
import sys
from pathlib import Path
from toy_warehouse import ToyWarehouse, day, run
toy = ToyWarehouse.__new__(ToyWarehouse)
toy.open(Path(sys.argv[1]))
for generation in range(1, {PUBLICATIONS} + 1):
    toy.execute(
        f"update intermediate.requests set list_cost_usd = {{generation}}",
        f"update marts.{CUBE} set effective_cost_usd = {{generation}}",
        f"update marts.unit_economics_by_feature_day set effective_cost_usd = {{generation}}",
    )
    assert run(toy, {{day(0), day(1), day(2)}}).changed
"""

GENERATIONS = f"""
select effective_cost_usd from {FACT}
union select effective_cost_usd from {CUBE}
union select effective_cost_usd from unit_economics_by_feature_day
"""


def generation_seen(connection: duckdb.DuckDBPyConnection) -> int:
    """Every row of every mart carries the number of the publication that wrote it."""
    ((generation,),) = connection.execute(GENERATIONS).fetchall()
    return int(generation)


def test_no_read_fails_and_no_version_is_mixed(toy):
    for table in ("intermediate.requests", f"marts.{CUBE}", "marts.unit_economics_by_feature_day"):
        column = "list_cost_usd" if table.startswith("i") else "effective_cost_usd"
        toy.execute(f"update {table} set {column} = 0")
    run(toy)
    publisher = subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, str(toy.path.parent)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with open_marts(toy.published) as patient:
        seen = [generation_seen(patient)]
        queries = 1
        while queries < QUERIES or publisher.poll() is None:
            with open_marts(toy.published) as connection:
                generations = {generation_seen(connection) for _ in range(3)}
                (days,) = connection.execute(f"select count(distinct usage_date) from {FACT}").fetchone()
            assert len(generations) == 1
            assert days == 3
            seen.append(generations.pop())
            queries += 4
        assert generation_seen(patient) == 0
    assert publisher.wait() == 0
    assert seen == sorted(seen)
    assert seen[-1] <= PUBLICATIONS
    assert len(set(seen)) > 2
    with open_marts(toy.published) as connection:
        assert generation_seen(connection) == PUBLICATIONS


def test_a_small_query_reads_only_the_files_of_its_day(toy):
    run(toy)
    with open_marts(toy.published) as connection:
        plan = connection.execute(
            f"explain analyze select count(*) from {FACT} where usage_date = date '{day(1)}'"
        ).fetchall()[0][1]
    assert "Scanning Files: 1/3" in plan
