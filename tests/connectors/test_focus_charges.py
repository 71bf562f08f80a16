"""A provider's FOCUS export as a source of charges, in the versions and formats that providers write."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest
from landed import landed

from orchestration.connectors.errors import ConnectorError
from orchestration.connectors.focus_charges import CHARGES, FocusCharges, FocusChargesConfig
from orchestration.landing.manifest import read_manifest
from orchestration.landing.results import PullResult
from orchestration.landing.store import LandingStore

SOURCE = "cloud"
_hours = count()


def line(day: str = "2026-10-05", **columns: str | None) -> dict[str, str | None]:
    """A line of October, as FOCUS 1.0 to 1.2 write it."""
    start = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    return {
        "ProviderName": "AWS",
        "ServiceName": "Amazon Bedrock",
        "ServiceCategory": "AI and Machine Learning",
        "BillingAccountId": "111122223333",
        "BillingPeriodStart": "2026-10-01T00:00:00Z",
        "BillingPeriodEnd": "2026-11-01T00:00:00Z",
        "ChargePeriodStart": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "ChargePeriodEnd": f"{start + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
        "ChargeCategory": "Usage",
        "BillingCurrency": "USD",
        "BilledCost": "1.5",
        **columns,
    }


def write(path: Path, *lines: dict[str, str | None]) -> Path:
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list({name: None for each in lines for name in each}))
        writer.writeheader()
        writer.writerows(lines)
    return path


def pull(root: Path, path: Path, **options: Any) -> PullResult:
    config = FocusChargesConfig.model_validate({"path": str(path), **options})
    connector = FocusCharges(SOURCE, config, lambda name: pytest.fail(f"asked for the secret {name}"))
    now = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=next(_hours))
    return LandingStore(root / "landing", lambda: now).run(SOURCE, connector, None)


def current(root: Path) -> dict[date, Decimal]:
    """The billed cost of each day, by its newest version; a day that became empty is 0."""
    versions = read_manifest(root / "landing", SOURCE, CHARGES.name).sort_by("pull_id").to_pylist()
    newest = {row["usage_date"]: row["pull_id"] for row in versions}
    days = dict.fromkeys(newest, Decimal(0))
    for row in landed(root / "landing", SOURCE, CHARGES.name):
        if newest[row["usage_date"]] == row["pull_id"]:
            days[row["usage_date"]] += row["billed_cost"]
    return days


def test_a_line_lands_with_its_words_and_its_exact_amount(tmp_path: Path) -> None:
    pull(
        tmp_path,
        write(
            tmp_path / "focus.csv",
            line(
                BilledCost="0.100000000001",
                SkuMeter="Input Tokens",
                ConsumedQuantity="1E3",
                ConsumedUnit="Tokens",
                InvoiceId="",
                Tags='{"team": "search"}',
            ),
        ),
    )
    (row,) = landed(tmp_path / "landing", SOURCE, CHARGES.name)
    assert (row["billed_cost"], row["consumed_quantity"]) == (Decimal("0.100000000001"), Decimal(1000))
    assert (row["service_provider_name"], row["sku_meter"], row["invoice_id"]) == ("AWS", "Input Tokens", None)
    assert row["charge_period_start"] == datetime(2026, 10, 5, tzinfo=UTC)
    assert row["tags"] == '{"team": "search"}'


def test_the_name_of_1_4_stands_for_that_of_1_2(tmp_path: Path) -> None:
    renamed = {("ServiceProviderName" if name == "ProviderName" else name): text for name, text in line().items()}
    pull(tmp_path, write(tmp_path / "focus.csv", renamed))
    (row,) = landed(tmp_path / "landing", SOURCE, CHARGES.name)
    assert row["service_provider_name"] == "AWS"


def test_parquet_with_doubles_maps_and_times_without_a_zone_says_the_same(tmp_path: Path) -> None:
    write(tmp_path / "lines.csv", line(BilledCost="0.1"))
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'Pacific/Auckland'")
        connection.execute(
            f"copy (select * replace (cast(BilledCost as double) as BilledCost, "
            f"cast(replace(ChargePeriodStart, 'Z', '') as timestamp) as ChargePeriodStart), "
            f"map {{'team': 'search'}} as Tags from read_csv('{tmp_path}/lines.csv', all_varchar = true)) "
            f"to '{tmp_path}/focus.parquet'"
        )
    (tmp_path / "lines.csv").unlink()
    pull(tmp_path, tmp_path / "focus.parquet")
    (row,) = landed(tmp_path / "landing", SOURCE, CHARGES.name)
    assert (row["usage_date"], row["billed_cost"], row["tags"]) == (
        date(2026, 10, 5),
        Decimal("0.1"),
        '{"team":"search"}',
    )


def test_lines_of_other_services_are_counted_and_left(tmp_path: Path) -> None:
    machines = line(ServiceName="Amazon EC2", ServiceCategory="Compute", BilledCost="900")
    marketplace = line(ServiceName="Claude (Amazon Bedrock Edition)", ServiceCategory="Other", BilledCost="2")
    path = write(tmp_path / "focus.csv", line(), machines, marketplace)
    result = pull(tmp_path, path, service_names=["Claude (Amazon Bedrock Edition)"])
    table = result.tables[CHARGES.name]
    assert (table.rows_read, table.rows_landed, table.rows_skipped) == (3, 2, 1)
    assert current(tmp_path)[date(2026, 10, 5)] == Decimal("3.5")


def test_z7_a_new_delivery_of_a_period_replaces_its_days_and_days_to_come_are_not_empty(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    write(folder / "part-1.csv", line("2026-10-02"), line("2026-10-03"))
    write(folder / "part-2.csv", line("2026-10-03", BilledCost="4"))
    pull(tmp_path, folder)
    amounts = {day.day: amount for day, amount in current(tmp_path).items()}
    assert amounts == {1: 0, 2: Decimal("1.5"), 3: Decimal("5.5")}
    write(folder / "part-1.csv", line("2026-10-02", BilledCost="1.25"))
    (folder / "part-2.csv").unlink()
    again = pull(tmp_path, folder)
    assert again.changed_dates == (date(2026, 10, 2), date(2026, 10, 3))
    assert {day.day: amount for day, amount in current(tmp_path).items()} == {1: 0, 2: Decimal("1.25"), 3: 0}


def test_a_period_that_comes_back_without_a_line_for_us_becomes_empty(tmp_path: Path) -> None:
    path = write(tmp_path / "focus.csv", line())
    pull(tmp_path, path)
    write(path, line(ServiceCategory="Compute"))
    pull(tmp_path, path)
    assert current(tmp_path)[date(2026, 10, 5)] == 0


def test_a_period_whose_files_are_gone_keeps_what_has_landed(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    october = write(folder / "2026-10.csv", line())
    pull(tmp_path, folder)
    october.unlink()
    november = {"BillingPeriodStart": "2026-11-01T00:00:00Z", "BillingPeriodEnd": "2026-12-01T00:00:00Z"}
    write(
        folder / "2026-11.csv",
        line("2026-11-02", **november),
        # A correction of October, billed in November, when October's own lines are not there any more.
        line("2026-10-05", ChargeClass="Correction", BilledCost="-0.5", **november),
    )
    pull(tmp_path, folder)
    assert {day: amount for day, amount in current(tmp_path).items() if amount} == {
        date(2026, 10, 5): Decimal("1.5"),
        date(2026, 11, 1): Decimal("-0.5"),
        date(2026, 11, 2): Decimal("1.5"),
    }


def test_files_that_did_not_change_are_not_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "focus.csv", line())
    assert pull(tmp_path, path).changed
    again = pull(tmp_path, path)
    assert not again.changed
    assert again.tables.get(CHARGES.name) is None or again.tables[CHARGES.name].rows_read == 0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"BilledCost": "1,500.00"}, "line 1: BilledCost '1,500.00'"),
        ({"BilledCost": ""}, "line 1: BilledCost is missing"),
        ({"ChargePeriodStart": "yesterday"}, "line 1: ChargePeriodStart 'yesterday'"),
        ({"BillingCurrency": "EUR"}, "BillingCurrency 'EUR': nothing here converts money"),
    ],
)
def test_a_bill_with_a_line_that_cannot_be_read_is_not_taken_by_halves(
    tmp_path: Path, columns: dict[str, str], message: str
) -> None:
    path = write(tmp_path / "focus.csv", line(**columns))
    with pytest.raises(ConnectorError, match=message):
        pull(tmp_path, path)
    assert landed(tmp_path / "landing", SOURCE, CHARGES.name) == []


def test_a_line_of_another_service_may_be_in_another_currency(tmp_path: Path) -> None:
    path = write(tmp_path / "focus.csv", line(), line(ServiceCategory="Compute", BillingCurrency="EUR"))
    assert pull(tmp_path, path).tables[CHARGES.name].rows_landed == 1


@pytest.mark.parametrize("missing", ["BilledCost", "ProviderName", "BillingPeriodEnd"])
def test_a_file_that_is_no_cost_and_usage_is_refused(tmp_path: Path, missing: str) -> None:
    columns = line()
    del columns[missing]
    with pytest.raises(
        ConnectorError, match=r"the column (BilledCost|ServiceProviderName|BillingPeriodEnd) is missing"
    ):
        pull(tmp_path, write(tmp_path / "focus.csv", columns))


def test_a_path_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError, match="no CSV or Parquet file"):
        pull(tmp_path, tmp_path / "nothing")
