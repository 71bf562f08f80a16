"""20,000 random requests, priced by the book and by genai-prices' own calculator."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from price_differential import (
    Case,
    compare,
    random_cases,
    read_known_differences,
    reference_pricer,
)

from orchestration.pricebook.book import PriceBook


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
