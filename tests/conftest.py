"""What holds for every test: a law may take its time, because speed is measured elsewhere (`make bench`)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import settings

settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")


DEAREST = ("small_company", "spans", "empty_company")
"""Fixtures that take longest, with all that stands on them: 230 s, 100 s and 330 s of processor time (2026-11-22).

Each is built by one worker, before anything else, so that no worker is left alone with one of them at the end.
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share something dear on one worker: one of the dearest fixtures, or else their module."""
    dearest = {item: next((name for name in DEAREST if name in _fixtures_of(item)), None) for item in items}
    for item, name in dearest.items():
        item.add_marker(pytest.mark.xdist_group(name or item.nodeid.partition("::")[0]))
    items.sort(key=lambda item: DEAREST.index(dearest[item]) if dearest[item] else len(DEAREST))


def _fixtures_of(item: pytest.Item) -> Sequence[str]:
    return getattr(item, "fixturenames", ())
