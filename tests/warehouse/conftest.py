"""One parsed project and one empty company for the whole session."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import PRICES, Company, Dbt

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"

# Real recordings lie beside a checkout, not in it.
collect_ignore = [] if SAMPLES.is_dir() else ["test_litellm_sample.py"]


@pytest.fixture(scope="session")
def empty_company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A company in which nothing has happened; copy it, never build in it.

    The process stands in Auckland, thirteen hours before UTC: a day that is cut in local time comes out wrong.
    """
    folder = tmp_path_factory.mktemp("warehouse")
    with pytest.MonkeyPatch.context() as environment:
        for name in ("TRUEUP_HOME", "TRUEUP_PRICING", "TRUEUP_AS_KNOWN_AT"):
            environment.delenv(name, raising=False)
        environment.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        yield Company.found(Dbt(folder), folder / "empty", PRICES)
    time.tzset()


@pytest.fixture
def company(empty_company: Company, tmp_path: Path) -> Company:
    """A company of one's own in which nothing has happened."""
    return empty_company.copy(tmp_path / "company")
