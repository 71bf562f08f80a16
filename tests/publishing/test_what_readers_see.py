"""Readers see the rows of the warehouse, exactly, under any path, with descriptions."""

import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from toy_warehouse import CUBE, FACT, ROLL_UP, assert_same_rows, day, read, run

from orchestration.publishing.reader import current_version


def test_every_public_mart_holds_the_rows_of_the_warehouse(toy):
    result = run(toy)
    assert_same_rows(toy)
    assert current_version(toy.published) == result.version
    assert (toy.published / "marts.duckdb").readlink() == Path(f"marts-{result.version}.duckdb")
    tables = {name for (name,) in read(toy, "select table_name from duckdb_tables()")}
    views = {name for (name,) in read(toy, "select view_name from duckdb_views() where not internal")}
    assert tables == {"alerts", "published_info", "published_files"}
    assert views == {FACT, CUBE, ROLL_UP}


def test_a_reader_without_our_code_opens_the_link(toy):
    run(toy)
    with duckdb.connect(str(toy.published / "marts.duckdb"), read_only=True) as connection:
        assert connection.execute(f"select count(*) from {FACT}").fetchall() == [(6,)]


def test_types_are_kept_and_no_count_becomes_a_double(toy):
    run(toy)
    types = dict(row[:2] for row in read(toy, f"describe {FACT}"))
    assert types["input_tokens"] == "DECIMAL(38,0)"
    assert types["effective_cost_usd"] == "DECIMAL(38,12)"
    assert types["started_at"] == "TIMESTAMP WITH TIME ZONE"
    assert types["usage_date"] == "DATE"


def test_a_count_of_more_than_53_bits_keeps_its_last_digit(toy):
    toy.execute(f"update marts.{CUBE} set requests_count = 12345678901234567891")
    run(toy)
    assert read(toy, f"select distinct requests_count from {CUBE}") == [(Decimal(12345678901234567891),)]


def test_times_are_utc_and_keep_their_microseconds(toy):
    run(toy)
    expected = toy.query("select epoch_us(started_at) from marts.fct_llm_requests order by all")
    assert read(toy, f"select epoch_us(started_at) from {FACT} order by all") == expected
    assert str(read(toy, f"select min(started_at)::varchar from {FACT}")[0][0]) == ("2026-01-01 01:00:00.123456+00")


def test_descriptions_stand_where_bi_tools_look(toy):
    run(toy)
    comments = dict(read(toy, "select view_name, comment from duckdb_views() where not internal"))
    comments |= dict(read(toy, "select table_name, comment from duckdb_tables()"))
    assert comments[FACT] == "One row per attempt."
    assert comments["alerts"] == 'What must be looked at; it\'s "urgent".'
    described = read(
        toy,
        "select distinct comment from duckdb_columns() where column_name = 'tenant_id' and comment is not null",
    )
    assert described == [("Who pays; it's a tenant.",)]


def test_published_info_says_what_the_version_is(toy):
    result = run(toy)
    rows = read(
        toy,
        "select version, dbt_invocation_id, mart, slicing, row_count, days_count, first_date, "
        "last_date from published_info order by mart",
    )
    head = (result.version, "run-1")
    assert rows == [
        (*head, "alerts", "whole", 0, None, None, None),
        (*head, FACT, "day", 6, 3, day(0), day(2)),
        (*head, ROLL_UP, "month", 3, None, None, None),
        (*head, CUBE, "day", 6, 3, day(0), day(2)),
    ]
    listed = {file for (file,) in read(toy, "select file from published_files")}
    assert listed == set(toy.files())


def leave_rubbish(folder: Path) -> None:
    """Make every file below a folder unreadable, so that a query which reads one fails."""
    for file in folder.rglob("*.parquet"):
        file.write_bytes(b"rubbish")


@pytest.mark.parametrize("folder", ["it's [a] *copy?", "env=prod"])
def test_a_moved_folder_is_read_where_it_lies(toy, tmp_path, folder):
    """Also beside a folder whose name the new name would match if it were taken for a pattern."""
    run(toy)
    shutil.copytree(toy.published, tmp_path / "it's a copyX", symlinks=True)
    leave_rubbish(tmp_path / "it's a copyX")
    toy.published = toy.published.rename(tmp_path / folder)
    assert_same_rows(toy)


def test_a_folder_with_a_strange_name_is_published_into(toy, tmp_path):
    # DuckDB itself cannot write into a folder with a question mark: it puts `.wal` in front of it.
    toy.published = tmp_path / "it's [a] *copy" / "env=prod"
    run(toy)
    shutil.copytree(toy.published.parent, tmp_path / "it's a copy", symlinks=True)
    leave_rubbish(tmp_path / "it's a copy")
    toy.set_days({day(1): [("initech", "5")]})
    run(toy)
    assert_same_rows(toy)
    with duckdb.connect(str(toy.published / "marts.duckdb"), read_only=True) as connection:
        assert sorted(connection.execute(f"from {FACT}").fetchall()) == sorted(toy.query(f"from marts.{FACT}"))
