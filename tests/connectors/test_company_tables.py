"""The company's own tables, from files as other systems write them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from landed import landed, quarantined
from pydantic import ValidationError

from orchestration.connectors.company_tables import TABLES, CompanyTables, CompanyTablesConfig
from orchestration.connectors.errors import ConnectorError
from orchestration.landing.results import PullResult
from orchestration.landing.store import LandingStore

SOURCE = "company"


def pull(root: Path, options: dict[str, Any] | None = None, /, **tables: str | Path) -> PullResult:
    config = CompanyTablesConfig.model_validate(
        {"tables": {name: str(location) for name, location in tables.items()}, **(options or {})}
    )
    connector = CompanyTables(SOURCE, config, lambda name: pytest.fail(f"asked for the secret {name}"))
    return LandingStore(root / "landing").run(SOURCE, connector, None)


def rows(root: Path, table: str) -> list[dict[str, Any]]:
    return landed(root / "landing", SOURCE, table)


def refused(root: Path, table: str) -> list[tuple[int | None, str]]:
    return quarantined(root / "landing", SOURCE, table)


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)
    return path


REVENUE_HEADER = "tenant_id,invoice_id,line_id,service_start_date,service_end_date,amount_usd,kind"


def revenue_csv(path: Path, *records: str) -> Path:
    return write(path, "\n".join([REVENUE_HEADER, *records]) + "\n")


def test_revenue_lands_exactly_as_written(tmp_path: Path) -> None:
    pull(
        tmp_path,
        revenue=revenue_csv(
            tmp_path / "revenue.csv",
            "acme,i1,1,2026-11-01,2026-12-01,0.100000000001,subscription",
            "acme,i1,2,2026-11-01,2026-12-01,-12345678901234567890.5,Refund",
        ),
    )
    found = {row["line_id"]: row for row in rows(tmp_path, "revenue")}
    assert found["1"]["amount_usd"] == Decimal("0.100000000001")
    assert found["2"]["amount_usd"] == Decimal("-12345678901234567890.5")
    assert found["2"]["kind"] == "refund"
    assert (found["1"]["service_start_date"], found["1"]["service_end_date"]) == (
        date(2026, 11, 1),
        date(2026, 12, 1),
    )


def test_both_spellings_semicolons_a_byte_order_mark_and_quoted_line_breaks(tmp_path: Path) -> None:
    customers = write(
        tmp_path / "customers.csv",
        "Tenant_ID;customerId;name;billingTimezone;createdAt;unknownColumn\n"
        'acme;c1;"Acme;\nInc";Europe/Berlin;2026-01-01T00:00:00+02:00;x\n'
        ";c2;No tenant;;;\n",
        encoding="utf-8-sig",
    )
    pull(tmp_path, customers=customers)
    (row,) = rows(tmp_path, "customers")
    assert (row["tenant_id"], row["name"], row["billing_timezone"]) == ("acme", "Acme;\nInc", "Europe/Berlin")
    assert row["created_at"] == datetime(2025, 12, 31, 22, tzinfo=UTC)
    assert row["owner_email"] is None
    assert refused(tmp_path, "customers") == [(4, "missing:tenant_id")]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("acme,i1,1,2026-11-01,2026-12-01,,usage", "missing:amount_usd"),
        ("  ,i1,1,2026-11-01,2026-12-01,1,usage", "missing:tenant_id"),
        ('acme,i1,1,2026-11-01,2026-12-01,"1,000",usage', "wrong_type:amount_usd"),
        ("acme,i1,1,2026-11-01,2026-12-01,1e3,usage", "wrong_type:amount_usd"),
        ("acme,i1,1,2026-11-01,2026-12-01,0.1234567890123,usage", "wrong_type:amount_usd"),
        ("acme,i1,1,2026-11-01,2026-12-01,999999999999999999999999999,usage", "wrong_type:amount_usd"),
        ("acme,i1,1,2026-11-31,2026-12-01,1,usage", "wrong_type:service_start_date"),
        ("acme,i1,1,11/01/2026,2026-12-01,1,usage", "wrong_type:service_start_date"),
        ("acme,i1,1,2026-11-01 10:30:00,2026-12-01,1,usage", "wrong_type:service_start_date"),
        ("acme,i1,1,2026-11-01,2026-11-01,1,usage", "empty_range:service_end_date"),
        ("acme,i1,1,2026-11-02,2026-11-01,1,usage", "empty_range:service_end_date"),
        ("acme,i1,1,2026-11-01,2026-12-01,1,gift", "invalid:kind"),
        ("acme,i1,1", "wrong_field_count"),
        ("acme,i1,1,2026-11-01,2026-12-01,1,usage,more", "wrong_field_count"),
    ],
)
def test_a_row_that_breaks_the_contract_is_kept_aside_with_line_and_field(
    tmp_path: Path, record: str, reason: str
) -> None:
    good = "acme,i1,0,2026-11-01,2026-12-01,1.0000000000000,usage"
    result = pull(tmp_path, revenue=revenue_csv(tmp_path / "revenue.csv", good, "", record))
    assert [row["line_id"] for row in rows(tmp_path, "revenue")] == ["0"]
    assert refused(tmp_path, "revenue") == [(4, reason)]
    counts = result.tables["revenue"]
    assert (counts.rows_read, counts.rows_landed, counts.rows_quarantined, counts.rows_skipped) == (
        3,
        1,
        1,
        1,
    )


def test_other_tables_check_their_own_fields(tmp_path: Path) -> None:
    pull(
        tmp_path,
        customers=write(tmp_path / "c.csv", "tenant_id,billing_timezone\na,Mars/Base\nb,UTC\n"),
        plans=write(tmp_path / "p.csv", "plan_id,monthly_price_usd,included_operations\nx,-1,1\ny,1,1.5\nz,1,3.0\n"),
        subscriptions=write(
            tmp_path / "s.csv",
            "tenant_id,plan_id,valid_from,valid_to,seats\na,x,2026-01-01,,-2\nb,x,2026-01-01,2026-01-01,\n"
            "c,x,2026-01-01 00:00:00,,\n",
        ),
        budgets=write(
            tmp_path / "b.csv",
            "scope,scope_id,period,amount_usd,valid_from\norg,,month,100,2026-01-01\nplanet,,day,1,2026-01-01\n",
        ),
        releases=write(
            tmp_path / "r.csv",
            "release_id,deployed_at,feature\n1,2026-11-01T10:00:00Z,draft\n2,2026-11-01 10:00:00,draft\n"
            "3,2026-11-01 10:00,\n4,2026-11-01 10:00:00.5-03:30,\n",
        ),
    )
    assert refused(tmp_path, "customers") == [(2, "invalid:billing_timezone")]
    assert refused(tmp_path, "plans") == [
        (2, "negative:monthly_price_usd"),
        (3, "wrong_type:included_operations"),
    ]
    assert [row["included_operations"] for row in rows(tmp_path, "plans")] == [3]
    assert refused(tmp_path, "subscriptions") == [(2, "negative:seats"), (3, "empty_range:valid_to")]
    assert [(row["valid_from"], row["valid_to"]) for row in rows(tmp_path, "subscriptions")] == [
        (date(2026, 1, 1), None)
    ]
    assert refused(tmp_path, "budgets") == [(3, "invalid:scope")]
    assert refused(tmp_path, "releases") == [(3, "wrong_type:deployed_at"), (4, "wrong_type:deployed_at")]
    assert [row["deployed_at"] for row in rows(tmp_path, "releases")] == [
        datetime(2026, 11, 1, 10, tzinfo=UTC),
        datetime(2026, 11, 1, 13, 30, 0, 500_000, tzinfo=UTC),
    ]


def test_timestamps_without_zone_are_utc_only_when_the_site_says_so(tmp_path: Path) -> None:
    releases = write(tmp_path / "r.csv", "release_id,deployed_at\n1,2026-11-01 10:00:00\n2,2026-11-02\n")
    pull(tmp_path, {"timestamps_without_zone_are_utc": True}, releases=releases)
    assert [row["deployed_at"] for row in rows(tmp_path, "releases")] == [
        datetime(2026, 11, 1, 10, tzinfo=UTC),
        datetime(2026, 11, 2, tzinfo=UTC),
    ]


def test_parquet_meets_the_same_contract(tmp_path: Path) -> None:
    data = pa.table(
        {
            "tenantId": pa.array([7, None], pa.int64()),
            "plan_id": ["pro", "pro"],
            "valid_from": pa.array([date(2026, 1, 1)] * 2, pa.date32()),
            "valid_to": pa.array([1_769_904_000, None], pa.timestamp("s")),
            "seats": pa.array([3.0, None], pa.float64()),
            "monthly_recurring_revenue_usd": pa.array([Decimal("19.99"), None], pa.decimal128(9, 2)),
        }
    )
    path = tmp_path / "subscriptions.parquet"
    pq.write_table(data, path)
    pull(tmp_path, subscriptions=path)
    (row,) = rows(tmp_path, "subscriptions")
    assert (row["tenant_id"], row["seats"], row["valid_to"]) == ("7", 3, date(2026, 2, 1))
    assert row["monthly_recurring_revenue_usd"] == Decimal("19.99")
    assert refused(tmp_path, "subscriptions") == [(2, "missing:tenant_id")]


def test_money_as_floating_point_stops_the_pull(tmp_path: Path) -> None:
    path = tmp_path / "plans.parquet"
    pq.write_table(pa.table({"plan_id": ["pro"], "monthly_price_usd": [19.99]}), path)
    with pytest.raises(ConnectorError, match=r"monthly_price_usd holds money as DOUBLE.*write it as decimal"):
        pull(tmp_path, plans=path)
    assert rows(tmp_path, "plans") == []


def test_a_folder_and_a_glob_are_read_as_one_table(tmp_path: Path) -> None:
    write(tmp_path / "export" / "a.csv", "plan_id\nfree\n")
    write(tmp_path / "export" / "deep" / "b.csv", "plan_id,plan_name\npro,Pro\n")
    write(tmp_path / "export" / "readme.txt", "no table")
    pull(tmp_path, plans=tmp_path / "export")
    assert sorted(row["plan_id"] for row in rows(tmp_path, "plans")) == ["free", "pro"]
    pull(tmp_path / "second", plans=tmp_path / "export" / "**" / "b*.csv")
    assert [row["plan_id"] for row in rows(tmp_path / "second", "plans")] == ["pro"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("plan_name\nPro\n", r"required columns are missing: \['plan_id'\].*plan_id \(required\)"),
        ("", r"required columns are missing.*\(none\)"),
        ("plan_id,planId\na,b\n", r"columns appear twice: \['plan_id'\]"),
        ('plan_id\n"open\n', "not CSV in UTF-8"),
        (
            "plan_id,monthly_price_usd\na,x\nb,y\n",
            r"none of its 2 rows is usable.*wrong_type:monthly_price_usd, line 2",
        ),
        ("plan_id,plan_name\na\n", r"none of its 1 rows is usable.*wrong_field_count, line 2"),
    ],
)
def test_a_file_that_is_not_the_table_stops_the_pull(tmp_path: Path, content: str, message: str) -> None:
    good = write(tmp_path / "plans.csv", "plan_id\nfree\n")
    pull(tmp_path, plans=good)
    bad = write(tmp_path / "plans.csv", content)
    with pytest.raises(ConnectorError, match=f"(?s)source company: table plans: .*{message}") as caught:
        pull(tmp_path, plans=bad)
    assert "plans.csv" in str(caught.value)
    assert [row["plan_id"] for row in rows(tmp_path, "plans")] == ["free"]


def test_a_file_in_another_encoding_stops_the_pull(tmp_path: Path) -> None:
    path = write(tmp_path / "plans.csv", "plan_id\ncafé\n", encoding="latin-1")
    with pytest.raises(ConnectorError, match="UTF-8"):
        pull(tmp_path, plans=path)


def test_a_missing_file_an_empty_folder_and_broken_parquet_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for location in (tmp_path / "nowhere.csv", tmp_path / "empty", tmp_path / "*.csv"):
        with pytest.raises(ConnectorError, match=r"no CSV or Parquet file.*correct the path"):
            pull(tmp_path, plans=location)
    with pytest.raises(ConnectorError, match="not a Parquet file"):
        pull(tmp_path, plans=write(tmp_path / "x.parquet", "PAR1"))


def test_a_header_alone_is_an_empty_table(tmp_path: Path) -> None:
    pull(tmp_path, plans=write(tmp_path / "plans.csv", "plan_id\nfree\n"))
    result = pull(tmp_path, plans=write(tmp_path / "plans.csv", "plan_id\n"))
    assert result.changed
    assert result.tables["plans"].rows_landed == 0


def test_an_unchanged_table_writes_no_new_version(tmp_path: Path) -> None:
    path = write(tmp_path / "plans.csv", "plan_id\nfree\n")
    assert pull(tmp_path, plans=path).changed
    assert not pull(tmp_path, plans=path).changed
    assert len(rows(tmp_path, "plans")) == 1


def test_the_config_knows_its_tables(tmp_path: Path) -> None:
    for bad in ({"tables": {"orders": "x.csv"}}, {"tables": {}}, {"tables": {"plans": "x"}, "more": 1}):
        with pytest.raises(ValidationError):
            CompanyTablesConfig.model_validate(bad)
    assert set(TABLES) == {"customers", "plans", "subscriptions", "revenue", "releases", "budgets"}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.decimals(min_value=-(10**20), max_value=10**20, places=12), min_size=1, max_size=20))
def test_law_the_sum_of_revenue_is_the_sum_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, amounts: list[Decimal]
) -> None:
    root = tmp_path_factory.mktemp("revenue")
    records = [f"acme,i1,{n},2026-11-01,2026-12-01,{amount:f},usage" for n, amount in enumerate(amounts)]
    pull(root, revenue=revenue_csv(root / "revenue.csv", *records))
    assert sum(row["amount_usd"] for row in rows(root, "revenue")) == sum(amounts)
