"""Many days are written by few statements, each day into exactly one file."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_warehouse import day

from orchestration.publishing.marts import Column, Shape
from orchestration.publishing.parquet import (
    BATCH_DAYS,
    BATCH_ROWS,
    SINGLE_DAY_ROWS,
    Wanted,
    plan_batches,
    write_slices,
)
from orchestration.publishing.slices import Slicing

SHAPE = Shape(Slicing.DAY, "", (Column("usage_date", "DATE"), Column("n", "BIGINT")))


@settings(max_examples=30)
@given(st.dictionaries(st.integers(0, 400).map(day), st.integers(1, 60_000), max_size=200))
def test_batches_hold_every_day_once_and_stay_small(row_counts):
    batches = list(plan_batches(row_counts))
    assert sorted(usage_date for batch in batches for usage_date in batch) == sorted(row_counts)
    for batch in batches:
        rows = [row_counts[usage_date] for usage_date in batch]
        assert len(batch) == 1 or (max(rows) <= SINGLE_DAY_ROWS and sum(rows) <= BATCH_ROWS)
        assert len(batch) <= BATCH_DAYS


def test_small_and_large_days_over_a_year_each_become_one_file(tmp_path):
    """Rows of a day in several row groups, and more days than DuckDB keeps partitions open."""
    with duckdb.connect() as connection:
        connection.execute(
            f"""create table rows as
            select date '2026-01-01' + cast(n % 200 as integer) as usage_date, n from range(140000) t(n)
            union all select date '2026-01-08', n from range({SINGLE_DAY_ROWS * 8}) t(n)"""
        )
        counts = dict(connection.execute("select usage_date, count(*) from rows group by all").fetchall())
        connection.execute("set preserve_insertion_order = false")  # as a publication has it
        wanted = Wanted("rows", SHAPE, counts, tmp_path / "out", order=("n",))
        files = write_slices(connection, {"rows": wanted})["rows"]
        connection.execute("set preserve_insertion_order = true")
        large = connection.execute(f"select n from read_parquet('{files[day(7)]}')").fetchnumpy()["n"]
        found = {
            usage_date: connection.execute(f"select count(*) from read_parquet('{file}')").fetchone()[0]
            for usage_date, file in files.items()
        }
    assert found == counts
    assert len(set(files.values())) == 200
    assert list(large) == sorted(large)


@pytest.mark.parametrize("dear", ["cost_usd", "no_cost_usd"])
def test_the_largest_of_a_day_come_first_and_every_row_once(tmp_path, dear):
    """Who asks for the dearest of a day reads two groups and skips the others; where none is known, nothing breaks."""
    shape = Shape(
        Slicing.DAY, "", (*SHAPE.columns, Column("cost_usd", "DECIMAL(38,12)"), Column("no_cost_usd", "DECIMAL(38,12)"))
    )
    rows_count = 400_000
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set preserve_insertion_order = false")
        connection.execute(
            f"""create table rows as select date '2026-01-01' as usage_date, n,
              case when n % 10 > 0 then cast(hash(n) % 100000 as decimal(38, 12)) end as cost_usd,
              cast(null as decimal(38, 12)) as no_cost_usd
            from range({rows_count}) t(n)"""
        )
        wanted = Wanted("rows", shape, {day(0): rows_count}, tmp_path / "out", largest_first=dear)
        file = write_slices(connection, {"rows": wanted})["rows"][day(0)]
        found = connection.execute(f"select count(*), count(distinct n), count(cost_usd) from '{file}'").fetchone()
        groups = connection.execute(
            f"""select cast(stats_max_value as decimal(38, 12)) >= 81000 from parquet_metadata('{file}')
            where path_in_schema = 'cost_usd'"""
        ).fetchall()
    assert found == (rows_count, rows_count, rows_count * 9 // 10)
    with_dear = sum(is_dear for (is_dear,) in groups)
    assert with_dear == len(groups) if dear == "no_cost_usd" else with_dear <= 4 < len(groups)
