"""dbt can read an installation that nothing has landed in, and one whose owner keeps prices of his own."""

from __future__ import annotations

import duckdb

from orchestration.landing.schemas import all_table_specs
from orchestration.settings import Settings
from orchestration.warehouse.home import prepare_home


def rows(query: str) -> int:
    with duckdb.connect() as connection:
        return len(connection.execute(query).fetchall())


def test_everything_that_dbt_reads_exists_and_is_empty(settings: Settings) -> None:
    prepare_home(settings)
    for table in all_table_specs():
        pattern = settings.landing / "*" / table.name / "usage_date=*" / "*.parquet"
        assert rows(f"from read_parquet('{pattern}', hive_partitioning=true)") == 0
    assert rows(f"from read_parquet('{settings.landing}/*/*/_manifest.parquet', union_by_name=true)") == 0
    prices = [settings.pricing / "price_overrides.csv", settings.home / "pricing" / "*.csv"]
    shipped = rows(f"from read_csv('{prices[0]}', header=true, all_varchar=true)")
    both = f"from read_csv({[str(path) for path in prices]}, header=true, all_varchar=true, union_by_name=true)"
    assert rows(both) == shipped


def test_own_prices_stay_as_they_are(settings: Settings) -> None:
    own = settings.home / "pricing" / "ours.csv"
    own.parent.mkdir(parents=True)
    own.write_text("ours")
    prepare_home(settings)
    assert [path.name for path in own.parent.iterdir()] == ["ours.csv"]
    assert own.read_text() == "ours"
