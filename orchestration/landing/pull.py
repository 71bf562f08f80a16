"""One pull of one source: what the connector delivers becomes versions in a staging folder.

Belongs here: which slices are new, their files, the count of every row. Does not belong here: making them visible
(`commit`), locks and folders (`store`), reading sources (the connectors).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.connectors.base import QuarantinedRow, TableKind, TableSpec, Window
from orchestration.landing.commit import commit
from orchestration.landing.content import NO_ROWS, content_hash, content_hash_by_day
from orchestration.landing.errors import ConservationError, SchemaError
from orchestration.landing.manifest import ManifestRow, read_manifest
from orchestration.landing.quarantine import QuarantineWriter
from orchestration.landing.results import PullResult, TableResult
from orchestration.landing.schemas import data_schema, landed_schema


@dataclass
class _Table:
    """What has been delivered of one table so far."""

    read: int = 0
    landed: int = 0
    quarantined: int = 0
    skipped: int = 0
    changed_dates: set[date] = field(default_factory=set[date])
    reasons: Counter[str] = field(default_factory=Counter[str])
    unknown_fields: Counter[str] = field(default_factory=Counter[str])
    manifest_rows: list[ManifestRow] = field(default_factory=list[ManifestRow])
    noted_quarantined: int = 0
    noted_skipped: int = 0
    quarantine: QuarantineWriter | None = None
    ledger: dict[str, Any] | None = None
    ledger_before: str = ""
    segments: set[str] | None = None

    def result(self) -> TableResult:
        return TableResult(
            rows_read=self.read,
            rows_landed=self.landed,
            rows_quarantined=self.quarantined,
            rows_skipped=self.skipped,
            changed_dates=tuple(sorted(self.changed_dates)),
            is_changed=bool(self.manifest_rows),
            reasons=dict(self.reasons),
            unknown_fields=dict(self.unknown_fields),
        )

    def give_counts(self, row: ManifestRow) -> None:
        """Put what was quarantined and skipped, and stands in no row yet, into a row of the manifest."""
        row["quarantined_count"] += self.quarantined - self.noted_quarantined
        row["skipped_count"] += self.skipped - self.noted_skipped
        self.noted_quarantined, self.noted_skipped = self.quarantined, self.skipped


class Pull:
    """The sink that connectors write to (`PullSink`).

    Attributes:
        result: What the pull did; None until it has been committed.
    """

    def __init__(self, landing: Path, source_name: str, pulled_at: datetime, staging: Path, pull_id: str) -> None:
        self.source_name = source_name
        self.pull_id = pull_id
        self.pulled_at = pulled_at
        self.scratch = staging / "scratch"
        self.result: PullResult | None = None
        self._landing = landing
        self._staging = staging
        self._tables: dict[str, _Table] = defaultdict(_Table)
        self._moves: list[tuple[str, str]] = []
        # Inputs are copied here with all that they say, until the pull ends.
        self.scratch.mkdir(parents=True)
        self._staging.chmod(0o700)

    # -- what connectors call -------------------------------------------------------------------------------

    def replace_window(self, table: TableSpec, window: Window, data: pa.Table) -> None:
        """Replace every day of `window`; a day that did not change gets no new version.

        Raises:
            SchemaError: When `data` has not the table's schema, or rows outside of the window.
        """
        _require_kind(table, TableKind.WINDOW)
        _require_schema(table, data.schema, data_schema(table))
        hashes = content_hash_by_day(data)
        outside = [day for day in _days_of(data) if not window.start <= day < window.end]
        if outside:
            raise SchemaError(f"table {table.name}: rows of {outside[0]} in a pull of [{window.start}, {window.end})")
        newest = {row["usage_date"]: row["content_hash"] for row in self._versions(table)}
        for day in window.days():
            content = hashes.get(day, NO_ROWS)
            if content != newest.get(day):
                rows = _rows_of(data, day)
                self._add_rows(table, rows, day, content_hash=content, window=window)
        self._tables[table.name].landed += data.num_rows

    def replace_state(self, table: TableSpec, data: pa.Table) -> None:
        """Replace the whole table; a copy that says the same as the newest one lands nothing.

        Raises:
            SchemaError: When `data` has not the table's schema.
        """
        _require_kind(table, TableKind.STATE)
        _require_schema(table, data.schema, data_schema(table))
        content = content_hash(data)
        versions = self._versions(table)
        if not versions or content != versions[-1]["content_hash"]:
            self._add_rows(table, data, self.pulled_at.astimezone(UTC).date(), content_hash=content)
        self._tables[table.name].landed += data.num_rows

    def append(
        self,
        table: TableSpec,
        *,
        segment_hash: str,
        input_file: str,
        data: pa.Table | None = None,
        parquet_dir: Path | None = None,
    ) -> None:
        """Add one segment of a log; one whose content has landed before adds nothing.

        Args:
            table: The log.
            segment_hash: SHA-256 of the segment's bytes as they were read.
            input_file: Where it was read.
            data: The rows, with `usage_date`; or
            parquet_dir: a folder of `usage_date=YYYY-MM-DD/*.parquet` with `source_name`, `pull_id` and the columns.
                The files are moved away from there.

        Raises:
            SchemaError: When the rows have not the table's schema.
        """
        _require_kind(table, TableKind.APPEND)
        if self.already_landed(table, segment_hash):
            return
        self._segments(table).add(segment_hash)
        version: dict[str, Any] = {
            "content_hash": segment_hash,
            "slice_key": segment_hash,
            "input_file": input_file,
        }
        has_rows = False
        if data is not None:
            _require_schema(table, data.schema, data_schema(table))
            for day in _days_of(data):
                self._add_rows(table, _rows_of(data, day), day, **version)
                has_rows = True
            self._tables[table.name].landed += data.num_rows
        if parquet_dir is not None:
            for path in sorted(parquet_dir.glob("usage_date=*/*.parquet")):
                day = date.fromisoformat(path.parent.name.removeprefix("usage_date="))
                file = pq.ParquetFile(path)
                _require_schema(table, file.schema_arrow, landed_schema(table))
                self._add_file(table, path, file.metadata.num_rows, day, **version)
                self._tables[table.name].landed += file.metadata.num_rows
                has_rows = True
        if not has_rows:
            # Remembered, so that a segment without a good line is not read again.
            self._add_version(table, None, **version)

    def already_landed(self, table: TableSpec, segment_hash: str) -> bool:
        """Tell whether a segment with this content has landed before, or in this pull."""
        return segment_hash in self._segments(table)

    def quarantine(self, table: TableSpec, rows: Sequence[QuarantinedRow]) -> None:
        """Keep rows that could not be read, with the reason."""
        if not rows:
            return
        state = self._tables[table.name]
        if state.quarantine is None:
            path = self._staging / f"{table.name}.quarantine.parquet"
            state.quarantine = QuarantineWriter(path, self.source_name, table.name, self.pull_id, self.pulled_at)
        state.quarantine.write(rows)
        state.quarantined += len(rows)
        state.reasons.update(row.reason for row in rows)

    def count_unknown_fields(self, table: TableSpec, counts: Mapping[str, int]) -> None:
        """Count fields of the input that the contract does not name, by name."""
        self._tables[table.name].unknown_fields.update(counts)

    def count_read(self, table: TableSpec, rows_read: int, rows_skipped: int = 0) -> None:
        """Count what was read; called as often as there are pieces."""
        state = self._tables[table.name]
        state.read += rows_read
        state.skipped += rows_skipped

    def ledger(self, table: TableSpec) -> dict[str, Any]:
        """Return what the connector noted of its inputs in earlier pulls; changes are kept when the pull ends well."""
        state = self._tables[table.name]
        if state.ledger is None:
            path = self._landing / self.source_name / table.name / "_ledger.json"
            state.ledger_before = path.read_text() if path.exists() else "{}"
            notes: dict[str, Any] = json.loads(state.ledger_before)
            state.ledger = notes
        return state.ledger

    # -- what the store calls -------------------------------------------------------------------------------

    def commit(self) -> PullResult:
        """Make the pull visible.

        Raises:
            ConservationError: When rows read are not rows landed + quarantined + skipped.
        """
        for name, state in self._tables.items():
            accounted = state.landed + state.quarantined + state.skipped
            if state.read != accounted:
                raise ConservationError(
                    f"source {self.source_name}, table {name}: {state.read} rows were read, but "
                    f"{state.landed} landed + {state.quarantined} quarantined + "
                    f"{state.skipped} skipped = {accounted}; nothing of this pull was kept"
                )
            if state.manifest_rows:
                state.give_counts(state.manifest_rows[-1])
            self._add_notes(name, state)
        # A table of which nothing was read or changed is not spoken of.
        results = {name: state.result() for name, state in self._tables.items()}
        results = {name: result for name, result in results.items() if result != TableResult()}
        manifest_rows = {name: state.manifest_rows for name, state in self._tables.items()}
        commit(self._landing, self._staging, self.source_name, self._moves, manifest_rows)
        self.result = PullResult(self.source_name, self.pull_id, self.pulled_at, results)
        return self.result

    def _add_notes(self, name: str, state: _Table) -> None:
        if state.quarantine is not None:
            state.quarantine.close()
            target = f"_quarantine/{self.source_name}/{name}/{self.pull_id}.parquet"
            self._moves.append((state.quarantine.path.name, target))
        if state.ledger is not None:
            ledger = json.dumps(state.ledger)
            if ledger != state.ledger_before:
                path = self._staging / f"{name}.ledger.json"
                path.write_text(ledger)
                self._moves.append((path.name, f"{self.source_name}/{name}/_ledger.json"))

    def _versions(self, table: TableSpec) -> list[dict[str, Any]]:
        """Return day and hash of all versions, those of this pull included, oldest first."""
        manifest = read_manifest(self._landing, self.source_name, table.name)
        landed = manifest.select(["pull_id", "usage_date", "content_hash"]).sort_by("pull_id").to_pylist()
        return [*landed, *self._tables[table.name].manifest_rows]

    def _segments(self, table: TableSpec) -> set[str]:
        state = self._tables[table.name]
        if state.segments is None:
            manifest = read_manifest(self._landing, self.source_name, table.name)
            state.segments = {str(key) for key in pc.unique(manifest["slice_key"]).to_pylist()}
        return state.segments

    def _add_rows(self, table: TableSpec, rows: pa.Table, day: date, **version: Any) -> None:
        if not rows.num_rows:
            self._add_version(table, day, **version)
            return
        path = self._staging / f"{len(self._moves)}.parquet"
        own = [pa.array([value] * rows.num_rows, pa.string()) for value in (self.source_name, self.pull_id)]
        landed = pa.Table.from_arrays([*own, *rows.columns], schema=landed_schema(table))
        pq.write_table(landed, path, compression="zstd")
        self._add_file(table, path, rows.num_rows, day, **version)

    def _add_file(self, table: TableSpec, path: Path, row_count: int, day: date, **version: Any) -> None:
        target = f"{self.source_name}/{table.name}/usage_date={day}/{self.pull_id}-{len(self._moves)}.parquet"
        kept = self._staging / f"{len(self._moves)}.parquet"
        path.replace(kept)
        self._moves.append((kept.name, target))
        self._add_version(table, day, row_count=row_count, file=target, **version)

    def _add_version(
        self,
        table: TableSpec,
        day: date | None,
        *,
        content_hash: str,
        row_count: int = 0,
        file: str | None = None,
        slice_key: str = "",
        input_file: str | None = None,
        window: Window | None = None,
    ) -> None:
        state = self._tables[table.name]
        if day is not None and table.kind is not TableKind.STATE:
            state.changed_dates.add(day)
        row: ManifestRow = {
            "source_name": self.source_name,
            "table_name": table.name,
            "slice_key": slice_key,
            "usage_date": day,
            "pull_id": self.pull_id,
            "pulled_at": self.pulled_at,
            "row_count": row_count,
            "quarantined_count": 0,
            "skipped_count": 0,
            "content_hash": content_hash,
            "file": file,
            "input_file": input_file,
            "window_start": window.start if window else None,
            "window_end": window.end if window else None,
        }
        state.give_counts(row)
        state.manifest_rows.append(row)


def _require_kind(table: TableSpec, kind: TableKind) -> None:
    if table.kind is not kind:
        raise SchemaError(f"table {table.name} is of kind {table.kind}, not {kind}")


def _require_schema(table: TableSpec, got: pa.Schema, expected: pa.Schema) -> None:
    if got.equals(expected):
        return
    names = set(expected.names) | set(got.names)
    for name in sorted(names, key=lambda name: (name not in expected.names, name)):
        want = expected.field(name).type if name in expected.names else None
        have = got.field(name).type if name in got.names else None
        if want != have:
            raise SchemaError(
                f"table {table.name}, column {name}: expected {want or 'no column'}, got {have or 'no column'}"
            )
    raise SchemaError(f"table {table.name}: expected the columns {expected.names}, got {got.names}")


def _days_of(data: pa.Table) -> list[date]:
    days: list[Any] = pc.unique(data["usage_date"]).to_pylist()
    if None in days:
        raise SchemaError("rows without usage_date cannot be landed")
    return sorted(days)


def _rows_of(data: pa.Table, day: date) -> pa.Table:
    of_day = pc.equal(data["usage_date"], pa.scalar(day, pa.date32()))
    return data.filter(of_day).drop_columns(["usage_date"])
