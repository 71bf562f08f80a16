"""Writing to the landing zone: whole pulls that become visible in one step, versions that are never overwritten.

Belongs here: versions, content hashes, the commit of a pull and its recovery. Does not belong here: reading sources.

A pull writes everything into a staging folder. Its commit point is one file there, `commit.json`, that says which
files move where and which manifest rows they get. A process that dies before it leaves nothing; one that dies after
it is finished by the next pull of the source, so a pull is never half visible.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import secrets
import shutil
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.connectors.base import Connector, QuarantinedRow, TableSpec, Window
from orchestration.landing.errors import ConservationError, SchemaError, SourceBusyError
from orchestration.landing.manifest import ManifestRow, add_to_manifest, read_manifest, sync_file
from orchestration.landing.schemas import QUARANTINE_SCHEMA, data_schema, ensure_schema_files, landed_schema


def utc_now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


@dataclass
class TableResult:
    """What a pull did to one table. `changed_dates` are the days whose landed content is not what it was before."""

    rows_read: int = 0
    rows_landed: int = 0
    rows_quarantined: int = 0
    rows_skipped: int = 0
    changed_dates: set[date] = field(default_factory=set[date])
    is_changed: bool = False
    reasons: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class PullResult:
    """What a pull did, by table name."""

    source_name: str
    pull_id: str
    pulled_at: datetime
    tables: dict[str, TableResult]

    @property
    def changed(self) -> bool:
        """Whether anything landed that was not there before."""
        return any(table.is_changed for table in self.tables.values())

    @property
    def changed_dates(self) -> tuple[date, ...]:
        """UTC days whose content changed in any table, oldest first."""
        return tuple(sorted({day for table in self.tables.values() for day in table.changed_dates}))


class Pull:
    """One pull of one source; the `PullSink` that connectors write to."""

    def __init__(self, landing: Path, source_name: str, pulled_at: datetime, staging: Path, pull_id: str) -> None:
        self.source_name = source_name
        self.pull_id = pull_id
        self.pulled_at = pulled_at
        self.scratch = staging / "scratch"
        self._landing = landing
        self._staging = staging
        self._results: dict[str, TableResult] = defaultdict(TableResult)
        self._manifest_rows: dict[str, list[ManifestRow]] = defaultdict(list)
        self._moves: list[tuple[str, str]] = []
        self._quarantined: dict[str, list[QuarantinedRow]] = defaultdict(list)
        self._ledgers: dict[str, dict[str, Any]] = {}
        self._segments: dict[str, set[str]] = {}
        self.scratch.mkdir(parents=True)

    # -- what connectors call -------------------------------------------------------------------------------

    def replace_window(self, table: TableSpec, window: Window, data: pa.Table) -> None:
        """Replace every day of `window`; a day that did not change gets no new version.

        Raises:
            SchemaError: When `data` has not the table's schema, or rows outside of the window.
        """
        _check_schema(table, data.schema, data_schema(table))
        days = data["usage_date"]
        covered = _days_of(data)
        if covered and (covered[0] < window.start or covered[-1] >= window.end):
            raise SchemaError(
                f"table {table.name}: rows of {covered[0]} to {covered[-1]} in a pull of [{window.start}, {window.end})"
            )
        newest = self._newest_hashes(table, by_day=True)
        for day in window.days():
            rows = data.filter(pc.equal(days, pa.scalar(day, pa.date32()))).drop_columns(["usage_date"])
            self._land(table, rows, day, newest.get(day), window)
        self._results[table.name].rows_landed += data.num_rows

    def replace_state(self, table: TableSpec, data: pa.Table) -> None:
        """Replace the whole table; a copy that says the same as the newest one lands nothing.

        Raises:
            SchemaError: When `data` has not the table's schema.
        """
        _check_schema(table, data.schema, data_schema(table))
        newest = self._newest_hashes(table, by_day=False)
        self._land(table, data, self.pulled_at.astimezone(UTC).date(), newest.get(None), None)
        self._results[table.name].rows_landed += data.num_rows

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

        Raises:
            SchemaError: When the rows have not the table's schema.
        """
        if self.already_landed(table, segment_hash):
            return
        self._segments[table.name].add(segment_hash)
        files: list[tuple[date, Path]] = []
        if data is not None:
            _check_schema(table, data.schema, data_schema(table))
            for day in _days_of(data):
                rows = data.filter(pc.equal(data["usage_date"], pa.scalar(day, pa.date32())))
                files.append((day, self._write(table, rows.drop_columns(["usage_date"]))))
        if parquet_dir is not None:
            for path in sorted(parquet_dir.glob("usage_date=*/*.parquet")):
                day = date.fromisoformat(path.parent.name.removeprefix("usage_date="))
                _check_schema(table, pq.read_schema(path), landed_schema(table))
                files.append((day, path))
        for day, path in files:
            row_count = pq.read_metadata(path).num_rows
            self._place(table, path, day, row_count, segment_hash, slice_key=segment_hash, input_file=input_file)
            self._results[table.name].rows_landed += row_count
        if not files:
            # Remembered, so that a segment without a good row is not read again.
            self._add_version(table, None, 0, segment_hash, None, slice_key=segment_hash, input_file=input_file)

    def already_landed(self, table: TableSpec, segment_hash: str) -> bool:
        """Tell whether a segment with this content has landed before, or in this pull."""
        if table.name not in self._segments:
            manifest = read_manifest(self._landing, self.source_name, table.name)
            self._segments[table.name] = {str(key) for key in manifest["slice_key"].to_pylist()}
        return segment_hash in self._segments[table.name]

    def quarantine(self, table: TableSpec, rows: Sequence[QuarantinedRow]) -> None:
        """Keep rows that could not be read, with the reason."""
        self._quarantined[table.name].extend(rows)
        result = self._results[table.name]
        result.rows_quarantined += len(rows)
        for row in rows:
            result.reasons[row.reason] = result.reasons.get(row.reason, 0) + 1

    def count_read(self, table: TableSpec, rows_read: int, rows_skipped: int = 0) -> None:
        """Count what was read; called as often as there are pieces."""
        result = self._results[table.name]
        result.rows_read += rows_read
        result.rows_skipped += rows_skipped

    def ledger(self, table: TableSpec) -> dict[str, Any]:
        """Return what the connector noted of its inputs in earlier pulls; changes are kept when the pull ends well."""
        if table.name not in self._ledgers:
            path = self._landing / self.source_name / table.name / "_ledger.json"
            self._ledgers[table.name] = json.loads(path.read_text()) if path.exists() else {}
        return self._ledgers[table.name]

    # -- what the store calls -------------------------------------------------------------------------------

    def commit(self) -> PullResult:
        """Make the pull visible.

        Raises:
            ConservationError: When rows read are not rows landed + quarantined + skipped.
        """
        for name, result in self._results.items():
            accounted = result.rows_landed + result.rows_quarantined + result.rows_skipped
            if result.rows_read != accounted:
                raise ConservationError(
                    f"source {self.source_name}, table {name}: {result.rows_read} rows were read, but "
                    f"{result.rows_landed} landed + {result.rows_quarantined} quarantined + "
                    f"{result.rows_skipped} skipped = {accounted}; nothing of this pull was kept"
                )
        self._write_quarantine()
        for name, content in self._ledgers.items():
            path = self._staging / f"{name}.ledger.json"
            path.write_text(json.dumps(content))
            self._moves.append((path.name, f"{self.source_name}/{name}/_ledger.json"))
        plan = {
            "source_name": self.source_name,
            "moves": self._moves,
            "manifest": {name: [_plain(row) for row in rows] for name, rows in self._manifest_rows.items()},
        }
        temporary = self._staging / "commit.json.tmp"
        temporary.write_text(json.dumps(plan))
        sync_file(temporary)
        temporary.replace(self._staging / "commit.json")
        finish_commit(self._landing, self._staging)
        return PullResult(self.source_name, self.pull_id, self.pulled_at, dict(self._results))

    def _newest_hashes(self, table: TableSpec, *, by_day: bool) -> dict[date | None, str]:
        manifest = read_manifest(self._landing, self.source_name, table.name).sort_by("pull_id")
        rows = manifest.select(["usage_date", "content_hash"]).to_pylist()
        return {row["usage_date"] if by_day else None: row["content_hash"] for row in rows}

    def _land(
        self, table: TableSpec, rows: pa.Table, day: date, newest_hash: str | None, window: Window | None
    ) -> None:
        content_hash = _content_hash(rows)
        if content_hash == newest_hash:
            return
        path = self._write(table, rows) if rows.num_rows else None
        if path is None:
            self._add_version(table, day, 0, content_hash, None, window=window)
        else:
            self._place(table, path, day, rows.num_rows, content_hash, window=window)

    def _write(self, table: TableSpec, rows: pa.Table) -> Path:
        path = self._staging / f"{len(self._moves)}-{secrets.token_hex(4)}.parquet"
        own = [pa.array([value] * rows.num_rows, pa.string()) for value in (self.source_name, self.pull_id)]
        landed = pa.Table.from_arrays([*own, *rows.columns], schema=landed_schema(table))
        pq.write_table(landed, path, compression="zstd")
        return path

    def _place(
        self, table: TableSpec, path: Path, day: date, row_count: int, content_hash: str, **version: Any
    ) -> None:
        target = f"{self.source_name}/{table.name}/usage_date={day}/{self.pull_id}-{len(self._moves)}.parquet"
        self._moves.append((str(path.relative_to(self._staging)), target))
        self._add_version(table, day, row_count, content_hash, target, **version)

    def _add_version(
        self,
        table: TableSpec,
        day: date | None,
        row_count: int,
        content_hash: str,
        file: str | None,
        *,
        slice_key: str = "",
        input_file: str | None = None,
        window: Window | None = None,
    ) -> None:
        result = self._results[table.name]
        result.is_changed = True
        if day is not None:
            result.changed_dates.add(day)
        self._manifest_rows[table.name].append(
            {
                "source_name": self.source_name,
                "table_name": table.name,
                "slice_key": slice_key,
                "usage_date": day,
                "pull_id": self.pull_id,
                "pulled_at": self.pulled_at,
                "row_count": row_count,
                "quarantined_count": result.rows_quarantined,
                "skipped_count": result.rows_skipped,
                "content_hash": content_hash,
                "file": file,
                "input_file": input_file,
                "window_start": window.start if window else None,
                "window_end": window.end if window else None,
            }
        )

    def _write_quarantine(self) -> None:
        for name, rows in self._quarantined.items():
            if not rows:
                continue
            records = [
                {
                    "source_name": self.source_name,
                    "table_name": name,
                    "pull_id": self.pull_id,
                    "input_file": row.input_file,
                    "line_number": row.line_number,
                    "reason": row.reason,
                    "raw_excerpt": row.raw_excerpt,
                    "quarantined_at": self.pulled_at,
                }
                for row in rows
            ]
            path = self._staging / f"{name}.quarantine.parquet"
            pq.write_table(pa.Table.from_pylist(records, schema=QUARANTINE_SCHEMA), path)
            self._moves.append((path.name, f"_quarantine/{self.source_name}/{name}/{self.pull_id}.parquet"))


class LandingStore:
    """The landing zone under one folder."""

    def __init__(self, root: Path, now: Callable[[], datetime] = utc_now) -> None:
        self.root = root
        self._now = now

    def run(self, source_name: str, connector: Connector, window: Window | None = None) -> PullResult:
        """Pull a source once and return what changed.

        Raises:
            SourceBusyError: When another process pulls the same source.
            ConnectorError: When the source cannot be read; nothing of this pull is kept then.
        """
        with self.pull(source_name) as pull:
            connector.pull(pull, window)
        result = self._last_result
        if result is None:
            raise RuntimeError("a pull that ended well has a result")
        return result

    @contextlib.contextmanager
    def pull(self, source_name: str) -> Generator[Pull]:
        """Open a pull; it becomes visible when the block ends well, and leaves nothing when it does not."""
        ensure_schema_files(self.root)
        staging_root = self.root / "_staging" / source_name
        staging_root.mkdir(parents=True, exist_ok=True)
        self._last_result = None
        with _exclusive(self.root, source_name):
            for leftover in sorted(staging_root.iterdir()):
                if (leftover / "commit.json").exists():
                    finish_commit(self.root, leftover)
                else:
                    shutil.rmtree(leftover)
            pulled_at = self._now().astimezone(UTC)
            pull_id = f"{pulled_at:%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}"
            staging = staging_root / pull_id
            try:
                pull = Pull(self.root, source_name, pulled_at, staging, pull_id)
                yield pull
                self._last_result = pull.commit()
            finally:
                # After the commit point the plan must stay until it is carried out.
                if not (staging / "commit.json").exists():
                    shutil.rmtree(staging, ignore_errors=True)

    _last_result: PullResult | None = None


def finish_commit(landing: Path, staging: Path) -> None:
    """Carry out the plan of a pull that passed its commit point; carrying it out twice is the same as once."""
    plan = json.loads((staging / "commit.json").read_text())
    for source, target in plan["moves"]:
        path = staging / source
        if path.exists():
            destination = landing / target
            destination.parent.mkdir(parents=True, exist_ok=True)
            path.replace(destination)
    for table_name, rows in plan["manifest"].items():
        add_to_manifest(landing, plan["source_name"], table_name, [_typed(row) for row in rows])
    shutil.rmtree(staging)


@contextlib.contextmanager
def _exclusive(landing: Path, source_name: str) -> Generator[None]:
    folder = landing / "_locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{source_name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SourceBusyError(
                f"source {source_name}: another pull of it is under way; wait for it to end, then run this again"
            ) from None
        yield


def _check_schema(table: TableSpec, got: pa.Schema, expected: pa.Schema) -> None:
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
    return sorted(days)


def _content_hash(rows: pa.Table) -> str:
    """Hash what rows say, whatever their order. For tables of a window or of a state, which are small."""
    lines = sorted(json.dumps(row, default=str, sort_keys=True) for row in rows.to_pylist())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _plain(row: ManifestRow) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in row.items()}


def _typed(row: dict[str, Any]) -> ManifestRow:
    typed = dict(row)
    for name in ("usage_date", "window_start", "window_end"):
        typed[name] = date.fromisoformat(row[name]) if row[name] else None
    typed["pulled_at"] = datetime.fromisoformat(row["pulled_at"])
    return typed
