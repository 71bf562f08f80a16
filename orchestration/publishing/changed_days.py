"""Days that the warehouse has built and readers have not seen yet.

Belongs here: noting such days, so that they survive a failed check, a crash and a run that was cancelled.
Does not belong here: finding out which days are stale.

One empty file per day under `published/.changed-days`, so that noting a day twice, or from two processes,
is noting it once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

_FOLDER = ".changed-days"
_ALL = "all"


def note_changed_days(published: Path, days: Iterable[date] | None) -> None:
    """Remember that these days, all days for None, are about to change. Call it before they do."""
    folder = published / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name in _names(days):
        (folder / name).touch()


def noted_days(published: Path) -> set[date] | None:
    """Return the days that changed since the last publication that went well; None when all may have."""
    folder = published / _FOLDER
    names = {file.name for file in folder.iterdir()} if folder.exists() else set[str]()
    return None if _ALL in names else {date.fromisoformat(name) for name in names}


def forget_days(published: Path, days: Iterable[date] | None) -> None:
    """Forget days that readers see now; all of them for None."""
    folder = published / _FOLDER
    for name in [file.name for file in folder.iterdir()] if days is None else _names(days):
        (folder / name).unlink(missing_ok=True)


def _names(days: Iterable[date] | None) -> list[str]:
    return [_ALL] if days is None else [day.isoformat() for day in days]
