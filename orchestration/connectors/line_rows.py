"""The typed rows of one segment of a log, from DuckDB's hands into the landing zone's.

Belongs here: sorting rows by day, hashing user ids and dropping content before anything is written, and naming
every line that did not become a row. Does not belong here: types and rules (`line_format`), reading (`jsonl`).
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from orchestration.connectors.base import PullSink, QuarantinedRow
from orchestration.connectors.content_filter import without_content
from orchestration.connectors.errors import ConnectorError
from orchestration.connectors.line_format import NO_FIELDS, SKIPPED, FieldKind, LineFormat
from orchestration.connectors.log_files import Segment, json_object, masked

# Its stubs are narrower than its functions.
pc: Any = pyarrow.compute

ROWS_AT_ONCE = 122_880
"""DuckDB's row group: as many rows are handed on at once, and become one group of Parquet."""
ROWS_HELD = 4 * ROWS_AT_ONCE
"""Rows that wait for more of their day, at most; of about 500 bytes each."""

_QUARANTINED_AT_ONCE = 10_000
_CAREFUL, _SPOILT = ".careful.jsonl", ".spoilt.jsonl"
# What DuckDB takes for white space: a line of nothing else is no row.
_BLANK = b" \t\n\v\f\r"


class SegmentRows:
    """What becomes of the lines of one segment.

    Attributes:
        path: The file to read next; the segment's own at first.
        row_count: Lines of it that have come as a row.
    """

    def __init__(
        self,
        sink: PullSink,
        line_format: LineFormat,
        segment: Segment,
        hash_user: Callable[[str | None], str | None],
    ) -> None:
        self._sink = sink
        self._format = line_format
        self._table = line_format.table
        self._segment = segment
        self._hash_user = hash_user
        self._folder = sink.scratch / f"rows-{segment.content_hash}"
        self._days = _DayFiles(self._folder)
        self._clear(segment.path)

    def _clear(self, path: Path) -> None:
        self.path = path
        self.row_count = 0
        self._blank_count = 0
        self._skipped_count = 0
        self._faults = _Faults()
        # The places, in the segment, of the lines that `path` has.
        self._places: Sequence[int] | None = None
        self._days.discard()

    @property
    def line_count(self) -> int:
        """Lines that have to be accounted for."""
        return self._segment.line_count

    @property
    def input_file(self) -> str:
        """The input, for people."""
        return self._segment.input_file

    def add(self, rows: pa.RecordBatch) -> None:
        """Take the next rows, in the order of the lines, as `LineFormat.statement` gives them."""
        problems = rows.column("problem")
        place = self.row_count
        self.row_count += rows.num_rows
        if problems.null_count < len(problems):
            self._note(problems, place)
            rows = rows.filter(pc.is_null(problems))
        if rows.num_rows:
            days = rows.column("usage_date")
            landed = self._landed(rows)
            for day in pc.unique(days).to_pylist():
                of_day = pc.equal(days, pa.scalar(day, pa.date32()))
                self._days.add(day, landed if pc.all(of_day).as_py() else landed.filter(of_day))

    def finish(self) -> None:
        """Close the files."""
        self._days.close()

    def is_complete(self) -> bool:
        """Tell whether the rows are those of the segment's lines, no more and no fewer."""
        if self.path == self._segment.path and not self._segment.is_copy:
            try:
                if self.path.stat().st_size != self._segment.byte_count:
                    return False
            except FileNotFoundError:
                return False
        if self.row_count < self.line_count:
            with self.path.open("rb") as lines:
                self._blank_count = sum(not line.strip(_BLANK) for line in lines) - self._segment.cut_out_count
        return self.row_count + self._blank_count == self.line_count

    def start_again(self) -> None:
        """Forget all rows, and prepare to read a copy in which what is no JSON object is an empty one.

        Raises:
            ConnectorError: The input has not the content any more that it had when it was found.
        """
        digest = hashlib.sha256()
        copy = self._folder.with_suffix(_CAREFUL)
        with copy.open("wb") as target:
            for line in self._segment.lines():
                digest.update(line)
                is_fine = not line.strip(_BLANK) or json_object(line) is not None
                target.write(line if is_fine else b"{}\n")
        if not self._segment.is_copy and digest.hexdigest() != self._segment.content_hash:
            raise ConnectorError(
                self._sink.source_name,
                "an input was rewritten while it was read",
                request=self.input_file,
                do="run the pull again; if it fails again, let the writer append and rotate, not rewrite",
            )
        self._clear(copy)

    def has_spoilt_lines(self) -> bool:
        """Find the lines that came without a field although they are fine, and prepare to read a copy of just these.

        Where a line ends so that the next could continue it, as `{"ts":` does, DuckDB spoils the next one too.
        """
        suspects = self._faults.places_of(NO_FIELDS)
        if not suspects:
            return False
        spoilt = {place: line for place, _, line in self._lines_at(suspects) if (json_object(line) or {}).get("event")}
        if spoilt:
            self.path, self._places, self.row_count = self._folder.with_suffix(_SPOILT), list(spoilt), 0
            self.path.write_bytes(b"\n".join(spoilt.values()))
            self._faults.remove(spoilt.keys())
        return bool(spoilt)

    def hand_over(self) -> None:
        """Give rows, quarantine and counts to the pull."""
        sink, segment = self._sink, self._segment
        sink.count_read(
            self._table,
            segment.line_count + len(segment.quarantined),
            rows_skipped=self._skipped_count + self._blank_count,
        )
        sink.quarantine(self._table, segment.quarantined)
        faulty = self._faulty_lines()
        while part := list(islice(faulty, _QUARANTINED_AT_ONCE)):
            sink.quarantine(self._table, part)
        if segment.line_count:
            sink.append(
                self._table,
                segment_hash=segment.content_hash,
                input_file=segment.input_file,
                parquet_dir=self._folder if self._days.has_rows else None,
            )
        for suffix in (_CAREFUL, _SPOILT):
            self._folder.with_suffix(suffix).unlink(missing_ok=True)

    def _note(self, problems: pa.Array[Any], place: int) -> None:
        skipped = pc.equal(problems, SKIPPED)
        self._skipped_count += pc.sum(skipped).as_py() or 0
        is_fault = pc.fill_null(pc.invert(skipped), False)
        places = [place + offset for offset in pc.indices_nonzero(is_fault).to_pylist()]
        if self._places is not None:
            places = [self._places[again] for again in places]
        # Encoded first, so that a million faults of one kind share one text.
        encoded: Any = problems.filter(is_fault).dictionary_encode()
        reasons: list[Any] = encoded.dictionary.to_pylist()
        self._faults.add(places, [reasons[index] for index in encoded.indices.to_pylist()])

    def _faulty_lines(self) -> Iterator[QuarantinedRow]:
        known_keys = frozenset(self._format.keys)
        faults = self._faults.by_place()
        for place, number, line in self._lines_at(faults.keys()):
            reason = faults[place]
            if reason == NO_FIELDS:
                found = json_object(line)
                reason = "invalid_json" if found is None or found.get("event") else NO_FIELDS
            yield QuarantinedRow(self.input_file, number, reason, masked(line, known_keys))

    def _lines_at(self, places: Collection[int]) -> Iterator[tuple[int, int, bytes]]:
        """Yield (place, line number, line) of the lines at some places; empty lines have no place."""
        if not places:
            return
        last = max(places)
        place = -1
        for number, line in enumerate(self._segment.lines(), self._segment.first_line_number):
            text = line.strip(_BLANK)
            if text:
                place += 1
                if place in places:
                    yield place, number, text
                if place == last:
                    return

    def _landed(self, rows: pa.RecordBatch) -> pa.Table:
        """Return rows with the columns of a landed file."""
        columns: dict[str, pa.Array[Any]] = {
            "source_name": pa.repeat(self._sink.source_name, rows.num_rows),
            "pull_id": pa.repeat(self._sink.pull_id, rows.num_rows),
        }
        for field in self._format.fields:
            values = rows.column(field.target)
            if field.kind is FieldKind.USER_ID:
                values = self._hashed(values)
            elif field.kind in (FieldKind.COUNTS, FieldKind.LABELS):
                values = without_content(values, field.kind)
            columns[field.target] = values
        columns["input_file"] = pa.repeat(self.input_file, rows.num_rows)
        return pa.table(columns)

    def _hashed(self, user_ids: pa.Array[Any]) -> pa.Array[Any]:
        encoded = user_ids.dictionary_encode()
        hashes = [self._hash_user(user_id) for user_id in encoded.dictionary.to_pylist()]
        return pa.array(hashes, pa.string()).take(encoded.indices)


class _Faults:
    """Which lines did not become a row, and why; made for millions of them."""

    def __init__(self) -> None:
        self._places = array("q")
        self._reasons: list[str] = []

    def add(self, places: Iterable[int], reasons: Iterable[str]) -> None:
        """Note faults by the places of their lines."""
        self._places.extend(places)
        self._reasons.extend(reasons)

    def by_place(self) -> dict[int, str]:
        """Return all faults."""
        return dict(zip(self._places, self._reasons, strict=True))

    def places_of(self, reason: str) -> set[int]:
        """Return the places of one kind of fault."""
        return {place for place, noted in zip(self._places, self._reasons, strict=True) if noted == reason}

    def remove(self, places: Collection[int]) -> None:
        """Take faults back."""
        left = {place: reason for place, reason in self.by_place().items() if place not in places}
        self._places, self._reasons = array("q", left.keys()), list(left.values())


class _DayFiles:
    """Parquet files, one folder a day, in row groups that are not too small.

    A thread of its own writes them, while DuckDB parses what comes next: a million lines take 11 s one after the other,
    a quarter of that for writing (lab, 2 cores).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[date, list[pa.Table]] = {}
        self._held_count = 0
        self._writers: dict[date, pq.ParquetWriter] = {}
        self._files: list[Path] = []
        self._thread: ThreadPoolExecutor | None = None
        self._writing: Future[None] | None = None

    @property
    def has_rows(self) -> bool:
        """Whether anything was added."""
        return bool(self._files)

    def add(self, day: date, rows: pa.Table) -> None:
        """Add rows of a day."""
        held = self._held.setdefault(day, [])
        held.append(rows)
        self._held_count += rows.num_rows
        if sum(part.num_rows for part in held) >= ROWS_AT_ONCE:
            self._write(day)
        elif self._held_count > ROWS_HELD:
            for held_day in list(self._held):
                self._write(held_day)

    def close(self) -> None:
        """Write what is held and close the files."""
        with ExitStack() as stack:
            if self._thread is not None:
                stack.enter_context(self._thread)
            try:
                for day in list(self._held):
                    self._write(day)
                self._wait()
            finally:
                for writer in self._writers.values():
                    stack.enter_context(writer)
        self._writers, self._thread = {}, None

    def discard(self) -> None:
        """Remove everything."""
        self._held, self._held_count = {}, 0
        self.close()
        for path in self._files:
            path.unlink()
        self._files = []

    def _write(self, day: date) -> None:
        rows = pa.concat_tables(self._held.pop(day))
        self._held_count -= rows.num_rows
        # One group is written while the next is read, and no more wait in memory.
        self._wait()
        if day not in self._writers:
            path = self._folder / f"usage_date={day}" / f"{len(self._files):06}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            self._files.append(path)
            self._writers[day] = pq.ParquetWriter(path, rows.schema, compression="zstd")
        self._thread = self._thread or ThreadPoolExecutor(1)
        self._writing = self._thread.submit(self._writers[day].write_table, rows, row_group_size=rows.num_rows)

    def _wait(self) -> None:
        """Wait for the group that is being written, and raise what went wrong with it."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()
