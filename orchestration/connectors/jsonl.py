"""JSON lines to typed rows, by DuckDB: the shared way of the logs whose shape is ours to define.

Belongs here: their connector, reading many files in one statement, and what to do when DuckDB cannot. Does not
belong here: the fields of a log (`llm_request_log`, `product_outcome_log`), types and rules (`line_format`), what
becomes of a line (`line_rows`), which bytes are new (`log_files`).

DuckDB hands the lines on in their order, typed and judged, so that the place of a row tells its line. A line that
is no JSON object comes as a row without any field, an empty line not at all. (lab, DuckDB 1.5.5) `ignore_errors`
is not to be trusted beyond that: a line that ends where the next could continue it takes the next one along, or
fails the statement. So every row without a field is looked at again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pyarrow as pa
import pyarrow.compute
from pydantic import BaseModel, ConfigDict, Field

from orchestration.connectors.base import PullSink, SecretResolver, Window
from orchestration.connectors.errors import ConnectorError
from orchestration.connectors.line_format import LineFormat
from orchestration.connectors.line_rows import ROWS_AT_ONCE, SegmentRows
from orchestration.connectors.log_files import MAX_LINE_BYTES, find_inputs, new_segment_groups
from orchestration.connectors.log_rows import UserHasher
from orchestration.sql import identifier, literal

FILES_AT_ONCE = 64
"""(lab) Files of 4,000 lines: 65 ms each in statements of their own, 31 ms each in one."""
BYTES_AT_ONCE = 256 * 1024 * 1024

_SETTINGS = (
    "set TimeZone = 'UTC'",
    "set memory_limit = '1GB'",
    # The place of a row tells its line.
    "set preserve_insertion_order = true",
    # Room for the threads that read ahead while rows are written; the default of 1 MB makes them wait.
    "set streaming_buffer_size = '64MB'",
)
_LINES = (
    "format = 'newline_delimited', ignore_errors = true, compression = 'uncompressed', "
    f"maximum_object_size = {MAX_LINE_BYTES}"
)
_SAMPLED_LINES = 20_000
_UNKNOWN_FIELDS_COUNTED = 50


class LogConfig(BaseModel):
    """Where a log lies.

    Attributes:
        path: A file, a folder (searched through for .jsonl, .ndjson, .json and .log, also rotated or .gz) or a glob.
        allow_empty: Do not fail when nothing is there yet.
        user_hash_key_env: Environment variable with the key under which user ids are hashed; needed only when the
            lines have user ids.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1)
    allow_empty: bool = False
    user_hash_key_env: str = "TRUEUP_USER_HASH_KEY"


class JsonLinesLog:
    """Lands the lines of one format; each log is this class with its kind, format and tables."""

    line_format: ClassVar[LineFormat]
    Config: ClassVar[type[LogConfig]] = LogConfig

    def __init__(self, source_name: str, config: LogConfig, secrets: SecretResolver) -> None:
        del source_name  # the pull knows it
        self._config = config
        self._secrets = secrets

    def pull(self, sink: PullSink, window: Window | None) -> None:
        """Land every line that is new; a log is read by what is new in it, not by days.

        Args:
            sink: The pull to write to.
            window: Ignored.

        Raises:
            ConnectorError: When there is no input, or one cannot be read or is rewritten while it is read.
            MissingSecretError: When a line has a user id and the key is not set.
        """
        del window
        _land_json_lines(sink, self.line_format, self._config, self._secrets)


def _land_json_lines(sink: PullSink, line_format: LineFormat, config: LogConfig, secrets: SecretResolver) -> None:
    table = line_format.table
    hash_user = UserHasher(lambda: secrets(config.user_hash_key_env))
    inputs = find_inputs(sink.source_name, config.path, allow_empty=config.allow_empty)
    groups = new_segment_groups(sink, table, inputs, max_files=FILES_AT_ONCE, max_bytes=BYTES_AT_ONCE)
    with _database(sink.scratch) as database:
        reader = _Reader(sink, line_format, database)
        for group in groups:
            # The same content under two names is one segment.
            segments = {segment.content_hash: segment for segment in group}.values()
            reader.land(
                [
                    SegmentRows(sink, line_format, segment, hash_user)
                    for segment in segments
                    if not (segment.line_count and sink.already_landed(table, segment.content_hash))
                ]
            )


class _Reader:
    """Reads segments of one log."""

    def __init__(self, sink: PullSink, line_format: LineFormat, database: duckdb.DuckDBPyConnection) -> None:
        self._sink = sink
        self._format = line_format
        self._database = database

    def land(self, segments: Sequence[SegmentRows]) -> None:
        """Read segments together and hand over what became of their lines."""
        try:
            self._read(segments)
        except duckdb.InvalidInputException:
            # A document over several lines, for instance: the whole statement fails.
            for segment in segments:
                self._read_carefully(segment)
        for segment in segments:
            if not segment.is_complete():
                self._read_carefully(segment)
        self._count_unknown_fields(segments)
        for segment in segments:
            if segment.has_spoilt_lines():
                self._read([segment])
            segment.hand_over()

    def _read(self, segments: Sequence[SegmentRows]) -> None:
        by_path = {str(segment.path): segment for segment in segments if segment.line_count}
        if not by_path:
            return
        columns = ", ".join(f"'{key}': 'VARCHAR'" for key in self._format.keys)
        lines = f"read_json($1, columns = {{{columns}}}, filename = true, {_LINES})"
        query = self._format.statement(lines, self._sink.pulled_at)
        current = None
        for batch in self._database.execute(query, [_patterns(by_path)]).to_arrow_reader(ROWS_AT_ONCE):
            for path, rows in _by_file(batch):
                if current and current is not by_path[path]:
                    current.finish()
                current = by_path[path]
                current.add(rows)
        if current:
            current.finish()

    def _read_carefully(self, segment: SegmentRows) -> None:
        """Read one segment alone, from a copy in which every line is a document of its own."""
        segment.start_again()
        self._read([segment])
        if not segment.is_complete():
            raise ConnectorError(
                self._sink.source_name,
                "the lines of an input cannot be told apart",
                request=segment.input_file,
                answered=f"{segment.row_count} of {segment.line_count} lines",
                do="make sure that it is UTF-8 text with a newline after each line",
            )

    def _count_unknown_fields(self, segments: Sequence[SegmentRows]) -> None:
        """Count fields that nobody reads: in all lines, for the names that are seen in the first ones."""
        paths = _patterns(str(segment.path) for segment in segments if segment.line_count)
        if not paths:
            return
        sample = f"select json from read_json_objects($1, {_LINES}) limit {_SAMPLED_LINES}"
        keys = f"select distinct unnest(json_keys(json)) from ({sample}) where json ->> 'event' = $2"
        found = self._database.execute(keys, [paths, self._format.event]).fetchall()
        # For DuckDB, the names of columns differ by more than upper and lower case.
        unknown = {str(name).lower(): str(name) for (name,) in found if name not in self._format.keys}
        unknown.pop("event", None)
        names = sorted(unknown.values())[:_UNKNOWN_FIELDS_COUNTED]
        if names:
            columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in ("event", *names))
            counts = ", ".join(f"count({identifier(name)})" for name in names)
            query = f"select {counts} from read_json($1, columns = {{{columns}}}, {_LINES}) where event = $2"
            counted = self._database.execute(query, [paths, self._format.event]).fetchone() or ()
            self._sink.count_unknown_fields(self._format.table, dict(zip(names, counted, strict=True)))


@contextmanager
def _database(scratch: Path) -> Generator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"temp_directory": str(scratch / "spill")}) as database:
        for setting in _SETTINGS:
            database.execute(setting)
        yield database


def _by_file(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    compute: Any = pyarrow.compute  # its stubs lack this function
    runs = compute.run_end_encode(batch.column("filename"))
    start = 0
    for path, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield path, batch.slice(start, end - start)
        start = end


def _patterns(paths: Iterable[str]) -> list[str]:
    """Return paths as DuckDB's readers take them for just these files: they take every path for a pattern."""
    return ["".join(f"[{char}]" if char in "*?[" else char for char in path) for path in paths]
