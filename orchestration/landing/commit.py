"""The commit of a pull: from a staging folder to what everybody sees, wholly or not at all.

Belongs here: the plan of a commit, carrying it out, and finishing or removing what a dead process left. Does not
belong here: what a pull is made of (`pull`).

The commit point is one file in the staging folder, `commit.json`, which says what moves where and which rows the
manifests get. A process that dies before it leaves nothing; one that dies after it is finished by the next pull of
the source. Readers take a file for landed when the manifest names it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path
from typing import Any

from orchestration.landing.manifest import ManifestRow, add_to_manifest, sync_file

_PLAN = "commit.json"
_SYNCING_THREADS = 8
"""(lab) 100 files of 100 kB: 0.99 s one after the other, 0.21 s in 8 threads, 0.52 s in 32."""


def commit(
    landing: Path,
    staging: Path,
    source_name: str,
    moves: Sequence[tuple[str, str]],
    manifest_rows: Mapping[str, Sequence[ManifestRow]],
) -> None:
    """Make a pull visible.

    Args:
        landing: Root of the landing zone.
        staging: The pull's folder; it is gone afterwards.
        source_name: The source.
        moves: Files: from, relative to `staging`; to, relative to `landing`.
        manifest_rows: New versions by table.
    """
    with ThreadPoolExecutor(_SYNCING_THREADS) as threads:
        # Their bytes must be on disk before anything refers to them.
        list(threads.map(sync_file, [staging / source for source, _ in moves]))
    plan = {
        "source_name": source_name,
        "moves": moves,
        "manifest": {name: [_plain(row) for row in rows] for name, rows in manifest_rows.items()},
    }
    temporary = staging / f"{_PLAN}.tmp"
    temporary.write_text(json.dumps(plan))
    sync_file(temporary)
    temporary.replace(staging / _PLAN)
    _carry_out(landing, staging)


def is_committed(staging: Path) -> bool:
    """Tell whether a pull has passed its commit point, and is to be finished."""
    return (staging / _PLAN).exists()


def clear_up(landing: Path, leftovers: Iterable[Path]) -> None:
    """Finish the pulls that passed their commit point and remove the others, in the order of the pulls."""
    for staging in sorted(leftovers):
        if is_committed(staging):
            _carry_out(landing, staging)
        else:
            shutil.rmtree(staging)


def _carry_out(landing: Path, staging: Path) -> None:
    """Do what the plan says; doing it again after it was half done ends the same way."""
    plan = json.loads((staging / _PLAN).read_text())
    for source, target in plan["moves"]:
        path = staging / source
        if path.exists():
            destination = landing / target
            destination.parent.mkdir(parents=True, exist_ok=True)
            path.replace(destination)
    for table_name, rows in plan["manifest"].items():
        add_to_manifest(landing, plan["source_name"], table_name, [_typed(row) for row in rows])
    shutil.rmtree(staging)


def _plain(row: ManifestRow) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in row.items()}


def _typed(row: dict[str, Any]) -> ManifestRow:
    typed = dict(row)
    for name in ("usage_date", "window_start", "window_end"):
        typed[name] = date.fromisoformat(row[name]) if row[name] else None
    typed["pulled_at"] = datetime.fromisoformat(row["pulled_at"])
    return typed
