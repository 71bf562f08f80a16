"""Which row applies: the reference semantics, on books small enough to read."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from rows import moment, price_row

from orchestration.pricebook.book import AliasRow, PriceBook, PriceRow, normalise_model_name
from orchestration.pricebook.pricing import price_usage


def price(rows: list[PriceRow], usage_class: str = "input", at: str = "2026-06-01", **where: object) -> str | None:
    row = PriceBook(rows).price_for("p", "m", usage_class, at=moment(at), **where)  # type: ignore[arg-type]
    return None if row is None else str(row.price_usd_per_mtok or row.price_usd_per_kcount)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-06-01T11:59:59.999999+00:00", "2"),
        ("2026-06-01T12:00:00+00:00", "1"),
        ("2026-06-01T14:00:00+02:00", "1"),
        ("2026-06-01T13:59:59+02:00", "2"),
    ],
)
def test_h2_a_price_change_holds_from_its_instant_on(at: str, expected: str) -> None:
    rows = [
        price_row("2", valid=("1970-01-01", "2026-06-01T12:00:00+00:00")),
        price_row("1", valid=("2026-06-01T12:00:00+00:00", None)),
    ]
    assert price(rows, at=at) == expected


def test_no_row_before_the_first_or_in_a_gap_is_unpriced() -> None:
    rows = [price_row("2", valid=("2026-01-01", "2026-02-01")), price_row("1", valid=("2026-03-01", None))]
    assert price(rows, at="2025-12-31") is None
    assert price(rows, at="2026-02-15") is None


@pytest.mark.parametrize(
    ("total", "expected"), [(0, "3"), (199_999, "3"), (200_000, "3"), (200_001, "6"), (900_000, "9")]
)
def test_t2_the_context_tier_begins_strictly_above_its_threshold(total: int, expected: str) -> None:
    rows = [
        price_row("3"),
        price_row("6", context_from_tokens=200_000),
        price_row("9", context_from_tokens=500_000),
    ]
    assert price(rows, total_input_tokens=total) == expected


def test_t1_crossing_the_threshold_reprices_every_class_of_the_request() -> None:
    rows = [
        row
        for usage_class, low, high in (
            ("input", "3", "6"),
            ("cache_read", "0.3", "0.6"),
            ("output", "15", "22.5"),
        )
        for row in (
            price_row(low, usage_class=usage_class),
            price_row(high, usage_class=usage_class, context_from_tokens=200_000),
        )
    ]
    book = PriceBook(rows)
    at = moment("2026-06-01")
    below = price_usage(book, "p", "m", {"input": 100_000, "cache_read": 100_000, "output": 1_000}, at=at)
    above = price_usage(book, "p", "m", {"input": 100_001, "cache_read": 100_000, "output": 1_000}, at=at)
    assert below.cost_usd == Decimal("0.345")
    assert above.cost_usd == Decimal("0.682506")


def test_the_served_tier_comes_before_the_standard_one_which_stands_in_for_a_tier_without_a_price() -> None:
    rows = [price_row("3"), price_row("1.5", service_tier="batch")]
    assert price(rows, service_tier="batch") == "1.5"
    assert price(rows, service_tier="flex") == "3"
    assert price(rows) == "3"


def test_t7_a_tier_and_a_context_tier_combine() -> None:
    rows = [
        price_row("4"),
        price_row("8", context_from_tokens=272_000),
        price_row("2", service_tier="batch"),
        price_row("4.5", service_tier="batch", context_from_tokens=272_000),
    ]
    assert price(rows, service_tier="batch", total_input_tokens=272_001) == "4.5"
    assert price(rows, service_tier="batch", total_input_tokens=272_000) == "2"


def test_a_region_has_its_own_price_and_no_other_region_pays_it() -> None:
    rows = [price_row("1"), price_row("1.1", region="eu-west-1", precedence=10)]
    assert price(rows, region="eu-west-1") == "1.1"
    assert price(rows, region="us-east-1") == "1"
    assert price(rows) == "1"


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("16:29:59", "2"),
        ("16:30:00", "1"),
        ("23:59:59", "1"),
        ("00:00:00", "1"),
        ("00:29:59", "1"),
        ("00:30:00", "2"),
    ],
)
def test_a_daily_window_may_span_midnight(clock: str, expected: str) -> None:
    rows = [price_row("2"), price_row("1", utc_time_from="16:30", utc_time_to="00:30")]
    assert price(rows, at=f"2026-06-01T{clock}+00:00") == expected


def test_a_daily_window_is_in_utc() -> None:
    rows = [price_row("2"), price_row("1", utc_time_from="01:00", utc_time_to="04:00")]
    assert price(rows, at="2026-06-01T02:00:00+09:00") == "2"
    assert price(rows, at="2026-06-01T11:00:00+09:00") == "1"


def test_an_override_speaks_for_the_whole_class_at_its_tier() -> None:
    generated = [
        price_row("3"),
        price_row("6", context_from_tokens=200_000),
        price_row("1", utc_time_from="01:00", utc_time_to="04:00"),
        price_row("1.5", service_tier="batch"),
    ]
    override = price_row("2", precedence=30, source="override")
    for at in ("2026-06-01T02:00:00+00:00", "2026-06-01T12:00:00+00:00"):
        for total in (10, 300_000):
            assert price([*generated, override], at=at, total_input_tokens=total) == "2"
    assert price([*generated, override], service_tier="batch") == "1.5"


def test_a_class_without_a_price_is_charged_as_the_next_in_its_chain() -> None:
    assert price([price_row("3")], "cache_read") == "3"
    assert price([price_row("3"), price_row("3.75", usage_class="cache_write_5m")], "cache_write_1h") == "3.75"
    assert price([price_row("15", usage_class="output")], "reasoning") == "15"
    both = [
        price_row("3"),
        price_row("40", usage_class="input_audio"),
        price_row("0.3", usage_class="cache_read"),
    ]
    assert price(both, "cache_read_audio") == "0.3"
    assert price([price_row("3")], "web_search") is None
    assert price([price_row("3")], "output") is None


def test_a_class_of_the_served_tier_falls_back_to_its_standard_price_before_it_becomes_another_class() -> None:
    rows = [
        price_row("3"),
        price_row("1.5", service_tier="batch"),
        price_row("0.3", usage_class="cache_read"),
    ]
    assert price(rows, "cache_read", service_tier="batch") == "0.3"


def test_h4_an_announced_rise_that_is_cancelled_is_known_until_then() -> None:
    rows = [
        price_row("2", valid=("1970-01-01", "2026-09-01"), known=("2026-06-01", "2026-08-15")),
        price_row("3", valid=("2026-09-01", None), known=("2026-06-01", "2026-08-15")),
        price_row("2", known=("2026-08-15", None)),
    ]
    october = "2026-10-01"
    assert price(rows, at=october, known_at=moment("2026-07-01")) == "3"
    assert price(rows, at=october, known_at=moment("2026-08-14T23:59:59+00:00")) == "3"
    assert price(rows, at=october, known_at=moment("2026-08-15")) == "2"
    assert price(rows, at=october) == "2"
    assert price(rows, at=october, known_at=moment("2026-01-01")) is None


def test_m1_an_unknown_price_makes_the_cost_unknown_and_zero_means_free() -> None:
    at = moment("2026-06-01")
    free = PriceBook([price_row("0"), price_row("0", usage_class="output")])
    assert price_usage(free, "p", "m", {"input": 5, "output": 5}, at=at).cost_usd == 0
    no_output = PriceBook([price_row("3")])
    assert price_usage(no_output, "p", "m", {"input": 5, "output": 5}, at=at).cost_usd is None
    assert price_usage(no_output, "p", "m", {"input": 5, "output": 0}, at=at).cost_usd == Decimal("0.000015")
    assert price_usage(no_output, "p", "other", {"input": 5}, at=at).cost_usd is None


def test_a_request_fee_is_charged_once_a_request() -> None:
    book = PriceBook([price_row("1"), price_row("5", usage_class="request")])
    priced = price_usage(book, "p", "m", {"input": 1_000_000}, at=moment("2026-06-01"))
    assert priced.cost_usd == Decimal("1.005")


def test_two_to_the_63_tokens_keep_every_digit() -> None:
    book = PriceBook([price_row("0.000001")])
    priced = price_usage(book, "p", "m", {"input": 2**63}, at=moment("2026-06-01"))
    assert priced.cost_usd == Decimal(2**63) / Decimal(10**12)
    assert str(priced.cost_usd) == "9223372.036854775808"


def test_m3_a_name_resolves_to_what_it_names_exactly_or_to_nothing() -> None:
    book = PriceBook(
        [price_row("30", model="gpt-4"), price_row("2", model="gpt-4.1")],
        [AliasRow("p", "gpt-4-0613", "gpt-4", "manual", "")],
    )
    assert book.resolve("p", "gpt-4.1") == "gpt-4.1"
    assert book.resolve("p", " GPT-4-0613 ") == "gpt-4"
    assert book.resolve("p", "gpt-4-turbo") is None
    assert book.resolve("p", "gpt-4.1-mini") is None
    assert book.resolve("other", "gpt-4") is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5", "anthropic.claude-opus-5"),
        (
            "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-opus-5",
            "eu.anthropic.claude-opus-5",
        ),
        (
            "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us-gov.amazon.nova-pro-v1:0",
            "us-gov.amazon.nova-pro-v1:0",
        ),
        (
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3",
        ),
        ("ft:gpt-4o-mini-2024-07-18:acme:support:9xYz", "ft:gpt-4o-mini-2024-07-18"),
        ("ft:gpt-4o-mini-2024-07-18", "ft:gpt-4o-mini-2024-07-18"),
        ("amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
    ],
)
def test_a_resource_name_is_read_by_its_structure(name: str, expected: str) -> None:
    assert normalise_model_name(name) == expected


def test_a_price_needs_exactly_one_unit(tmp_path: object) -> None:
    row = price_row("1")
    with pytest.raises(ValueError, match="exactly one of"):
        _ = replace(row, price_usd_per_mtok=None).usd_per_unit
    with pytest.raises(ValueError, match="exactly one of"):
        _ = replace(row, price_usd_per_kcount=Decimal(1)).usd_per_unit


def test_moments_compare_across_zones() -> None:
    assert moment("2026-06-01T02:00:00+02:00") == datetime.fromisoformat("2026-06-01T00:00:00+00:00")
