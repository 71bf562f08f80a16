"""Every rule of FOCUS that is checked: a file that keeps all of them passes, and each one is broken by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import duckdb
import pytest

from orchestration.focus.rules import BETWEEN_COLUMNS, Rule, check_relation, rules_of, violations_of
from orchestration.focus.specification import (
    BILLING_PERIOD,
    COST_AND_USAGE,
    INVOICE_DETAIL,
    FocusColumn,
    Format,
    columns_of,
)

DATASETS = [(COST_AND_USAGE, "1.4"), (COST_AND_USAGE, "1.2"), (BILLING_PERIOD, "1.4"), (INVOICE_DETAIL, "1.4")]

USAGE = {
    "ChargeCategory": "'Usage'",
    "ChargeFrequency": "'Usage-Based'",
    "PricingCategory": "'Standard'",
    "PricingQuantity": "0.7",
    "PricingUnit": "'1000000 Tokens'",
    "ConsumedQuantity": "700000",
    "ConsumedUnit": "'Tokens'",
    "ListUnitPrice": "1.25",
    "ContractedUnitPrice": "1.25",
    "ServiceCategory": "'AI and Machine Learning'",
    "ServiceSubcategory": "'Generative AI'",
    "SkuId": "'openai/gpt-5'",
    "SkuMeter": "'Input Tokens'",
    "SkuPriceId": "'openai/gpt-5/input'",
    "SkuPriceDetails": """'{"x_ModelId": "gpt-5"}'""",
    "Tags": """'{"tenant_id": "acme", "is_trial": true}'""",
    "SubAccountId": "'proj_a1'",
    "SubAccountName": "'prod'",
    "InvoiceIssueStatus": "'Issued'",
    "BillingPeriodStatus": "'Open'",
    "ChargePeriodStart": "timestamptz '2026-10-01 00:00:00Z'",
    "ChargePeriodEnd": "timestamptz '2026-10-02 00:00:00Z'",
    "BillingPeriodStart": "timestamptz '2026-10-01 00:00:00Z'",
    "BillingPeriodEnd": "timestamptz '2026-11-01 00:00:00Z'",
    **dict.fromkeys(("BilledCost", "ListCost", "ContractedCost", "EffectiveCost"), "0.875"),
}
UNPRICED = dict.fromkeys(
    [
        *("PricingQuantity", "PricingUnit", "ConsumedQuantity", "ConsumedUnit", "ListUnitPrice", "ContractedUnitPrice"),
        *("SkuId", "SkuMeter", "SkuPriceId", "SkuPriceDetails"),
    ],
    "null",
)
CREDIT = USAGE | UNPRICED | {"ChargeCategory": "'Credit'", "ChargeFrequency": "'One-Time'"}
TAX = CREDIT | {"ChargeCategory": "'Tax'"}

TYPES = {
    Format.DECIMAL: "decimal(38, 12)",
    Format.NON_NEGATIVE: "decimal(38, 18)",
    Format.DATE_TIME: "timestamptz",
}

BROKEN_COLUMN = {
    "not-null": "null",
    "not-negative": "-1",
    "currency": "'usd'",
    "allowed": "'Something'",
    "unit": "'1M tokens'",
    "key-value": """'{"a": {"b": 1}}'""",
    "json": "'[1]'",
    "real-null": "'N/A'",
}
"""What a column is set to, by the kind of its rule."""

BROKEN_ROWS = {
    **{f"{column}-of-priced-charges": ("Usage", {column: "null"}) for column in UNPRICED},
    **{f"{column}-of-tax": ("Tax", {column: USAGE[column]}) for column in UNPRICED},
    **{
        f"{column}-of-credits": ("Credit", {column: "0.874999999999"})
        for column in ("ListCost", "ContractedCost", "EffectiveCost")
    },
    "ListUnitPrice-product": ("Usage", {"ListUnitPrice": "1.2500001"}),
    "ContractedUnitPrice-product": ("Usage", {"ContractedCost": "0.8750001"}),
    "ConsumedQuantity-of-usage": ("Credit", {"ConsumedQuantity": "1"}),
    "ConsumedQuantity-of-priced-usage": ("Usage", {"ConsumedQuantity": "null"}),
    "ConsumedUnit-with-ConsumedQuantity": ("Usage", {"ConsumedUnit": "null"}),
    "PricingUnit-with-PricingQuantity": ("Usage", {"PricingUnit": "null"}),
    "SubAccountName-with-SubAccountId": ("Usage", {"SubAccountName": "null"}),
    "RegionName-with-RegionId": ("Usage", {"RegionId": "'us-east-1'"}),
    "InvoiceDetailId-with-InvoiceId": ("Usage", {"InvoiceId": "'inv_1'", "InvoiceDetailId": "null"}),
    "SkuMeter-with-SkuId": ("Credit", {"SkuMeter": "'Input Tokens'"}),
    "SkuPriceDetails-with-SkuPriceId": ("Credit", {"SkuPriceDetails": "'{}'"}),
    "SkuPriceId-parent": ("Credit", {"SkuId": "'another'", "SkuPriceId": USAGE["SkuPriceId"]}),
    "ChargeFrequency-of-purchases": ("Usage", {"ChargeCategory": "'Purchase'"}),
    "ServiceSubcategory-parent": ("Usage", {"ServiceCategory": "'Compute'"}),
    "ChargePeriod-order": ("Usage", {"ChargePeriodEnd": "ChargePeriodStart"}),
    "BillingPeriod-order": ("Usage", {"BillingPeriodEnd": "BillingPeriodStart"}),
}
"""Which row is broken, and how, by rule."""


@pytest.fixture(scope="module")
def good_files() -> Iterator[dict[tuple[str, str], duckdb.DuckDBPyConnection]]:
    """For each dataset a connection with a `focus_file` that keeps every rule."""
    with ExitStack() as stack:
        connections: dict[tuple[str, str], duckdb.DuckDBPyConnection] = {}
        for dataset, version in DATASETS:
            connection = connections[dataset, version] = stack.enter_context(duckdb.connect())
            connection.execute("set TimeZone = 'UTC'; set threads = 1")
            write_good_file(connection, dataset, version)
        yield connections


@pytest.fixture
def connection(
    request: pytest.FixtureRequest, good_files: dict[tuple[str, str], duckdb.DuckDBPyConnection]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file of the test's dataset, Cost and Usage where it names none; what the test does to it is undone."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    connection = good_files[parameters.get("dataset", COST_AND_USAGE), parameters.get("version", "1.4")]
    connection.execute("begin")
    yield connection
    connection.execute("rollback")


def write_good_file(connection: duckdb.DuckDBPyConnection, dataset: str, version: str) -> None:
    rows = [USAGE, CREDIT, TAX] if dataset == COST_AND_USAGE else [USAGE]
    selects = [
        "select "
        + ", ".join(
            f"cast({value(column, row)} as {TYPES.get(column.format, 'varchar')}) as {column.name}"
            for column in columns_of(dataset, version)
        )
        for row in rows
    ]
    connection.execute(f"create table focus_file as {' union all '.join(selects)}")


def value(column: FocusColumn, row: dict[str, str]) -> str:
    if column.name in row:
        return row[column.name]
    if column.is_nullable or column.format is Format.ALLOWED:
        return "null"
    return {
        Format.DATE_TIME: "timestamptz '2026-10-01 00:00:00Z'",
        Format.CURRENCY: "'USD'",
        Format.DECIMAL: "1",
        Format.JSON_OBJECT: "'{}'",
        Format.KEY_VALUE: "'{}'",
    }.get(column.format, "'something'")


def broken_rules(connection: duckdb.DuckDBPyConnection, dataset: str, version: str) -> set[str]:
    return {violation.rule for violation in check_relation(connection, dataset, version)}


@pytest.mark.parametrize(("dataset", "version"), DATASETS)
def test_a_file_that_keeps_every_rule_passes(connection: duckdb.DuckDBPyConnection, dataset: str, version: str) -> None:
    assert broken_rules(connection, dataset, version) == set()


@pytest.mark.parametrize(
    ("dataset", "version", "rule"),
    [(dataset, version, rule) for dataset, version in DATASETS for rule in rules_of(dataset, version)],
    ids=lambda part: part.name if isinstance(part, Rule) else part,
)
def test_every_rule_finds_the_row_that_breaks_it(
    connection: duckdb.DuckDBPyConnection, dataset: str, version: str, rule: Rule
) -> None:
    if rule in BETWEEN_COLUMNS:
        category, changes = BROKEN_ROWS[rule.name]
    else:
        (column,) = rule.columns
        category, changes = "Usage", {column: BROKEN_COLUMN[rule.name.removeprefix(f"{column}-")]}
    where = f"where ChargeCategory = '{category}'" if dataset == COST_AND_USAGE else ""
    assignments = ", ".join(f"{column} = {expression}" for column, expression in changes.items())
    connection.execute(f"update focus_file set {assignments} {where}")
    assert [violation.rule for violation in violations_of(connection, [rule])] == [rule.name]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("alter table focus_file drop BilledCost", "BilledCost-present"),
        ("alter table focus_file alter BilledCost type varchar", "BilledCost-type"),
        ("alter table focus_file alter ChargePeriodEnd type timestamp", "ChargePeriodEnd-type"),
        ("alter table focus_file alter SkuId type bigint using 1", "SkuId-type"),
        ("alter table focus_file add tenant varchar", "tenant-custom"),
        ("alter table focus_file add x_tenant varchar", "x_tenant-custom"),
    ],
)
def test_a_file_of_another_shape_is_found(connection: duckdb.DuckDBPyConnection, change: str, rule: str) -> None:
    connection.execute(change)
    assert rule in broken_rules(connection, COST_AND_USAGE, "1.4")


def test_a_column_that_is_only_recommended_may_be_missing(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("alter table focus_file drop SkuMeter")
    connection.execute("alter table focus_file add x_ModelId varchar")
    assert broken_rules(connection, COST_AND_USAGE, "1.4") == set()
