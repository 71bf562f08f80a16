"""The manifest: what has landed, of which source and table, in which pull, also when it brought no rows.

Belongs here: reading and replacing `landing/<source>/<table>/_manifest.parquet`. Does not belong here: writing data.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.landing.schemas import MANIFEST_SCHEMA

ManifestRow = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def manifest_path(landing: Path, source_name: str, table_name: str) -> Path:
    """Return where the manifest of one table of one source lies."""
    return landing / source_name / table_name / "_manifest.parquet"


def manifest_paths(landing: Path) -> list[Path]:
    """Return the manifests of every source and table."""
    return sorted(landing.glob("[!_]*/*/_manifest.parquet"))


def read_manifest(landing: Path, source_name: str, table_name: str) -> pa.Table:
    """Return all versions of one table of one source, oldest first; empty when nothing has landed."""
    path = manifest_path(landing, source_name, table_name)
    if not path.exists():
        return pa.Table.from_batches([], MANIFEST_SCHEMA)
    return _read(path)


def read_manifests(landing: Path) -> pa.Table:
    """Return the manifests of every source and table, in one table."""
    return pa.concat_tables([pa.Table.from_batches([], MANIFEST_SCHEMA), *map(_read, manifest_paths(landing))])


def newest_pulled_at(landing: Path, source_name: str) -> datetime | None:
    """Return the moment of a source's newest pull that changed anything, over all its tables."""
    newest: list[int] = []
    for path in landing.glob(f"{source_name}/*/_manifest.parquet"):
        # As whole microseconds: for a moment pyarrow imports pandas, half a second of a run that finds nothing new.
        moments = pc.cast(_read(path, ["pulled_at"])["pulled_at"], pa.int64())
        newest += [moment for moment in pc.unique(moments).to_pylist() if moment is not None]
    return _EPOCH + timedelta(microseconds=max(newest)) if newest else None


def add_to_manifest(landing: Path, source_name: str, table_name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add versions to a manifest and replace its file in one step; rows that are there already are not added twice."""
    records = [dict(row) for row in rows]
    if not records:
        return
    current = read_manifest(landing, source_name, table_name)
    new = pa.Table.from_pylist(records, schema=MANIFEST_SCHEMA)
    if current.num_rows and new.num_rows:
        known = pc.is_in(new["pull_id"], value_set=current["pull_id"].combine_chunks())
        new = new.filter(pc.invert(known))
    if not new.num_rows:
        return
    path = manifest_path(landing, source_name, table_name)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name("_manifest.parquet.tmp")
    pq.write_table(pa.concat_tables([current, new]), temporary, compression="zstd")
    sync_file(temporary)
    temporary.replace(path)


def _read(path: Path, columns: list[str] | None = None) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read(columns)


def sync_file(path: Path) -> None:
    """Make sure that a file's bytes are on disk before something refers to it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
