"""What is not exactly what the warehouse holds is never switched to, and damage is mended."""

from pathlib import Path

import duckdb
import pytest
from toy_warehouse import FACT, assert_same_rows, day, read, run

from orchestration.publishing import publish as publish_module
from orchestration.publishing.errors import PublishError
from orchestration.publishing.reader import current_version


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)


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


@pytest.mark.parametrize("spoil", [damage, keep_fewer_rows, change_money, forget_a_value, Path.unlink])
def test_a_file_that_is_not_what_the_warehouse_holds_is_refused(toy, monkeypatch, spoil):
    toy.set_days({day(1): [("acme", "0"), ("acme", "3")]})
    first = run(toy)
    toy.set_days({day(1): [("acme", "0"), ("globex", "4")]})
    real = publish_module.install

    def spoiling(staged: Path, target: Path) -> None:
        real(staged, target)
        if target.parent.parent.name == FACT:
            spoil(target)

    with monkeypatch.context() as patch:
        patch.setattr(publish_module, "install", spoiling)
        with pytest.raises(PublishError):
            run(toy, {day(1)})
    assert current_version(toy.published) == first.version
    assert read(toy, f"select count(*) from {FACT}") == [(6,)]
    run(toy, set())
    assert_same_rows(toy)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-10])])
@pytest.mark.parametrize("folder", [f"{FACT}/usage_date=2026-01-01", "unit_economics_by_feature_day"])
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
