"""dbt is asked for exactly what was meant."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from orchestration.connectors.base import Window
from orchestration.warehouse.args import build_arguments, project_arguments


def test_models_and_tests_are_named_one_by_one_and_unit_tests_never_run() -> None:
    arguments = build_arguments(["b", "a"], ["t"])
    assert arguments[: arguments.index("--indirect-selection")] == ["build", "--select", "a", "b", "t"]
    assert arguments[arguments.index("--indirect-selection") + 1] == "empty"
    assert arguments[arguments.index("--exclude-resource-type") + 1] == "unit_test"
    assert "--event-time-start" not in arguments
    assert "--full-refresh" not in arguments


def test_a_window_is_half_open() -> None:
    arguments = build_arguments(["a"], window=Window(date(2026, 10, 30), date(2026, 11, 1)), full_refresh=True)
    assert arguments[arguments.index("--event-time-start") + 1] == "2026-10-30"
    assert arguments[arguments.index("--event-time-end") + 1] == "2026-11-01"
    assert arguments[-1] == "--full-refresh"


def test_an_empty_selection_is_refused_because_dbt_would_build_everything() -> None:
    with pytest.raises(ValueError, match="nothing to build"):
        build_arguments([])


def test_dbt_writes_under_the_home_only() -> None:
    arguments = project_arguments(Path("/project"), Path("/home"))
    written = [arguments[arguments.index(flag) + 1] for flag in ("--target-path", "--log-path")]
    assert all(path.startswith("/home/") for path in written)
