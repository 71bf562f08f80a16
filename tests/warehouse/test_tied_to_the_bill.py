"""Promises 1 and 11: what requests take and what none of them takes is the bill; none takes more than it paid for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from allocation_lab import UNIT, AllocationLab, Split
from harness import Company
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from random_bills import PROVIDERS, Cell, Logged, ProviderDay, landed_rows, random_provider_day

FIRST_DAY = date(2026, 3, 1)
DAYS = 100


# -- any bill -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(empty_company: Company) -> AllocationLab:
    return AllocationLab(empty_company)


@given(seed=st.integers(min_value=0, max_value=2**32))
@example(seed=7)  # two equals, of whom one gets the last unit
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bill_is_conserved_to_the_last_digit(lab: AllocationLab, seed: int) -> None:
    """Two hundred bills an example, a thousand in all, which say what their seed is; the small ones below say more.

    Neither the order of rows changes a share, nor which days are built together.
    """
    rng = Random(seed)
    days = {
        (FIRST_DAY + timedelta(days=number), provider): random_provider_day(
            rng, provider, has_lumps=True, has_accounts=True
        )
        for number in range(100)
        for provider in PROVIDERS
    }
    split = lab.split(days)
    assert_conserved(split, days)
    assert_nobody_takes_more_than_was_paid(split, days)
    assert lab.split(days, backwards=True) == split
    last = max(row["usage_date"] for row in split.requests)
    alone = lab.split({key: day for key, day in days.items() if key[0] == last})
    assert shares_by_day(alone) == {key: share for key, share in shares_by_day(split).items() if key[0] == last}


@given(rng=st.randoms(use_true_random=False), provider=st.sampled_from([*PROVIDERS]), has_accounts=st.booleans())
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_smallest_bill_that_is_not_conserved(
    lab: AllocationLab, rng: Random, provider: str, has_accounts: bool
) -> None:
    """The law above on one bill, so that a counterexample is made small."""
    days = {(FIRST_DAY, provider): random_provider_day(rng, provider, has_lumps=True, has_accounts=has_accounts)}
    split = lab.split(days)
    assert_conserved(split, days)
    assert_nobody_takes_more_than_was_paid(split, days)


def shares_by_day(split: Split) -> dict[tuple[date, str], list[Decimal]]:
    """What requests take and what is left, by day and provider, in an order of their own."""
    found: dict[tuple[date, str], list[Decimal]] = {}
    for row in [*split.requests, *split.unattributed]:
        amount = row["amount_usd"] if "amount_usd" in row else row["billed_cost_usd"]
        found.setdefault((row["usage_date"], row["provider"]), []).append(amount or Decimal(0))
    return {key: sorted(amounts) for key, amounts in found.items()}


def assert_conserved(split: Split, days: Mapping[tuple[date, str], ProviderDay]) -> None:
    """Σ is the bill: of every provider and day with what is left, and in the cells of every account."""
    totals = split.totals_usd
    cells = split.sums_of_cells()
    for key, day in days.items():
        assert totals.get(key, 0) == day.billed_usd, key
        charged = sum((amount for *_, amount in [*day.charges, *day.lumps]), Decimal(0))
        own, taken_and_left = cells.get(key, (Decimal(0), Decimal(0)))
        assert own == taken_and_left == charged, key
    assert not [row for row in split.unattributed if row["reason"] == "rounding"]


def assert_nobody_takes_more_than_was_paid(split: Split, days: Mapping[tuple[date, str], ProviderDay]) -> None:
    for row in split.allocated:
        # The share of a charge is the share of the counted tokens that is logged, rounded towards nothing.
        charge, taken = row["charge_units"], row["taken_units"]
        counted = max(row["counted_quantity"], row["logged_quantity"])
        assert abs(taken) <= abs(charge)
        assert taken * charge >= 0
        assert abs(taken) * counted <= abs(charge) * row["logged_quantity"]
    is_positive = {key: all(amount >= 0 for *_, amount in [*day.charges, *day.lumps]) for key, day in days.items()}
    for row in split.requests:
        if is_positive[row["usage_date"], row["provider"]]:
            assert row["billed_cost_usd"] is None or row["billed_cost_usd"] >= 0, row


# -- vectors --------------------------------------------------------------------------------------------------

STANDARD, BATCH = Cell(None, "gpt-test", "standard"), Cell(None, "gpt-test", "batch")


def call(cell: Cell, input_tokens: int) -> Logged:
    return Logged(cell, {"input": input_tokens, "cache_read": 0, "cache_write": 0, "output": 0})


def bill(*charges: tuple[Cell, str], counts: dict[Cell, int], requests: list[Logged]) -> ProviderDay:
    return ProviderDay(
        "openai",
        charges=[(cell, "input", Decimal(amount)) for cell, amount in charges],
        counts={(cell, "input"): count for cell, count in counts.items()},
        requests=requests,
    )


def shares(lab: AllocationLab, day: ProviderDay) -> list[Decimal]:
    split = lab.split({(FIRST_DAY, day.provider): day})
    assert split.totals_usd == {(FIRST_DAY, day.provider): day.billed_usd}
    return [row["billed_cost_usd"] for row in split.requests]


def test_v7_a_million_batch_tokens_and_a_million_standard_ones_do_not_both_cost_the_average(lab: AllocationLab) -> None:
    million = 1_000_000
    day = bill(
        (BATCH, "1.50"),
        (STANDARD, "3.00"),
        counts={BATCH: million, STANDARD: million},
        requests=[call(BATCH, million), call(STANDARD, million)],
    )
    assert shares(lab, day) == [Decimal("1.50"), Decimal("3.00")]


def test_b11_long_calls_and_short_ones_split_ninety_nine_to_one(lab: AllocationLab) -> None:
    requests = [call(STANDARD, 10_000)] * 100 + [call(STANDARD, 100)] * 100
    taken = shares(lab, bill((STANDARD, "101"), counts={STANDARD: 1_010_000}, requests=requests))
    assert (sum(taken[:100]), sum(taken[100:])) == (Decimal(100), Decimal(1))


def test_b8_direct_and_unattributed_cost_are_reported_together(lab: AllocationLab) -> None:
    project = Cell("proj_a", "gpt-test", "standard")
    day = bill((project, "10"), (BATCH, "6"), counts={}, requests=[call(project, 100)])
    assert shares(lab, day) == [Decimal(10)]
    (left,) = lab.split({(FIRST_DAY, day.provider): day}).unattributed
    assert (left["reason"], left["amount_usd"], left["billed_cost_usd"]) == ("unlogged_usage", Decimal(6), Decimal(16))


def test_d13_logs_that_cover_sixty_percent_take_sixty_percent(lab: AllocationLab) -> None:
    day = bill((STANDARD, "10"), counts={STANDARD: 1000}, requests=[call(STANDARD, 400), call(STANDARD, 200)])
    assert shares(lab, day) == [Decimal(4), Decimal(2)]


def test_logs_above_the_providers_count_share_the_charge_and_never_raise_it(lab: AllocationLab) -> None:
    day = bill((STANDARD, "9"), counts={STANDARD: 500}, requests=[call(STANDARD, 600), call(STANDARD, 300)])
    assert shares(lab, day) == [Decimal(6), Decimal(3)]


def test_b10_money_back_on_a_meter_is_split_with_its_keys(lab: AllocationLab) -> None:
    day = bill((STANDARD, "10"), (STANDARD, "-4"), counts={STANDARD: 300}, requests=[call(STANDARD, 200)])
    assert shares(lab, day) == [Decimal(4)]


def test_b17_the_smallest_units_are_neither_lost_nor_invented(lab: AllocationLab) -> None:
    day = bill((STANDARD, "0.000000000002"), counts={STANDARD: 3}, requests=[call(STANDARD, 1)] * 3)
    assert sorted(shares(lab, day)) == [Decimal(0), Decimal(0), 2 * UNIT]


def test_b16_a_key_and_a_project_that_are_gone_keep_their_cost(lab: AllocationLab) -> None:
    """The bill and the log of a day are all it needs; what the provider lists today is not asked."""
    gone = Cell("proj_deleted", "gpt-test", "standard", key="key_deleted")
    day = bill((gone, "10"), counts={gone: 100}, requests=[call(gone, 100)])
    (row,) = lab.split({(FIRST_DAY, day.provider): day}).requests
    assert (row["provider_project"], row["provider_api_key_id"]) == ("proj_deleted", "key_deleted")
    assert (row["billed_cost_usd"], row["allocation_method"]) == (Decimal(10), "direct")


def test_d13_a_project_that_only_the_bill_knows_stays_unattributed(lab: AllocationLab) -> None:
    known, unknown = Cell("proj_a", "gpt-test", "standard"), Cell("proj_b", "gpt-test", "standard")
    day = bill((known, "10"), (unknown, "30"), counts={known: 100, unknown: 300}, requests=[call(known, 100)])
    assert shares(lab, day) == [Decimal(10)]


# -- many bills in one real build -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn() -> dict[tuple[date, str], ProviderDay]:
    rng = Random(20260301)
    days = [FIRST_DAY + timedelta(days=number) for number in range(DAYS)]
    return {(day, provider): random_provider_day(rng, provider) for day in days for provider in PROVIDERS}


@pytest.fixture(scope="module")
def company(
    empty_company: Company, drawn: dict[tuple[date, str], ProviderDay], tmp_path_factory: pytest.TempPathFactory
) -> Company:
    company = empty_company.copy(tmp_path_factory.mktemp("bills") / "company")
    tables: dict[str, list[dict[str, Any]]] = {}
    for number, ((day, _), provider_day) in enumerate(drawn.items()):
        for table, rows in landed_rows(provider_day, day, number).items():
            tables.setdefault(table, []).extend(rows)
    for table, rows in tables.items():
        company.land(table, rows)
    company.build(FIRST_DAY, FIRST_DAY + timedelta(days=DAYS - 1))
    company.roll_up()
    return company


def test_every_day_of_every_provider_reports_its_bill_and_where_it_went(
    company: Company, drawn: dict[tuple[date, str], ProviderDay]
) -> None:
    reported = {
        (row["usage_date"], row["provider"]): row
        for row in company.query("select * from marts.recon_estimated_vs_billed_by_provider_day")
    }
    for key, provider_day in drawn.items():
        if not provider_day.charges and not provider_day.other_charges:
            assert key not in reported or reported[key]["bill_status"] == "open"
            continue
        row = reported[key]
        assert row["billed_cost_usd"] == provider_day.billed_usd
        taken, left = row["allocated_cost_usd"] or Decimal(0), row["unattributed_cost_usd"] or Decimal(0)
        assert taken + left == provider_day.billed_usd


def test_every_request_of_every_day_is_there(company: Company, drawn: dict[tuple[date, str], ProviderDay]) -> None:
    logged = sum(len(provider_day.requests) for provider_day in drawn.values())
    assert company.value("select count(*) from marts.fct_llm_requests") == logged
    assert company.value("select sum(attempts_count) from marts.fct_operations") == logged


@pytest.mark.parametrize("column", ["billed_cost_usd", "effective_cost_usd", "list_cost_usd"])
def test_every_roll_up_sums_to_the_same_total(company: Company, column: str) -> None:
    total = company.value(f"select sum({column}) from marts.fct_llm_requests")
    assert total not in (None, Decimal(0))
    for mart in (
        "fct_operations",
        "llm_usage_by_tenant_feature_model_day",
        "unit_economics_by_tenant_feature_day",
        "unit_economics_by_tenant_day",
        "unit_economics_by_feature_day",
        "unit_economics_by_model_day",
        "unit_economics_by_plan_feature_day",
        "llm_usage_by_plan_feature_model_day",
        "llm_usage_by_tenant_model_day",
    ):
        assert company.value(f"select sum({column}) from marts.{mart}") == total, mart
