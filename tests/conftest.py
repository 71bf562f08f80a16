"""What holds for every test: which of them share a worker, and that a law may take its time (speed: `make bench`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    """Keep modules on one worker, and all modules of which a test asks for the same one of the dearest fixtures."""
    places: dict[str, int] = {}
    for item in items:
        asked = [DEAREST.index(name) for name in getattr(item, "fixturenames", ()) if name in DEAREST]
        places[_module(item)] = min([*asked, places.get(_module(item), len(DEAREST))])
    for item in items:
        place = places[_module(item)]
        item.add_marker(pytest.mark.xdist_group(DEAREST[place] if place < len(DEAREST) else _module(item)))
    items.sort(key=lambda item: places[_module(item)])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: Sequence[str]) -> None:
    """Stop where pytest-xdist does not keep groups: with pytest 9.2 each worker built everything, and all was green."""
    if node.config.getoption("dist") == "loadgroup" and not all("@" in name for name in ids):
        pytest.exit("pytest-xdist does not read the groups of tests; see pytest in pyproject.toml", returncode=2)


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
