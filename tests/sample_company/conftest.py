"""One sample company for all tests of a session, and its files as tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from story import Story

from orchestration.sample_company import LoopbackProviders, SampleOptions, generate

# Copies of the public traces lie beside the project on some machines only; nothing else needs them.
TRACES = Path(__file__).parents[3] / "shared" / "traces"
collect_ignore = [] if TRACES.is_dir() else ["test_trace_figures.py"]


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The default company at a fifth of its size: every incident is in it."""
    return Story(generate(tmp_path_factory.mktemp("company"), SampleOptions(requests=50_000)))


@pytest.fixture
def providers(story: Story) -> Iterator[LoopbackProviders]:
    """The providers of the story, serving."""
    with LoopbackProviders(story.manifest.root) as running:
        yield running
