"""Days that the warehouse has built, or rolled up, and readers have not seen yet.

Belongs here: noting such days, so that they survive a failed check, a crash and a run that was cancelled.
Does not belong here: finding out which days are stale.

One empty file per day under `published/.changed-days` and `.rolled-up-days`, so that noting a day twice, or
from two processes, is noting it once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from pathlib import Path

_ALL = "all"


class Changed(StrEnum):
    """What of a day changes."""

    FACTS = ".changed-days"
    """What is built by day; the roll-ups change with it, and are noted for themselves."""
    ROLL_UPS = ".rolled-up-days"
    """Roll-ups that replace the days of a run."""


def note_changed_days(published: Path, days: Iterable[date] | None, what: Changed = Changed.FACTS) -> None:
    """Remember that these days, all days for None, are about to change. Call it before they do."""
    folder = published / what
    folder.mkdir(parents=True, exist_ok=True)
    for name in _names(days):
        (folder / name).touch()


def noted_days(published: Path, what: Changed = Changed.FACTS) -> set[date] | None:
    """Return the days that changed since the last publication that went well; None when all may have."""
    folder = published / what
    names = {file.name for file in folder.iterdir()} if folder.exists() else set[str]()
    return None if _ALL in names else {date.fromisoformat(name) for name in names}


def forget_days(published: Path, days: Iterable[date] | None, what: Changed = Changed.FACTS) -> None:
    """Forget days that readers see now; all of them for None."""
    folder = published / what
    for name in [file.name for file in folder.iterdir()] if days is None else _names(days):
        (folder / name).unlink(missing_ok=True)


def _names(days: Iterable[date] | None) -> list[str]:
    return [_ALL] if days is None else [day.isoformat() for day in days]
