"""What makes the book unusable, and what a human is asked to look at."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from rows import price_row

from orchestration.pricebook.book import COLUMNS, AliasRow, BookError, PriceRow, read_prices, write_prices
from orchestration.pricebook.terms import MULTIPLIER_COLUMNS, TERM_COLUMNS, check_multipliers, check_terms
from orchestration.pricebook.validate import check_aliases, check_prices, suspicions


def codes(*rows: PriceRow) -> list[str]:
    return [problem.code for problem in check_prices(rows)]


def test_two_rows_that_hold_at_one_moment_are_refused_and_both_are_named() -> None:
    one = price_row("1", valid=("2026-01-01", "2026-03-01"), price_id="first")
    other = price_row("2", valid=("2026-02-01", None), price_id="second")
    (problem,) = check_prices([one, other])
    assert problem.code == "overlapping_validity"
    assert problem.message == (
        "prices 'first' and 'second' both hold at 2026-02-01T00:00:00Z as known at 1970-01-01T00:00:00Z"
    )


@pytest.mark.parametrize(
    "other",
    [
        price_row("2", valid=("2026-03-01", None)),
        price_row("2", precedence=30, source="override"),
        price_row("2", context_from_tokens=200_000),
        price_row("2", region="eu"),
        price_row("2", service_tier="batch"),
        price_row("2", usage_class="output"),
        price_row("2", model="other"),
        price_row("2", utc_time_from="01:00", utc_time_to="04:00"),
    ],
)
def test_rows_that_touch_or_price_something_else_stand_beside_each_other(other: PriceRow) -> None:
    assert codes(price_row("1", valid=("1970-01-01", "2026-03-01"), price_id="one"), other) == []


def test_rows_that_were_believed_one_after_the_other_do_not_overlap() -> None:
    before = price_row("1", known=("1970-01-01", "2026-03-01"))
    assert codes(before, price_row("2", known=("2026-03-01", None))) == []
    assert codes(before, price_row("2", known=("2026-02-28", None))) == ["overlapping_validity"]


@pytest.mark.parametrize(
    ("start", "end", "meets"),
    [
        ("04:00", "06:00", False),
        ("03:59", "06:00", True),
        ("22:00", "01:00", False),
        ("22:00", "01:01", True),
    ],
)
def test_daily_windows_of_one_key_share_no_minute(start: str, end: str, meets: bool) -> None:
    night = price_row("1", utc_time_from="01:00", utc_time_to="04:00")
    assert codes(night, price_row("2", utc_time_from=start, utc_time_to=end)) == (
        ["overlapping_validity"] if meets else []
    )


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (price_row("1", usage_class="vision"), "unknown_usage_class"),
        (replace(price_row("1"), price_usd_per_kcount=Decimal(1)), "price_columns"),
        (replace(price_row("1"), price_usd_per_mtok=None), "price_columns"),
        (replace(price_row("1"), price_usd_per_mtok=None, price_usd_per_kcount=Decimal(1)), "wrong_unit"),
        (
            replace(price_row("1", usage_class="image"), price_usd_per_mtok=Decimal(1), price_usd_per_kcount=None),
            "wrong_unit",
        ),
        (price_row("-1"), "negative_price"),
        (price_row("NaN"), "negative_price"),
        (price_row("2000.01"), "price_out_of_bounds"),
        (price_row("0.0000001"), "too_many_decimals"),
        (price_row("1", service_tier="default"), "unknown_service_tier"),
        (price_row("1", utc_time_from="01:00"), "bad_window"),
        (price_row("1", utc_time_from="1:00", utc_time_to="4:00"), "bad_window"),
        (price_row("1", utc_time_from="01:00", utc_time_to="01:00"), "bad_window"),
        (price_row("1", valid=("2026-01-01", "2026-01-01")), "never_valid"),
        (price_row("1", known=("2026-01-01", "2025-01-01")), "never_known"),
        (price_row("1", precedence=30), "wrong_precedence"),
        (price_row("1", model="GPT-5"), "not_lower_case"),
        (price_row("1", price_id=""), "missing_field"),
    ],
)
def test_a_row_that_cannot_be_priced_with_is_refused(row: PriceRow, code: str) -> None:
    assert codes(row) == [code]


def test_zero_and_the_dearest_listed_token_are_prices() -> None:
    assert codes(price_row("0")) == []
    assert codes(price_row("600")) == []


def test_a_price_id_stands_once() -> None:
    assert codes(price_row("1", price_id="x"), price_row("1", model="other", price_id="x")) == ["duplicate_price_id"]


def test_an_alias_names_one_priced_model_that_is_not_a_model_itself() -> None:
    rows = [price_row("1", model="a"), price_row("1", model="b")]

    def alias(name: str, model: str) -> AliasRow:
        return AliasRow("p", name, model, "manual", "")

    def found(*aliases: AliasRow) -> list[str]:
        return [problem.code for problem in check_aliases(aliases, rows)]

    assert found(alias("a-2026", "a"), alias("b-2026", "b")) == []
    assert found(alias("a-2026", "gone")) == ["alias_of_unknown_model"]
    assert found(alias("b", "a")) == ["alias_is_a_model"]
    assert found(alias("A-2026", "a")) == ["alias_not_lower_case"]
    assert found(alias("a-2026", "a"), alias("a-2026", "b")) == ["alias_twice"]


def test_m5_m6_what_has_the_shape_of_a_mistake_is_shown_and_not_refused() -> None:
    rows = [
        price_row("3", model="tenfold", valid=("1970-01-01", "2026-01-01")),
        price_row("0.3", model="tenfold", valid=("2026-01-01", None)),
        price_row("3", model="swapped"),
        price_row("1", model="swapped", usage_class="output"),
        price_row("3", model="cache"),
        price_row("3.1", model="cache", usage_class="cache_read"),
        price_row("0.000003", model="per-token"),
        price_row("3", model="fine", valid=("1970-01-01", "2026-01-01")),
        price_row("0.4", model="fine", valid=("2026-01-01", None), known=("2026-01-02", None)),
        price_row("15", model="fine", usage_class="output"),
        price_row("0.3", model="fine", usage_class="cache_read"),
        price_row("99", model="fine", valid=("2026-01-01", None), known=("1970-01-01", "2026-01-02")),
    ]
    assert check_prices(rows) == []
    assert sorted((found.row.key.model, found.code) for found in suspicions(rows)) == [
        ("cache", "cache_read_above_input"),
        ("per-token", "far_below_any_price"),
        ("swapped", "output_below_input"),
        ("tenfold", "tenfold_change"),
    ]


def test_a_file_survives_being_read_and_written(tmp_path: Path) -> None:
    rows = [
        price_row("0.0125", usage_class="second", price_id="c"),
        price_row("3.75", price_id="b", valid=("2026-01-01", "2026-02-01"), known=("2026-01-01", "2026-03-01")),
        price_row("1E+2", price_id="a", context_from_tokens=200_000, utc_time_from="01:00", utc_time_to="04:00"),
    ]
    path = tmp_path / "prices.csv"
    write_prices(path, rows)
    read = read_prices(path)
    assert sorted(read, key=lambda row: row.price_id) == sorted(rows, key=lambda row: row.price_id)
    first = path.read_bytes()
    write_prices(path, reversed(read))
    assert path.read_bytes() == first
    assert b"E+" not in first


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("price_usd_per_mtok", "3 dollars", "price_usd_per_mtok is '3 dollars', expected a decimal number"),
        ("valid_from", "yesterday", "valid_from is 'yesterday', expected a moment such as"),
        (
            "valid_from",
            "2026-01-01T00:00:00",
            "valid_from is '2026-01-01T00:00:00', expected a moment with a zone",
        ),
        ("known_from", "", "known_from is '', expected a moment such as"),
        ("context_from_tokens", "-1", "context_from_tokens is '-1', expected a whole number"),
        ("precedence", "", "precedence is '', expected a whole number"),
        ("captured_on", "soon", "captured_on is 'soon', expected a date such as"),
    ],
)
def test_a_value_that_cannot_be_read_is_named_with_file_and_line(
    tmp_path: Path, column: str, value: str, expected: str
) -> None:
    path = tmp_path / "price_overrides.csv"
    write_prices(path, [price_row("1", price_id="x")])
    header, line = path.read_text().splitlines()
    cells = line.split(",")
    cells[COLUMNS.index(column)] = value
    path.write_text(f"{header}\n{','.join(cells)}\n")
    with pytest.raises(BookError) as failure:
        read_prices(path)
    assert str(failure.value).startswith(f"{path}:2: {expected}")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "price_overrides.csv"
    path.write_text("price_id,provider\n")
    with pytest.raises(BookError, match=r"column model, usage_class, .* is missing"):
        read_prices(path)


def table(path: Path, columns: tuple[str, ...], *rows: dict[str, str]) -> Path:
    lines = [",".join(columns), *(",".join(row.get(column, "") for column in columns) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


TERM = {"provider": "openai", "discount_pct": "12.5", "valid_from": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"price_usd_per_mtok": "1"}, "term_columns"),
        ({"discount_pct": ""}, "term_columns"),
        ({"provider": ""}, "term_columns"),
        ({"discount_pct": "101"}, "term_out_of_bounds"),
        ({"discount_pct": "", "price_usd_per_mtok": "-1"}, "term_out_of_bounds"),
        ({"usage_class": "vision"}, "unknown_usage_class"),
        ({"service_tier": "default"}, "unknown_service_tier"),
    ],
)
def test_a_negotiated_term_that_says_nothing_or_too_much_is_refused(
    tmp_path: Path, change: dict[str, str], code: str
) -> None:
    path = table(tmp_path / "price_terms.csv", TERM_COLUMNS, {**TERM, **change})
    assert [problem.code for problem in check_terms(path)] == [code]


def test_negotiated_terms_of_one_thing_follow_each_other(tmp_path: Path) -> None:
    first = {**TERM, "valid_to": "2026-07-01T00:00:00Z"}
    second = {**TERM, "discount_pct": "20", "valid_from": "2026-07-01T00:00:00Z"}
    path = tmp_path / "price_terms.csv"
    assert check_terms(table(path, TERM_COLUMNS, first, second)) == []
    second["valid_from"] = "2026-06-30T00:00:00Z"
    (problem,) = check_terms(table(path, TERM_COLUMNS, first, second))
    assert problem.message == "price_terms.csv: lines 2 and 3 both hold at 2026-06-30T00:00:00Z"


def test_a_multiplier_is_a_small_factor_on_a_known_dimension(tmp_path: Path) -> None:
    row = {"provider": "anthropic", "dimension": "inference_geo", "value": "us", "multiplier": "1.1"}
    row["valid_from"] = "1970-01-01T00:00:00Z"
    path = tmp_path / "price_multipliers.csv"
    assert check_multipliers(table(path, MULTIPLIER_COLUMNS, row)) == []
    for change, code in (
        ({"multiplier": "11"}, "multiplier_out_of_bounds"),
        ({"multiplier": "0"}, "multiplier_out_of_bounds"),
        ({"multiplier": ""}, "multiplier_out_of_bounds"),
        ({"dimension": "mood"}, "unknown_dimension"),
    ):
        found = check_multipliers(table(path, MULTIPLIER_COLUMNS, {**row, **change}))
        assert [problem.code for problem in found] == [code]
    with pytest.raises(BookError, match="multiplier is 'x', expected a decimal number"):
        check_multipliers(table(path, MULTIPLIER_COLUMNS, {**row, "multiplier": "x"}))
    with pytest.raises(BookError, match="valid_from is empty"):
        check_multipliers(table(path, MULTIPLIER_COLUMNS, {**row, "valid_from": ""}))
