"""The rules of FOCUS that a file can be checked against, as SQL over its rows.

Belongs here: what a violation looks like. Does not belong here: the columns (`specification`), and the official
validator (`official`), which knows version 1.2 only.

Rules of single columns follow from `columns.csv`. Rules between columns are listed here, each with the words of the
specification. What only the issuer of an invoice can know (is this the sum that was paid?) is no rule here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.focus.specification import COST_AND_USAGE, NATIVE_VERSION, FocusColumn, Format, columns_of
from orchestration.sql import glob_literal, identifier, literal


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: Column and rule, such as `BilledCost-not-null`.
        text: What must hold.
        columns: Columns it reads; a file that lacks one of them (and need not have it) keeps the rule.
        violation: SQL that holds on a row that breaks it.
    """

    name: str
    text: str
    columns: tuple[str, ...]
    violation: str


@dataclass(frozen=True)
class Violation:
    """A rule that a file breaks; `rows_count` is 0 when the file as a whole does."""

    rule: str
    text: str
    rows_count: int


_UNITS = r"[A-Z][A-Za-z0-9]*( [A-Z][A-Za-z0-9]*)*"
_TIME = "(Years|Months|Days|Hours|Minutes|Seconds)"
_UNIT = rf"^([1-9][0-9]* )?{_UNITS}(-{_TIME}|/(Year|Month|Day|Hour|Minute|Second))?$"
_SPECIAL_NULLS = "('', 'null', 'n/a', 'na', 'none', 'nil')"

_TYPES = {
    Format.DECIMAL: ("DECIMAL", "DOUBLE", "FLOAT", "BIGINT", "INTEGER"),
    Format.NON_NEGATIVE: ("DECIMAL", "DOUBLE", "FLOAT", "BIGINT", "INTEGER"),
    Format.DATE_TIME: ("TIMESTAMP WITH TIME ZONE",),
}

_IS_PRICED = "ChargeCategory in ('Usage', 'Purchase') and ChargeClass is distinct from 'Correction'"


def _product(price: str, cost: str) -> Rule:
    return Rule(
        f"{price}-product",
        f"{price} x PricingQuantity is {cost}, unless the row is a correction",
        (price, "PricingQuantity", cost, "ChargeClass"),
        # The product of two decimals of 38 digits does not fit into one; what doubles cannot tell is a billionth.
        f"ChargeClass is distinct from 'Correction' and abs(cast({price} as double) * cast(PricingQuantity as double)"
        f" - cast({cost} as double)) > 1e-9 * greatest(abs(cast({cost} as double)), 1)",
    )


def _together(column: str, other: str) -> Rule:
    return Rule(
        f"{column}-with-{other}",
        f"{column} is null when, and only when, {other} is",
        (column, other),
        f"({column} is null) <> ({other} is null)",
    )


BETWEEN_COLUMNS: tuple[Rule, ...] = (
    *(
        Rule(
            f"{column}-of-priced-charges",
            f"{column} is not null when ChargeCategory is Usage or Purchase, unless the row is a correction",
            (column, "ChargeCategory", "ChargeClass"),
            f"{column} is null and {_IS_PRICED}",
        )
        for column in ("PricingQuantity", "SkuPriceId", "SkuId", "ListUnitPrice", "ContractedUnitPrice")
    ),
    *(
        Rule(
            f"{column}-of-tax",
            f"{column} is null when ChargeCategory is Tax",
            (column, "ChargeCategory"),
            f"{column} is not null and ChargeCategory = 'Tax'",
        )
        for column in ("PricingQuantity", "SkuPriceId", "SkuId", "ListUnitPrice", "ContractedUnitPrice")
    ),
    _product("ListUnitPrice", "ListCost"),
    _product("ContractedUnitPrice", "ContractedCost"),
    *(
        Rule(
            f"{column}-of-credits",
            f"{column} is BilledCost when the charge is unrelated to others, as a Credit is",
            (column, "BilledCost", "ChargeCategory"),
            f"ChargeCategory = 'Credit' and {column} is distinct from BilledCost",
        )
        for column in ("ListCost", "ContractedCost", "EffectiveCost")
    ),
    Rule(
        "ConsumedQuantity-of-usage",
        "ConsumedQuantity is null unless ChargeCategory is Usage and no commitment went unused",
        ("ConsumedQuantity", "ChargeCategory"),
        "ConsumedQuantity is not null and ChargeCategory <> 'Usage'",
    ),
    Rule(
        "ConsumedQuantity-of-priced-usage",
        "ConsumedQuantity is not null when ChargeCategory is Usage, unless the row is a correction",
        ("ConsumedQuantity", "ChargeCategory", "ChargeClass"),
        "ConsumedQuantity is null and ChargeCategory = 'Usage' and ChargeClass is distinct from 'Correction'",
    ),
    _together("ConsumedUnit", "ConsumedQuantity"),
    _together("PricingUnit", "PricingQuantity"),
    _together("SubAccountName", "SubAccountId"),
    _together("RegionName", "RegionId"),
    _together("InvoiceDetailId", "InvoiceId"),
    Rule(
        "SkuMeter-with-SkuId",
        "SkuMeter is null when SkuId is",
        ("SkuMeter", "SkuId"),
        "SkuMeter is not null and SkuId is null",
    ),
    Rule(
        "SkuPriceDetails-with-SkuPriceId",
        "SkuPriceDetails is null when SkuPriceId is",
        ("SkuPriceDetails", "SkuPriceId"),
        "SkuPriceDetails is not null and SkuPriceId is null",
    ),
    Rule(
        "SkuPriceId-parent",
        "SkuPriceId has one and only one parent SkuId",
        ("SkuPriceId", "SkuId"),
        "SkuPriceId in (select SkuPriceId from focus_file group by 1 having count(distinct SkuId) > 1)",
    ),
    Rule(
        "ChargeFrequency-of-purchases",
        "ChargeFrequency is not Usage-Based when ChargeCategory is Purchase",
        ("ChargeFrequency", "ChargeCategory"),
        "ChargeFrequency = 'Usage-Based' and ChargeCategory = 'Purchase'",
    ),
    Rule(
        "ServiceSubcategory-parent",
        "Generative AI belongs to AI and Machine Learning",
        ("ServiceSubcategory", "ServiceCategory"),
        "ServiceSubcategory = 'Generative AI' and ServiceCategory is distinct from 'AI and Machine Learning'",
    ),
    Rule(
        "ChargePeriod-order",
        "ChargePeriodEnd is exclusive and later than ChargePeriodStart",
        ("ChargePeriodStart", "ChargePeriodEnd"),
        "ChargePeriodEnd <= ChargePeriodStart",
    ),
    Rule(
        "BillingPeriod-order",
        "BillingPeriodEnd is exclusive and later than BillingPeriodStart",
        ("BillingPeriodStart", "BillingPeriodEnd"),
        "BillingPeriodEnd <= BillingPeriodStart",
    ),
)
"""Rules that need more than one column; those whose columns a dataset does not have say nothing about it."""


def rules_of(dataset: str, version: str = NATIVE_VERSION) -> tuple[Rule, ...]:
    """Return every rule that a file of this dataset must keep, but those of presence and type."""
    columns = columns_of(dataset, version)
    names = {column.name for column in columns}
    return (
        *(rule for column in columns for rule in _column_rules(column)),
        *(rule for rule in BETWEEN_COLUMNS if names.issuperset(rule.columns)),
    )


def check_file(file: Path, dataset: str = COST_AND_USAGE, version: str = NATIVE_VERSION) -> list[Violation]:
    """Check a Parquet file and return what it breaks; nothing when it keeps every rule."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            f"create view focus_file as from read_parquet({literal(glob_literal(file))}, hive_partitioning=false)"
        )
        return check_relation(connection, dataset, version)


def check_relation(
    connection: duckdb.DuckDBPyConnection, dataset: str, version: str = NATIVE_VERSION
) -> list[Violation]:
    """Check the relation `focus_file` of a connection."""
    types = {name: type_ for name, type_, *_ in connection.execute("describe focus_file").fetchall()}
    violations = list(_shape_violations(types, columns_of(dataset, version)))
    bad_types = {violation.rule.removesuffix("-type") for violation in violations if violation.rule.endswith("-type")}
    rules = [
        rule
        for rule in rules_of(dataset, version)
        if types.keys() >= {*rule.columns} and not bad_types & {*rule.columns}
    ]
    return [*violations, *violations_of(connection, rules)]


def violations_of(connection: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> list[Violation]:
    """Return those of `rules` that rows of the relation `focus_file` break."""
    if not rules:
        return []
    counts = connection.execute(
        f"select {', '.join(f'count(*) filter (where {rule.violation})' for rule in rules)} from focus_file"
    ).fetchall()[0]
    return [Violation(rule.name, rule.text, count) for rule, count in zip(rules, counts, strict=True) if count]


def _shape_violations(types: dict[str, str], columns: tuple[FocusColumn, ...]) -> Iterator[Violation]:
    for column in columns:
        type_ = types.get(column.name)
        if type_ is None:
            if column.is_mandatory:
                yield Violation(f"{column.name}-present", f"{column.name} must be there", 0)
        elif not type_.startswith(_TYPES.get(column.format, ("VARCHAR",))):
            yield Violation(f"{column.name}-type", f"{column.name} is {type_}", 0)
    known = {column.name for column in columns}
    for name in types:
        if name not in known and not (name.startswith("x_") and name[2:3].isupper()):
            yield Violation(f"{name}-custom", f"{name} is no column of FOCUS; a custom one is x_PascalCase", 0)


def _column_rules(column: FocusColumn) -> Iterator[Rule]:
    name = identifier(column.name)

    def rule(kind: str, text: str, violation: str) -> Rule:
        return Rule(f"{column.name}-{kind}", f"{column.name} {text}", (column.name,), violation)

    if not column.is_nullable:
        yield rule("not-null", "is not null", f"{name} is null")
    match column.format:
        case Format.NON_NEGATIVE:
            yield rule("not-negative", "is not negative", f"{name} < 0")
        case Format.CURRENCY:
            yield rule(
                "currency", "is a currency of ISO 4217, three capitals", f"not regexp_full_match({name}, '[A-Z]{{3}}')"
            )
        case Format.ALLOWED:
            allowed = ", ".join(literal(value) for value in column.allowed_values)
            yield rule("allowed", f"is one of {', '.join(column.allowed_values)}", f"{name} not in ({allowed})")
        case Format.UNIT:
            yield rule("unit", "is a unit, such as `1000000 Tokens`", f"not regexp_matches({name}, {literal(_UNIT)})")
        case Format.KEY_VALUE:
            yield rule("key-value", "is one JSON object of plain values", _is_no_flat_object(name))
        case Format.JSON_OBJECT:
            yield rule("json", "is one JSON object", _is_no_object(name))
        case Format.TEXT:
            yield rule(
                "real-null", "says null by being null, not by a word", f"lower(trim({name})) in {_SPECIAL_NULLS}"
            )
        case Format.DECIMAL | Format.DATE_TIME:
            pass  # the type of the column says it all


def _is_no_object(name: str) -> str:
    return f"{name} is not null and (not json_valid({name}) or json_type({name}) <> 'OBJECT')"


def _is_no_flat_object(name: str) -> str:
    # DuckDB evaluates both sides of `or`; try() keeps text that is no JSON from failing the query.
    nested = f"regexp_matches(cast(try(json_structure({name})) as varchar), ':\\s*[{{\\[]')"
    return f"{name} is not null and (not json_valid({name}) or try(json_type({name})) <> 'OBJECT' or {nested})"
