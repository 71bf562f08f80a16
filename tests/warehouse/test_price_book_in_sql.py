"""The pivoted price book: the words it shares with the Python book, what it refuses, and that it leaves no gap."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from harness import PRICE_COLUMNS, PRICES, Company, price

from orchestration.pricebook.terms import TERM_COLUMNS
from orchestration.pricebook.vocabulary import FALLBACK_CLASSES, USAGE_CLASSES
from orchestration.warehouse.project import DBT_PROJECT

PRICING = ("stg_pricing__model_prices", "stg_pricing__price_terms", "stg_pricing__model_names")


def rows(path: Path, columns: list[str] | tuple[str, ...], *records: dict[str, str]) -> None:
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(columns))
        writer.writeheader()
        writer.writerows(records)


def refusal(company: Company) -> str:
    with pytest.raises(AssertionError) as refused:
        company.dbt("build", "--select", *PRICING, "--exclude-resource-type", "unit_test")
    return str(refused.value)


def test_sql_and_python_speak_of_the_same_classes_and_fall_back_alike(empty_company: Company) -> None:
    macros = (DBT_PROJECT / "macros" / "request_columns.sql").read_text()
    columns = empty_company.query("describe intermediate.int_model_prices__pivoted")
    in_sql = {
        name.removesuffix("_usd_per_unit")
        for name in (column["column_name"] for column in columns)
        if name.endswith("_usd_per_unit") and not name.endswith("_contracted_usd_per_unit")
    }
    assert in_sql == set(USAGE_CLASSES)
    body = macros.split("macro fallback_classes()")[1].split("endmacro")[0]
    chains = {name: tuple(re.findall(r"'(\w+)'", chain)) for name, chain in re.findall(r"'(\w+)': \[(.*?)\]", body)}
    assert chains == FALLBACK_CLASSES


def test_two_prices_that_hold_at_once_are_refused_with_both_named(company: Company) -> None:
    one = price("openai", "gpt-test", "input", "2", precedence="30")
    other = price("openai", "gpt-test", "input", "3", precedence="30", valid_from="2026-05-01T00:00:00Z")
    rows(company.home / "pricing" / "own.csv", PRICE_COLUMNS, one, other)
    message = refusal(company)
    assert one["price_id"] in message
    assert other["price_id"] in message
    assert "2026-05-01" in message


def test_a_price_that_ends_where_the_next_begins_is_taken(company: Company) -> None:
    one = price("openai", "gpt-test", "input", "2", precedence="30", valid_to="2026-05-01T00:00:00Z")
    other = price("openai", "gpt-test", "input", "3", precedence="30", valid_from="2026-05-01T00:00:00Z")
    rows(company.home / "pricing" / "own.csv", PRICE_COLUMNS, one, other)
    company.dbt("build", "--select", *PRICING, "--exclude-resource-type", "unit_test")


@pytest.mark.parametrize(
    ("second", "meet"),
    [(("23:30", "00:30"), True), (("01:00", "02:00"), False), (("00:59", "02:00"), True), (("12:00", "23:00"), False)],
)
def test_daily_windows_that_share_a_minute_are_refused(company: Company, second: tuple[str, str], meet: bool) -> None:
    """The first window spans midnight, 23:00 to 01:00."""
    windows = [("23:00", "01:00"), second]
    prices = [
        price("openai", "gpt-test", "input", "1", utc_time_from=start, utc_time_to=end)
        | {"price_id": f"window_{start}"}
        for start, end in windows
    ]
    rows(company.home / "pricing" / "own.csv", PRICE_COLUMNS, *prices)
    if meet:
        message = refusal(company)
        assert all(row["price_id"] in message for row in prices)
    else:
        company.dbt("build", "--select", "stg_pricing__model_prices", "--exclude-resource-type", "unit_test")


def test_two_terms_that_hold_at_once_are_refused_by_line(company: Company) -> None:
    term = {"provider": "openai", "discount_pct": "8", "valid_from": "2026-01-01T00:00:00Z"}
    rows(
        company.home / "seeds" / "price_terms.csv",
        TERM_COLUMNS,
        term | {"valid_to": "2026-07-01T00:00:00Z"},
        term | {"model": "gpt-test"},
        term | {"valid_from": "2026-06-30T23:59:59Z"},
    )
    message = refusal(company)
    assert "line 2 of price_terms.csv and line 4 of price_terms.csv" in message
    assert "line 3" not in message


def test_every_moment_tier_size_place_and_account_has_one_row(empty_company: Company) -> None:
    """The ranges of a name neither overlap nor leave a gap, or a request would be priced twice or not at all."""
    assert len(PRICES) > 20
    (found,) = empty_company.query(
        """
        with asked as (
            select names.model_name, names.provider, tier, tokens, minute, place, account
            from (select distinct provider, model_name from intermediate.int_model_prices__pivoted) as names
            cross join (select unnest(['balanced', 'batch', 'fast', 'standard', 'ultrafast']) as tier)
            cross join (select unnest([0, 1, 200000, 1000000000000]) as tokens)
            cross join (select unnest([0, 1439]) as minute)
            cross join (select unnest(['', 'eu', 'us-east-1', 'Ω']) as place)
            cross join (select unnest(['', 'org', 'Ünit']) as account)
        )
        select count(*) as asked, count(distinct answers) as different, min(answers) as fewest
        from (
            select asked.*, (
                select count(*) from intermediate.int_model_prices__pivoted as prices
                where prices.provider = asked.provider and prices.model_name = asked.model_name
                and asked.tier >= tier_from and asked.tier < tier_to
                and asked.tokens > context_above_tokens and asked.tokens <= context_upto_tokens
                and asked.minute >= utc_minute_from and asked.minute < utc_minute_to
                and asked.place >= place_from and asked.place < place_to
                and asked.account >= account_from and asked.account < account_to
                and timestamptz '2026-05-01 00:00:00+00' >= valid_from
                and timestamptz '2026-05-01 00:00:00+00' < valid_to
            ) as answers
            from asked
        )
        """
    )
    assert found == {"asked": found["asked"], "different": 1, "fewest": 1}
