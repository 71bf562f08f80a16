"""What a version says about itself: `published_info`, a row per mart, and `published_files`, a row per file.

Belongs here: these two tables and their Python form. Does not belong here: the marts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from orchestration.publishing.evidence import Evidence
from orchestration.publishing.marts import Shape
from orchestration.publishing.slices import Slice, Slicing
from orchestration.sql import literal

Row = dict[str, str | int | bool | None]

INFO_TABLE = "published_info"
FILES_TABLE = "published_files"

_INFO_COLUMNS = {
    "version": ("varchar", "The version of this file; versions sort by time."),
    "published_at": ("timestamptz", "When the version was written."),
    "dbt_invocation_id": ("varchar", "The dbt command that wrote the manifest which named the marts."),
    "code_version": ("varchar", "Version of the code that published."),
    "mart": ("varchar", "Name of the mart."),
    "slicing": ("varchar", "What one file of the mart holds: a `day`, a `month`, or the `whole` of it."),
    "row_count": ("bigint", "Rows of the mart."),
    "days_count": ("bigint", "Days that have rows; NULL for a mart that is not published by day."),
    "first_date": ("date", "First UTC day that has rows; NULL for a mart that is not published by day."),
    "last_date": ("date", "Last UTC day that has rows; NULL for a mart that is not published by day."),
    "content_hash": ("varchar", "Changes when, and only when, a file of the mart was written anew."),
    "shape": ("varchar", "Columns, types and descriptions as JSON; read by the next publication."),
}

_FILES_COLUMNS = {
    "mart": ("varchar", "Name of the mart."),
    "slice_date": ("date", "The UTC day, or the first day of the month, that the file holds; else NULL."),
    "file": ("varchar", "Path of the Parquet file, relative to the published folder."),
    "row_count": ("bigint", "Rows in the file."),
    "byte_count": ("bigint", "Size of the file."),
    "totals": ("varchar", "`{money column: [exact sum, count of known values]}` as JSON."),
    "fingerprint": ("varchar", "Hash over every value; NULL for a day of a fact, where it would cost too much."),
    "written_in_version": ("varchar", "The version that wrote the file."),
}

_DESCRIPTIONS = {
    INFO_TABLE: "One row per mart: which version this is, what it was made from and what it holds.",
    FILES_TABLE: "One row per Parquet file of this version; the folders may hold older files too.",
}


@dataclass(frozen=True)
class PublishedFile:
    """One Parquet file of a version; see `published_files`."""

    slice_: Slice
    file: str
    byte_count: int
    row_count: int
    totals_json: str
    fingerprint: str | None
    written_in_version: str

    def shows(self, evidence: Evidence | None) -> bool:
        """Tell whether the file was written with this evidence."""
        return evidence is not None and (self.row_count, self.totals_json, self.fingerprint) == (
            evidence.row_count,
            evidence.totals_json(),
            evidence.fingerprint,
        )

    def is_intact(self, published: Path) -> bool:
        """Tell whether the file is there in its size; to read it would make days dearer with history."""
        try:
            return (published / self.file).stat().st_size == self.byte_count
        except FileNotFoundError:
            return False


@dataclass(frozen=True)
class PublishedMart:
    """A mart of a version: its shape and its files by slice."""

    name: str
    shape: Shape
    files: Mapping[Slice, PublishedFile]

    @property
    def row_count(self) -> int:
        """Rows of all its files."""
        return sum(file.row_count for file in self.files.values())

    @property
    def content_hash(self) -> str:
        """Hash over the files; a file is only written when its rows change."""
        digest = hashlib.sha256()
        for file in sorted(self.files.values(), key=lambda file: file.file):
            digest.update(f"{file.file}\0{file.row_count}\0{file.totals_json}\0".encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class Catalogue:
    """Everything that a version holds."""

    version: str
    published_at: datetime
    dbt_invocation_id: str | None
    code_version: str
    marts: Mapping[str, PublishedMart]


def write_catalogue(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue) -> None:
    """Create both tables in the marts file that `connection` writes."""
    infos: list[Row] = []
    files: list[Row] = []
    for mart in catalogue.marts.values():
        is_daily = mart.shape.slicing is Slicing.DAY
        days = sorted(day for day in mart.files if day is not None) if is_daily else []
        infos.append(
            {
                "version": catalogue.version,
                "published_at": catalogue.published_at.isoformat(),
                "dbt_invocation_id": catalogue.dbt_invocation_id,
                "code_version": catalogue.code_version,
                "mart": mart.name,
                "slicing": mart.shape.slicing,
                "row_count": mart.row_count,
                "days_count": len(days) if is_daily else None,
                "first_date": days[0].isoformat() if days else None,
                "last_date": days[-1].isoformat() if days else None,
                "content_hash": mart.content_hash,
                "shape": mart.shape.to_json(),
            }
        )
        files += [
            {
                "mart": mart.name,
                "slice_date": file.slice_.isoformat() if file.slice_ else None,
                "file": file.file,
                "row_count": file.row_count,
                "byte_count": file.byte_count,
                "totals": file.totals_json,
                "fingerprint": file.fingerprint,
                "written_in_version": file.written_in_version,
            }
            for file in sorted(mart.files.values(), key=lambda file: file.file)
        ]
    _create(connection, INFO_TABLE, _INFO_COLUMNS, infos)
    _create(connection, FILES_TABLE, _FILES_COLUMNS, files)


def read_catalogue(marts: Path) -> Catalogue | None:
    """Return what a marts file says about itself; None when it is missing or damaged."""
    answers = _query(
        marts,
        "select version, epoch_us(published_at), dbt_invocation_id, code_version, mart, shape "
        f"from {INFO_TABLE} order by mart",
        f"select {', '.join(_FILES_COLUMNS)} from {FILES_TABLE}",
    )
    if answers is None:
        return None
    infos, rows = answers
    files: dict[str, dict[Slice, PublishedFile]] = {info[4]: {} for info in infos}
    for mart, slice_, file, row_count, byte_count, totals, fingerprint, written_in_version in rows:
        files[mart][slice_] = PublishedFile(
            slice_=slice_,
            file=file,
            byte_count=byte_count,
            row_count=row_count,
            totals_json=totals,
            fingerprint=fingerprint,
            written_in_version=written_in_version,
        )
    version, published_at_us, dbt_invocation_id, code_version = infos[0][:4]
    return Catalogue(
        version,
        datetime.fromtimestamp(0, UTC) + timedelta(microseconds=published_at_us),
        dbt_invocation_id,
        code_version,
        {name: PublishedMart(name, Shape.from_json(shape), files[name]) for *_, name, shape in infos},
    )


def files_of(marts: Path) -> Collection[str] | None:
    """Return the Parquet files of a version, relative to the published folder; None when it is damaged."""
    answers = _query(marts, f"select file from {FILES_TABLE}")
    return None if answers is None else {file for (file,) in answers[0]}


def _query(marts: Path, *queries: str) -> list[list[tuple[Any, ...]]] | None:
    try:
        with duckdb.connect(str(marts), read_only=True) as connection:
            return [connection.execute(query).fetchall() for query in queries]
    except duckdb.Error:
        return None


def _create(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, tuple[str, str]], rows: list[Row]
) -> None:
    connection.execute(f"create table {table} ({', '.join(f'{name} {type_}' for name, (type_, _) in columns.items())})")
    # A literal, because DuckDB imports pandas for the first parameter it is given (lab: 0.45 s).
    structure = json.dumps([{name: type_ for name, (type_, _) in columns.items()}])
    connection.execute(
        f"insert into {table} by name select unnest("
        f"from_json({literal(json.dumps(rows))}, {literal(structure)}), recursive := true)"
    )
    connection.execute(f"comment on table {table} is {literal(_DESCRIPTIONS[table])}")
    for name, (_, description) in columns.items():
        connection.execute(f"comment on column {table}.{name} is {literal(description)}")
