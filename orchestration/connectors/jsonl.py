"""JSON lines to typed rows, by DuckDB: the shared way of the logs whose shape is ours to define.

Belongs here: spellings, types, validation, quarantine, hashing of user ids. Does not belong here: the fields of a log
(`llm_request_log`, `product_outcome_log`) and which bytes are new (`log_files`).

Two ways with one meaning. The fast one types a whole segment in one statement; when the rows it lands are not all the
lines, the segment is read again the careful way, which numbers every line and says what is wrong with it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import ARROW, SPECIAL

from orchestration.connectors.base import PullSink, QuarantinedRow, TableSpec
from orchestration.connectors.log_files import MAX_LINE_BYTES, Segment, find_inputs, masked, new_segments

EARLIEST = "2020-01-01T00:00:00Z"
_FUTURE = timedelta(hours=48)


@dataclass(frozen=True)
class Field:
    """One field of a line and the column it becomes.

    Attributes:
        name: Field in snake_case; its camelCase spelling is read as well.
        column: Landed column; the field's own name unless given.
        kind: `text`, `integer`, `number`, `decimal`, `boolean`, `object`, `moment` or `user_id`.
        type: SQL type of the column, where the kind leaves it open.
        required: A line without it is quarantined.
        allowed: The values it may have.
    """

    name: str
    kind: str = "text"
    column: str = ""
    type: str = ""
    required: bool = False
    allowed: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """Name of the landed column."""
        return self.column or self.name

    @property
    def spellings(self) -> tuple[str, ...]:
        """The keys under which the field is written."""
        head, *tail = self.name.split("_")
        camel = head + "".join(part.title() for part in tail)
        return (self.name,) if camel == self.name else (self.name, camel)


@dataclass(frozen=True)
class LineFormat:
    """A log: its table, the value of `event` that its lines bear, and their fields. One field is the moment."""

    table: TableSpec
    event: str
    fields: tuple[Field, ...]

    @property
    def moment(self) -> Field:
        """The field that says when it happened."""
        return next(field for field in self.fields if field.kind == "moment")


UserKey = Callable[[], str]


def land_json_lines(
    sink: PullSink, line_format: LineFormat, location: str, *, allow_empty: bool, user_key: UserKey
) -> None:
    """Land every new line behind `location`.

    Args:
        sink: Where rows, quarantine and counts go.
        line_format: The log's fields.
        location: A file, a folder or a glob.
        allow_empty: Whether finding no file is fine.
        user_key: Gives the key of the HMAC; called only when a line has a user id.

    Raises:
        ConnectorError: When there is no input, or a user id and no key.
    """
    table = line_format.table
    for segment in new_segments(sink, table, find_inputs(sink.source_name, location, allow_empty=allow_empty)):
        if sink.already_landed(table, segment.content_hash):
            continue
        with _database(sink.scratch, user_key) as database:
            _land_segment(sink, line_format, segment, database)


def _land_segment(
    sink: PullSink, line_format: LineFormat, segment: Segment, database: duckdb.DuckDBPyConnection
) -> None:
    table = line_format.table
    output = sink.scratch / f"{segment.content_hash}.rows"
    sql = _Sql(line_format, sink, segment.input_file)
    quarantined = list(segment.quarantined)
    skipped = 0
    landed = 0
    if segment.line_count:
        database.execute(sql.fast_view(segment.path))
        landed = _copy(database, "select * exclude (problem) from checked where problem is null", output)
        if landed != segment.line_count:
            for path in output.glob("**/*.parquet"):
                path.unlink()
            numbered = segment.path.with_name(f"{segment.content_hash}.numbered")
            blank, broken = _number_lines(segment, numbered)
            database.execute(sql.careful_view(numbered))
            database.execute("create or replace temp table kept as select * from checked")
            landed = _copy(database, "select * exclude (problem, line_number) from kept where problem is null", output)
            counted = database.execute("select count(*) from kept where problem = 'skipped'").fetchone()
            skipped = blank + (counted[0] if counted else 0)
            faults = database.execute(
                "select line_number, problem from kept where problem <> 'skipped' order by line_number"
            ).fetchall()
            quarantined += broken
            quarantined += _excerpts(segment, dict(faults))
            numbered.unlink()
    sink.count_read(table, segment.line_count + len(segment.quarantined), skipped)
    sink.quarantine(table, quarantined)
    sink.append(
        table,
        segment_hash=segment.content_hash,
        input_file=segment.input_file,
        parquet_dir=output if landed else None,
    )


def _copy(database: duckdb.DuckDBPyConnection, query: str, output: Path) -> int:
    output.mkdir(exist_ok=True)
    copied = database.execute(
        f"copy ({query}) to '{_quoted(str(output))}' "
        "(format parquet, partition_by (usage_date), compression snappy, overwrite_or_ignore)"
    ).fetchone()
    return int(copied[0]) if copied else 0


def _number_lines(segment: Segment, target: Path) -> tuple[int, list[QuarantinedRow]]:
    """Copy the lines that are JSON objects, each with its number; count blank ones, return the broken ones."""
    blank = 0
    broken: list[QuarantinedRow] = []
    with segment.path.open("rb") as lines, target.open("wb") as numbered:
        for number, line in enumerate(lines, segment.first_line_number):
            text = line.strip()
            if not text:
                blank += 1
                continue
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                value = None
            if not isinstance(value, dict):
                broken.append(QuarantinedRow(segment.input_file, number, "invalid_json", masked(text)))
            elif value:
                # Written anew: whatever Python reads, DuckDB then reads as well.
                numbered.write(json.dumps({"__line": number, **value}).encode() + b"\n")
            else:
                broken.append(QuarantinedRow(segment.input_file, number, "missing:event", "{}"))
    too_long = sum(row.reason == "line_too_long" for row in segment.quarantined)
    return blank - too_long, broken


def _excerpts(segment: Segment, faults: dict[int, str]) -> Iterator[QuarantinedRow]:
    if not faults:
        return
    with segment.path.open("rb") as lines:
        for number, line in enumerate(lines, segment.first_line_number):
            if number in faults:
                yield QuarantinedRow(segment.input_file, number, faults[number], masked(line.strip()))


class _Sql:
    """The statement that types a segment. It names only our own fields; values of the input are never part of it."""

    def __init__(self, line_format: LineFormat, sink: PullSink, input_file: str) -> None:
        self._format = line_format
        self._names = list(dict.fromkeys(name for field in line_format.fields for name in field.spellings))
        latest = (sink.pulled_at + _FUTURE).isoformat()
        self._range = f"timestamptz '{EARLIEST}' and timestamptz '{latest}'"
        self._own = (
            f"'{_quoted(sink.source_name)}' as source_name, '{_quoted(sink.pull_id)}' as pull_id",
            f"'{_quoted(input_file)}' as input_file",
        )

    def fast_view(self, path: Path) -> str:
        objects = {name for field in self._format.fields if field.kind == "object" for name in field.spellings}
        columns = ", ".join(
            f"'{name}': '{'JSON' if name in objects else 'VARCHAR'}'" for name in ["event", *self._names]
        )
        source = self._read(path, columns)
        texts = ", ".join(
            f"coalesce({', '.join(_identifier(name) for name in field.spellings)}) as {_identifier(field.name)}"
            for field in self._format.fields
        )
        return self._view(f"select event, {texts} from {source}", "")

    def careful_view(self, path: Path) -> str:
        columns = ", ".join(f"'{name}': 'JSON'" for name in ["event", *self._names])
        source = self._read(path, f"'__line': 'BIGINT', {columns}")
        parts: list[str] = []
        for field in self._format.fields:
            value = f"coalesce({', '.join(f'nullif({_identifier(name)}, $$null$$)' for name in field.spellings)})"
            if field.kind == "object":
                parts.append(f"{value} as {_identifier(field.name)}")
            else:
                # An object where a scalar is meant keeps its brace, and is refused below.
                parts.append(f"{value} ->> '$' as {_identifier(field.name)}")
        return self._view(
            f"select __line as line_number, event ->> '$' as event, {', '.join(parts)} from {source}",
            "line_number, ",
        )

    def _read(self, path: Path, columns: str) -> str:
        return (
            f"read_json('{_quoted(str(path))}', format = 'newline_delimited', columns = {{{columns}}}, "
            f"ignore_errors = true, maximum_object_size = {2 * MAX_LINE_BYTES}, compression = 'uncompressed')"
        )

    def _view(self, texts: str, number: str) -> str:
        typed = ", ".join(f"{self._typed(field)} as {_identifier('_' + field.name)}" for field in self._format.fields)
        by_name = {field.target: field for field in self._format.fields}
        outputs = ", ".join(
            f"{_identifier('_' + by_name[column].name)} as {_identifier(column)}"
            for column in self._format.table.schema.names
            if column in by_name
        )
        moment = _identifier("_" + self._format.moment.name)
        return f"""
            create or replace temp view checked as
            with texts as ({texts}),
            typed as (select *, {typed} from texts)
            select
                {number}{self._own[0]}, {outputs}, {self._own[1]},
                cast({moment} as date) as usage_date,
                case {self._problems()} end as problem
            from typed
        """

    def _typed(self, field: Field) -> str:
        value = _identifier(field.name)
        match field.kind:
            case "integer":
                return (
                    f"case when contains({value}, '.') or contains({value}, 'e') or contains({value}, 'E') then "
                    f"case when regexp_full_match({value}, '-?[0-9]+[.]0+') "
                    f"then try_cast(split_part({value}, '.', 1) as bigint) end else try_cast({value} as bigint) end"
                )
            case "number":
                return f"try_cast({value} as double)"
            case "decimal":
                return f"try_cast({value} as {field.type})"
            case "boolean":
                return f"case lower({value}) when 'true' then true when 'false' then false end"
            case "object":
                return f"case when json_type({value}) = 'OBJECT' then cast({value} as varchar) end"
            case "moment":
                # Doubles hold microseconds exactly until the year 2255; a cast to decimal(20, 3) costs 50 us a value.
                return (
                    f"case when try_cast({value} as double) is not null then make_timestamptz(cast(round("
                    f"least(greatest(try_cast({value} as double), -1e14), 1e14) * 1000) as bigint)) "
                    f"when length({value}) >= 20 and ({value}[-1] in ('Z', 'z') or {value}[-6] in ('+', '-')) "
                    f"then try_cast({value} as timestamptz) end"
                )
            case "user_id":
                return f"user_hash(nullif({value}, ''))"
            case _:
                return f"nullif({value}, '')"

    def _problems(self) -> str:
        cases = [
            "when event is null then 'missing:event'",
            f"when event <> '{self._format.event}' then 'skipped'",
        ]
        for field in self._format.fields:
            raw, value = _identifier(field.name), _identifier("_" + field.name)
            if field.required:
                cases.append(f"when {raw} is null or {raw} = '' then 'missing:{field.name}'")
            match field.kind:
                case "text" | "user_id":
                    cases.append(f"when {raw}[1] in ('{{', '[') then 'wrong_type:{field.name}'")
                case "object":
                    cases.append(f"when {raw} is not null and {value} is null then 'wrong_type:{field.name}'")
                case _:
                    cases.append(f"when {raw} is not null and {value} is null then 'wrong_type:{field.name}'")
            if field.kind in ("integer", "decimal", "number") and field.name != "cost_usd":
                cases.append(f"when {value} < 0 then 'negative:{field.name}'")
            if field.kind == "moment":
                cases.append(f"when {value} not between {self._range} then 'timestamp_out_of_range'")
            if field.allowed:
                allowed = ", ".join(f"'{value}'" for value in field.allowed)
                cases.append(f"when {value} not in ({allowed}) then 'invalid:{field.name}'")
        return " ".join(cases)


@contextmanager
def _database(scratch: Path, user_key: UserKey) -> Generator[duckdb.DuckDBPyConnection]:
    keyed: list[bytes] = []
    hashes: dict[str | None, str | None] = {None: None}

    def user_hash(ids: Any) -> Any:
        encoded = ids.combine_chunks().dictionary_encode()
        if not keyed and encoded.null_count < len(encoded):
            keyed.append(user_key().encode())
        for user_id in encoded.dictionary.to_pylist():
            if user_id not in hashes:
                hashes[user_id] = hmac.new(keyed[0], user_id.encode(), hashlib.sha256).hexdigest()
        dictionary = pa.array([hashes[user_id] for user_id in encoded.dictionary.to_pylist()], pa.string())
        return dictionary.take(encoded.indices)

    with duckdb.connect(config={"temp_directory": str(scratch / "spill")}) as database:
        database.execute("set TimeZone = 'UTC'; set memory_limit = '1GB'; set preserve_insertion_order = false")
        text: list[Any] = ["VARCHAR"]
        database.create_function("user_hash", user_hash, text, text[0], type=ARROW, null_handling=SPECIAL)
        yield database


def _identifier(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"not a plain identifier: {name!r}")
    return f'"{name}"'


def _quoted(text: str) -> str:
    return text.replace("'", "''")
