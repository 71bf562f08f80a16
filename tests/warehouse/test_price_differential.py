"""20,000 random requests, priced by the book, by the warehouse's SQL and by genai-prices' own calculator."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from harness import MADE_OF_PRICES, Company, request
from price_differential import (
    Case,
    compare,
    random_cases,
    read_known_differences,
    read_known_sql_differences,
    reference_pricer,
)
from trueup_middleware.prices import PriceFile

from orchestration.pricebook.book import PriceBook, load_book
from orchestration.pricebook.export import write_price_file
from orchestration.settings import PROJECT_ROOT

SEEDS = PROJECT_ROOT / "pricing_seeds"


@pytest.fixture(scope="module")
def shipped() -> PriceBook:
    """The book that is in git."""
    return load_book(SEEDS)


@pytest.fixture(scope="module")
def company(empty_company: Company, tmp_path_factory: pytest.TempPathFactory) -> Company:
    """A company that prices by the book in git."""
    company = empty_company.copy(tmp_path_factory.mktemp("shipped") / "company")
    shutil.copytree(SEEDS, company.home / "seeds", dirs_exist_ok=True)
    company.dbt("build", "--select", "stg_pricing__price_multipliers", "stg_pricing__price_terms", *MADE_OF_PRICES,
        "--exclude-resource-type", "unit_test")  # fmt: skip
    return company


@pytest.fixture(scope="module")
def cases(shipped: PriceBook) -> list[Case]:
    return random_cases(shipped.aliases, 20_000, seed=20261121)


def test_every_difference_from_genai_prices_is_listed_with_its_reason(shipped: PriceBook, cases: list[Case]) -> None:
    known = read_known_differences()
    outcome = compare(cases, reference_pricer(shipped), shipped, known)
    assert outcome.unexplained == []
    assert outcome.agreeing > 18_000
    assert set(outcome.explained) == {difference.id for difference in known}, "a listed difference that never occurs"


def test_a_mistake_is_not_covered_by_the_list(shipped: PriceBook, cases: list[Case]) -> None:
    """A pricer that is a little wrong everywhere is caught everywhere, also where a difference is listed."""
    right = reference_pricer(shipped)

    def wrong(some: Sequence[Case]) -> list[Decimal | None]:
        return [None if cost is None else cost + Decimal("1e-12") for cost in right(some)]

    some = cases[:2_000]
    outcome = compare(some, wrong, shipped, read_known_differences())
    assert len(outcome.unexplained) == len(some)


def _line(case: Case) -> dict[str, Any]:
    operation = "chat" if any(name.startswith(("output", "reasoning")) for name in case.usage) else "embeddings"
    return request(
        case.started_at,
        request_id=str(case.case_id),
        provider=case.provider,
        model=case.model_name,
        service_tier=case.service_tier,
        operation_name=operation,
        usage_api="usage_classes",
        usage=json.dumps(case.usage),
    )


def test_the_warehouse_prices_every_request_as_the_book_does(
    shipped: PriceBook, company: Company, cases: list[Case]
) -> None:
    """From the logged line to its cost, in one query; the book is held against genai-prices above."""
    company.land("llm_requests", [_line(case) for case in cases])
    rows = company.query(
        """
        select request_id, list_cost_usd, contracted_cost_usd, price_status,
            input_cost_usd + cache_read_cost_usd + cache_write_cost_usd + output_cost_usd + fee_cost_usd as parts_usd
        from intermediate.int_llm_requests__priced
        """
    )
    by_id = {int(row["request_id"]): row for row in rows}
    expected = dict(zip((case.case_id for case in cases), reference_pricer(shipped)(cases), strict=True))
    assert len(rows) == len(by_id) == len(cases)
    wrong = [
        (case, by_id[case.case_id], expected[case.case_id])
        for case in cases
        if by_id[case.case_id]["list_cost_usd"] != expected[case.case_id]
        and not any(known.covers(case, shipped) for known in read_known_sql_differences())
    ]
    assert wrong == []
    assert all(row["parts_usd"] == row["list_cost_usd"] == row["contracted_cost_usd"] for row in rows)


def test_the_library_prices_every_request_as_the_book_does(
    shipped: PriceBook, cases: list[Case], tmp_path: Path
) -> None:
    """The book in git through its export; `test_library_prices` holds what else moves a price against the warehouse."""
    write_price_file(SEEDS, tmp_path / "prices.json.gz")
    prices = PriceFile.load(tmp_path / "prices.json.gz")
    some = cases[:4_000]
    wrong = []
    for case, expected in zip(some, reference_pricer(shipped)(some), strict=True):
        line = _line(case)
        found = prices.estimate(line | {"ts": case.started_at.isoformat(), "usage": case.usage})
        cost_usd = None if found.list_cost_pico_usd is None else Decimal(found.list_cost_pico_usd).scaleb(-12)
        if cost_usd != expected and not any(known.covers(case, shipped) for known in read_known_sql_differences()):
            wrong.append((case, found, expected))
    assert wrong == []
