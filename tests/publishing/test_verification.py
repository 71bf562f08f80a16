"""What is not exactly what the warehouse holds is never switched to, and damage is mended."""

from pathlib import Path

import duckdb
import pytest
from toy_warehouse import CUBE, FACT, ROLL_UP, assert_same_rows, day, model, read, run

from orchestration.publishing import publish as publish_module
from orchestration.publishing.errors import PublishError
from orchestration.publishing.parquet import write_slices
from orchestration.publishing.reader import current_version
from orchestration.publishing.versions import install


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def keep_fewer_rows(path: Path) -> None:
    rewrite(path, "select * from was limit 1")


def change_money(path: Path) -> None:
    rewrite(path, "select * replace (list_cost_usd + 0.000000000001 as list_cost_usd) from was")


def forget_a_value(path: Path) -> None:
    rewrite(path, "select * replace (nullif(list_cost_usd, 0) as list_cost_usd) from was")


def rewrite(path: Path, query: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"create table was as from read_parquet('{path}', hive_partitioning = false)")
        connection.execute(f"copy ({query}) to '{path}' (format parquet)")


def assert_refused_then_mended(toy, monkeypatch, step, spoiling) -> None:
    first = current_version(toy.published)
    toy.set_days({day(1): [("acme", "0"), ("globex", "4")]})
    with monkeypatch.context() as patch:
        patch.setattr(publish_module, step, spoiling)
        with pytest.raises(PublishError):
            run(toy, {day(1)})
    assert current_version(toy.published) == first
    assert read(toy, f"select count(*) from {FACT}") == [(6,)]
    run(toy, set())
    assert_same_rows(toy)


@pytest.mark.parametrize("spoil", [damage, keep_fewer_rows, change_money, forget_a_value])
def test_rows_that_are_not_what_the_warehouse_holds_are_refused(toy, monkeypatch, spoil):
    run(toy)

    def write_spoiled(connection, wanted):
        written = write_slices(connection, wanted)
        if FACT in written:
            spoil(written[FACT][day(1)])
        return written

    assert_refused_then_mended(toy, monkeypatch, "write_slices", write_spoiled)


@pytest.mark.parametrize("spoil", [damage, keep_fewer_rows, change_money])
def test_sums_that_a_roll_up_holds_are_proof_too(toy, monkeypatch, spoil):
    """`effective_cost_usd` is in the cube; `list_cost_usd` is not, and is summed where it stands."""
    toy.models[0] = model(FACT, event_time="usage_date", totals=CUBE)
    toy.write_manifest()
    test_rows_that_are_not_what_the_warehouse_holds_are_refused(toy, monkeypatch, spoil)


def test_a_mart_that_costs_another_sum_than_its_roll_up_is_refused(toy):
    toy.models[0] = model(FACT, event_time="usage_date", totals=CUBE)
    toy.write_manifest()
    run(toy)
    toy.execute(
        "update intermediate.requests set list_cost_usd = list_cost_usd + 0.000000000001 "
        "where request_key = '2026-01-02-1'"
    )
    with pytest.raises(PublishError, match=r"fct_llm_requests of 2026-01-02 .* sum of effective_cost_usd"):
        run(toy, {day(1)})
    toy.execute(f"delete from marts.{CUBE} where usage_date = date '2026-01-02'")
    with pytest.raises(PublishError, match=r"fct_llm_requests of 2026-01-02 .* sum of effective_cost_usd"):
        run(toy, {day(1)})


@pytest.mark.parametrize("spoil", [Path.unlink, cut_off])
def test_a_file_that_suffers_on_its_way_is_refused(toy, monkeypatch, spoil):
    run(toy)

    def install_spoiled(staged: Path, target: Path) -> None:
        install(staged, target)
        if target.parent.parent.name == FACT:
            spoil(target)

    assert_refused_then_mended(toy, monkeypatch, "install", install_spoiled)


@pytest.mark.parametrize("spoil", [Path.unlink, cut_off])
@pytest.mark.parametrize("folder", [f"{FACT}/usage_date=2026-01-01", f"{ROLL_UP}/usage_month=2026-01", "alerts"])
def test_a_published_file_that_is_lost_or_cut_off_is_written_again(toy, spoil, folder):
    run(toy)
    (file,) = (toy.published / folder).iterdir()
    spoil(file)
    assert run(toy, set()).changed
    assert_same_rows(toy)


@pytest.mark.parametrize("spoil", [damage, Path.unlink])
def test_a_marts_file_that_is_lost_or_damaged_is_replaced(toy, spoil):
    first = run(toy)
    spoil(toy.published / f"marts-{first.version}.duckdb")
    for offset in range(4):
        toy.set_days({day(1): [("acme", str(offset))]})
        run(toy, {day(1)})
    assert_same_rows(toy)
    assert not any(first.version in file for file in toy.files())


def test_a_type_that_parquet_cannot_keep_is_refused(toy):
    toy.execute("alter table alerts.alerts add column counts struct(requests hugeint)")
    with pytest.raises(PublishError, match=r"alerts: Parquet does not keep .*DOUBLE"):
        run(toy)
