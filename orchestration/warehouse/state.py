"""What the warehouse was last built from, and so what need not be built again.

Belongs here: comparing fingerprints of inputs, per UTC day, and keeping those of the last build in
`TRUEUP_HOME/warehouse_state.json`. Does not belong here: reading what has landed, and building.

The file is a cache beside a cache: without it, or without the warehouse, everything counts as stale.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from orchestration.connectors.base import Window

_FORMAT = 1

EVALUATED_PART = "alerts"
"""What the state calls the roll-ups and days for which the alert rules were last evaluated (`evaluation`)."""

PUBLISHED_PART = "published"
"""What the state calls the fingerprint of the publication that readers see (`inputs.publication`)."""


@dataclass(frozen=True)
class Reach:
    """How many days around a day its rows are made of, besides the day itself."""

    days_before: int
    days_after: int


@dataclass(frozen=True)
class DailyInput:
    """One group of landed tables: a fingerprint for each day that has landed, and how far its days reach.

    A day's rows may depend on its neighbours: an operation that runs past midnight ends in the next day's
    log.
    """

    fingerprints: Mapping[date, str]
    reach: Reach


def fingerprint(parts: Iterable[object]) -> str:
    """Return a hash over the representations of `parts`, in their order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode() + b"\0")
    return digest.hexdigest()


def files_fingerprint(paths: Iterable[Path]) -> str:
    """Return a hash over the names and contents of files; the order does not matter."""
    return fingerprint(
        (path.name, _content_hash(path, path.stat().st_mtime_ns, path.stat().st_size))
        for path in sorted(paths, key=lambda path: (path.name, str(path)))
    )


@lru_cache(maxsize=64)
def _content_hash(path: Path, _mtime_ns: int, _size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def day_fingerprints(inputs: Sequence[DailyInput], static: str) -> dict[date, str]:
    """Return one fingerprint for each UTC day on which anything landed.

    Args:
        inputs: The landed tables, in groups of one reach.
        static: Fingerprint of what all days share: code, prices, tables without days.
    """
    days = {day for group in inputs for day in group.fingerprints}
    return {
        day: fingerprint(
            [
                static,
                *(
                    group.fingerprints.get(day + timedelta(days=offset), "")
                    for group in inputs
                    for offset in range(-group.reach.days_before, group.reach.days_after + 1)
                ),
            ]
        )
        for day in days
    }


def stale_days(current: Mapping[date, str], built: Mapping[date, str]) -> set[date]:
    """Return the days whose inputs are not those they were last built from, or that were never built."""
    return {day for day in {*current, *built} if current.get(day) != built.get(day)}


def unsettled_mark() -> str:
    """Return what stands for the fingerprint of a day that was built from inputs which cannot be named.

    A day that is being built, or whose neighbours are still to be, is stale; and it is another day than it was, so
    what stands on it is stale too. No two marks are the same.
    """
    return f"unsettled {uuid4().hex}"


def settled_days(built: Iterable[date], stale: Iterable[date], reach: Reach) -> set[date]:
    """Return the built days that may be remembered: those that read no day which is stale and was not built.

    Args:
        built: Days that have just been built.
        stale: Days that were stale before, those included that have just been built.
        reach: How far a day reads.
    """
    done = set(built)
    left = set(stale) - done
    around = range(-reach.days_before, reach.days_after + 1)
    return {day for day in done if not any(day + timedelta(days=offset) in left for offset in around)}


def days_to_build(
    current: Mapping[date, str],
    built: Mapping[date, str],
    *,
    requested: Window | None,
    reach: Reach,
    force: bool = False,
) -> list[date]:
    """Return the days to build, oldest first.

    Args:
        current: Fingerprint of each day's inputs as they are now.
        built: Fingerprint of each day's inputs as they were when it was last built.
        requested: The days that were asked for; None asks for every stale day.
        reach: How far a change of one day reaches; a requested day takes its stale neighbours along, so that
            no figure waits for the next night.
        force: Build the requested days also when their inputs did not change.
    """
    stale = stale_days(current, built)
    if requested is None:
        return sorted({*current, *built} if force else stale)
    first = requested.start - timedelta(days=reach.days_after)
    last = requested.end + timedelta(days=reach.days_before)
    days = {day for day in stale if first <= day < last}
    if force:
        days.update(requested.days())
    return sorted(days)


def evaluation(rolled_up: str, days: Window) -> str:
    """Return what is noted of an evaluation of all alert rules: the fingerprint of the roll-ups, and the days."""
    return f"{rolled_up} {days.start} {days.end}"


def covers(noted: str | None, rolled_up: str, days: Window) -> bool:
    """Tell whether an evaluation holds what one of these days would find."""
    match (noted or "").split(" "):
        case [known, first, end]:
            return known == rolled_up and first <= str(days.start) and str(days.end) <= end
        case _:
            return False


@dataclass(frozen=True)
class WarehouseState:
    """Fingerprints of the inputs that each part of the warehouse was last built from.

    Attributes:
        code: Of the daily models' code; tables built by other code must be built anew, not day by day.
        days: Of each UTC day.
        parts: Of everything that has no days, by name of the op.
        rolled_up_days: Of each UTC day when the roll-ups were last built; empty when they are to be built whole.
        published_days: Of each UTC day when it was last published.
    """

    code: str | None = None
    days: Mapping[date, str] = field(default_factory=dict[date, str])
    parts: Mapping[str, str] = field(default_factory=dict[str, str])
    rolled_up_days: Mapping[date, str] = field(default_factory=dict[date, str])
    published_days: Mapping[date, str] = field(default_factory=dict[date, str])

    @classmethod
    def load(cls, path: Path, warehouse: Path) -> WarehouseState:
        """Read the state; it is empty without a warehouse, without the file, or with another format."""
        if not warehouse.exists():
            return cls()
        try:
            content: dict[str, Any] = json.loads(path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return cls()
        if content.get("format") != _FORMAT:
            return cls()
        return cls(
            code=content["code"],
            days=_dated(content["days"]),
            parts=content["parts"],
            rolled_up_days=_dated(content.get("rolled_up_days", {})),
            published_days=_dated(content["published_days"]),
        )

    def save(self, path: Path) -> None:
        """Replace the file in one step."""
        content = {
            "format": _FORMAT,
            "code": self.code,
            "days": _undated(self.days),
            "parts": dict(sorted(self.parts.items())),
            "rolled_up_days": _undated(self.rolled_up_days),
            "published_days": _undated(self.published_days),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(content, indent=1))
        temporary.replace(path)

    def with_days(self, built: Mapping[date, str | None]) -> WarehouseState:
        """Return the state after `built` days were built; a day without inputs is forgotten."""
        days = {day: value for day, value in self.days.items() if day not in built}
        days.update({day: value for day, value in built.items() if value is not None})
        return replace(self, days=days)

    def with_part(self, name: str, value: str | None) -> WarehouseState:
        """Return the state after the part `name` was built; None forgets it."""
        parts = {key: kept for key, kept in self.parts.items() if key != name}
        if value is not None:
            parts[name] = value
        return replace(self, parts=parts)


def _dated(days: Mapping[str, str]) -> dict[date, str]:
    return {date.fromisoformat(day): value for day, value in days.items()}


def _undated(days: Mapping[date, str]) -> dict[str, str]:
    return {day.isoformat(): value for day, value in sorted(days.items())}
