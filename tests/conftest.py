"""What holds for every test: a law may take its time, because speed is measured elsewhere (`make bench`)."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share something dear on one worker: those of a module, and all that look at the small company."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            looks_at_company = "small_company" in getattr(item, "fixturenames", ())
            group = "small_company" if looks_at_company else item.nodeid.partition("::")[0]
            item.add_marker(pytest.mark.xdist_group(group))
