"""An installation in a temporary folder, named by the environment as a user would."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.settings import Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh `TRUEUP_HOME` with a folder of own sources."""
    sources = tmp_path / "sources"
    sources.mkdir()
    monkeypatch.setenv("TRUEUP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TRUEUP_SOURCES", str(sources))
    monkeypatch.setenv("TRUEUP_START_DATE", "2026-10-01")
    for name in ("TRUEUP_AS_KNOWN_AT", "TRUEUP_PRICING"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.fixture
def settings(home: Path) -> Settings:
    """The settings of `home`."""
    return Settings.from_env()


@pytest.fixture
def sources(home: Path) -> Path:
    """The folder of own sources."""
    return home.parent / "sources"
