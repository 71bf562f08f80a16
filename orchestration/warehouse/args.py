"""dbt's arguments, as pure functions.

Belongs here: from models and days to a command line. Does not belong here: which of them are built together
(`plan`), and starting a process (`runner`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestration.connectors.base import Window


def event_time_arguments(window: Window | None) -> list[str]:
    """Return the flags that bound daily models to the UTC days of `window`; none for None.

    dbt reads both bounds as UTC and the end as exclusive, as a `Window` is.
    """
    if window is None:
        return []
    return ["--event-time-start", window.start.isoformat(), "--event-time-end", window.end.isoformat()]


def build_arguments(
    models: Sequence[str],
    tests: Sequence[str] = (),
    *,
    window: Window | None = None,
    full_refresh: bool = False,
) -> list[str]:
    """Return the arguments of `dbt build` for exactly these models and data tests.

    Unit tests never run here: they are not asset checks, yet a failing one would fail the build (lab).

    Args:
        models: Names of models.
        tests: Names of data tests. Named one by one, because dbt's own ways to find tests either run one that
            compares a model with another op's model before that one is built, or never run it.
        window: The UTC days that daily models replace; None for models that have no days.
        full_refresh: Drop and build anew the tables that are otherwise built day by day.

    Raises:
        ValueError: When nothing is selected; dbt would then build everything.
    """
    if not models and not tests:
        raise ValueError("nothing to build")
    return [
        "build",
        "--select",
        *sorted(models),
        *sorted(tests),
        "--indirect-selection",
        "empty",
        # A model takes its unit tests along even so.
        "--exclude-resource-type",
        "unit_test",
        *event_time_arguments(window),
        *(["--full-refresh"] if full_refresh else []),
    ]


def project_arguments(project: Path, home: Path) -> list[str]:
    """Return the flags that say where the project lies and where dbt may write.

    Nothing is written into the project, so that it may lie in a folder that is read-only.
    """
    return [
        "--project-dir",
        str(project),
        "--profiles-dir",
        str(project),
        "--target-path",
        str(home / "dbt" / "target"),
        "--log-path",
        str(home / "dbt" / "logs"),
    ]
