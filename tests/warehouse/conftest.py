from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import PRICES, Company, Dbt


@pytest.fixture(scope="session")
def empty_company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A company in which nothing has happened; copy it, never build in it."""
    folder = tmp_path_factory.mktemp("warehouse")
    with pytest.MonkeyPatch.context() as environment:
        for name in ("TRUEUP_HOME", "TRUEUP_PRICING", "TRUEUP_AS_KNOWN_AT"):
            environment.delenv(name, raising=False)
        yield Company.found(Dbt(folder), folder / "empty", PRICES)


@pytest.fixture
def company(empty_company: Company, tmp_path: Path) -> Company:
    """A company of one's own in which nothing has happened."""
    return empty_company.copy(tmp_path / "company")
