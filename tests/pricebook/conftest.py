from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.pricebook.book import PriceBook, load_book
from orchestration.settings import PROJECT_ROOT

SEEDS = PROJECT_ROOT / "pricing_seeds"


@pytest.fixture(scope="session")
def seeds() -> Path:
    return SEEDS


@pytest.fixture(scope="session")
def shipped() -> PriceBook:
    """The book that is in git."""
    return load_book(SEEDS)
