"""GenAI spans from OTLP/JSON files, as the OpenTelemetry Collector's file exporter writes them.

Belongs here: which lines are looked at together, which must wait, and the landed table. Does not belong here:
OTLP (`otlp`), names and token semantics (`genai_attributes`), rows and nesting (`genai_spans`), new bytes
(`log_files`).

The spans of one trace stand on several lines and in several files: a call is exported when it ends, the
request around it later. Lines are read in pieces, and every piece is looked at together with the end of what
stands before it and the beginning of what comes after it. What is too young to have met its ancestors waits
for the next pull.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import orjson
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from orchestration.connectors.base import (
    PullSink,
    QuarantinedRow,
    SecretResolver,
    TableKind,
    TableSpec,
    Window,
)
from orchestration.connectors.errors import ConnectorError
from orchestration.connectors.genai_attributes import (
    CONTEXT_ATTRIBUTES,
    EMITTER_RULES,
    TOKEN_ALIASES,
    EmitterRule,
)
from orchestration.connectors.genai_spans import (
    LATEST_AHEAD,
    NOT_OWNED,
    TOKEN_COLUMNS,
    BadSpanError,
    Call,
    TraceSet,
    Vocabulary,
)
from orchestration.connectors.log_files import Segment, find_inputs, masked, new_segments
from orchestration.connectors.log_rows import RowWriter, UserHasher, numbered_lines, without_cycle_collection
from orchestration.connectors.otlp import NotTracesError, spans_of_line

log = logging.getLogger(__name__)

PIECE_BYTES = 64 * 1024 * 1024
"""Lines that are held in memory together: about 60,000 spans."""
NEIGHBOUR_BYTES = 8 * 1024 * 1024
"""How far before and after a piece the rest of its traces is looked for."""

ContextField = Literal[
    "tenant_id",
    "feature",
    "user_id",
    "operation_id",
    "conversation_id",
    "prompt_name",
    "prompt_version",
    "release",
    "environment",
]
TokenColumn = Literal[
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
]

_TEXT, _COUNT, _MS = pa.string(), pa.int64(), pa.float64()

SPANS = TableSpec(
    "otel_genai_spans",
    TableKind.APPEND,
    pa.schema(
        [
            ("started_at", pa.timestamp("us", tz="UTC")),
            ("provider", _TEXT),
            ("model", _TEXT),
            ("request_model", _TEXT),
            ("feature", _TEXT),
            ("tenant_id", _TEXT),
            ("user_hash", _TEXT),
            ("outcome", _TEXT),
            ("http_status", _COUNT),
            ("error_type", _TEXT),
            ("latency_ms", _MS),
            ("time_to_first_token_ms", _MS),
            ("operation_name", _TEXT),
            *((column, _COUNT) for column in TOKEN_COLUMNS),
            ("service_tier", _TEXT),
            ("response_id", _TEXT),
            ("trace_id", _TEXT),
            ("span_id", _TEXT),
            ("parent_span_id", _TEXT),
            ("conversation_id", _TEXT),
            ("operation_id", _TEXT),
            ("prompt_name", _TEXT),
            ("prompt_version", _TEXT),
            ("release", _TEXT),
            ("environment", _TEXT),
            ("service_name", _TEXT),
            ("scope_name", _TEXT),
            ("scope_version", _TEXT),
            ("semconv_generation", _TEXT),
            ("input_includes_cache", pa.bool_()),
            ("usage_warning", _TEXT),
            ("input_file", _TEXT),
        ]
    ),
)
"""One row per call to a model. `input_includes_cache` NULL: the emitter's counting is not known."""


class EmitterRuleConfig(BaseModel):
    """How an emitter of this site counts cache tokens; see `EmitterRule`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scope: str
    includes_cache: bool | None
    version_prefix: str = ""
    provider: str | None = None


class OtelGenaiConfig(BaseModel):
    """Where the span files are and what the site calls its things.

    Attributes:
        path: A file, a folder or a glob of OTLP/JSON lines (`.gz` too).
        allow_empty: Do not fail when nothing is there yet.
        attributes: Context field → attribute names, best first; replaces the defaults of that field.
        token_attributes: Token column → attribute names to look at before the known ones.
        emitters: Rules to ask before the known ones.
        settle_seconds: How long a call at the end of a plain file waits for ancestors that have not been
            exported; 0 lands it at once with what is known.
        user_hash_key_env: Variable that holds the key of the user-id hash; read when a user id comes by.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1)
    allow_empty: bool = False
    attributes: dict[ContextField, tuple[str, ...]] = {}
    token_attributes: dict[TokenColumn, tuple[str, ...]] = {}
    emitters: tuple[EmitterRuleConfig, ...] = ()
    settle_seconds: int = Field(default=300, ge=0)
    user_hash_key_env: str = "TRUEUP_USER_HASH_KEY"

    def vocabulary(self) -> Vocabulary:
        """Return the known names with this site's own in front."""
        own_tokens = {str(column): names for column, names in self.token_attributes.items()}
        own_rules = [
            EmitterRule(rule.scope, rule.includes_cache, rule.version_prefix, rule.provider)
            for rule in self.emitters
        ]
        return Vocabulary(
            context={**CONTEXT_ATTRIBUTES, **self.attributes},
            tokens={column: (*own_tokens.get(column, ()), *names) for column, names in TOKEN_ALIASES.items()},
            rules=(*own_rules, *EMITTER_RULES),
        )


class _Reading:
    """A segment on its way into the landing zone: its rows, and the hash of the lines they came from."""

    def __init__(self, sink: PullSink, segment: Segment) -> None:
        self.segment = segment
        self.writer = RowWriter(sink, SPANS, f"{segment.content_hash}.rows")
        self.landed_bytes = hashlib.sha256()


@dataclass
class _Part:
    """Lines of one segment with their numbers; without a reading they have landed and are only looked at."""

    reading: _Reading | None
    lines: list[tuple[int, bytes]]
    ends_segment: bool = False


class _Sight(NamedTuple):
    """Parts that are read together, and the lines around them that are only looked at."""

    before: list[bytes]
    parts: list[_Part]
    after: list[bytes]


@dataclass
class _Line:
    """What one line gave, apart from the calls that it may land."""

    number: int
    read: int = 0
    skipped: int = 0
    quarantined: list[QuarantinedRow] = field(default_factory=list[QuarantinedRow])


class OtelGenai:
    """Lands the calls to models among the spans of a Collector's files."""

    kind: ClassVar[str] = "otel_genai"
    tables: ClassVar[tuple[TableSpec, ...]] = (SPANS,)
    Config: ClassVar[type[OtelGenaiConfig]] = OtelGenaiConfig

    def __init__(self, source_name: str, config: OtelGenaiConfig, secrets: SecretResolver) -> None:
        self._source_name = source_name
        self._config = config
        self._vocabulary = config.vocabulary()
        self._hash_user = UserHasher(lambda: secrets(config.user_hash_key_env))

    def pull(self, sink: PullSink, window: Window | None) -> None:
        """Land every call that is new; a log is read by what is new in it, not by days.

        Args:
            sink: The pull to write to.
            window: Ignored.

        Raises:
            ConnectorError: There is no input, or it is in one of the exporter's binary formats.
            MissingSecretError: A span names a user and the key of the hash is not set.
        """
        del window
        inputs = find_inputs(self._source_name, self._config.path, allow_empty=self._config.allow_empty)
        for path in inputs:
            self._refuse_binary(path)
        new = (
            _Reading(sink, segment)
            for segment in new_segments(sink, SPANS, inputs)
            if not sink.already_landed(SPANS, segment.content_hash)
        )
        for sight in _sights(_pieces(new)):
            with without_cycle_collection():
                self._land(sink, sight)

    def _land(self, sink: PullSink, sight: _Sight) -> None:
        """Write the rows of what is seen, and end the segments that end in it."""
        traces = TraceSet(self._vocabulary, sink.pulled_at + LATEST_AHEAD)
        # In the order of the stream: of a span that was exported twice the first one lands.
        self._look_at(traces, sight.before)
        lines_of_part: list[list[_Line]] = []
        for owner, part in enumerate(sight.parts):
            lines: list[_Line] = []
            if part.reading is None:
                self._look_at(traces, (line for _, line in part.lines))
            else:
                segment = part.reading.segment
                lines = [self._read_line(traces, owner, segment, number, line) for number, line in part.lines]
            lines_of_part.append(lines)
        self._look_at(traces, sight.after)

        waits_from = {owner: self._wait_from(traces, owner, sink) for owner in _may_wait(sight.parts)}
        for owner, line_number in waits_from.items():
            if line_number is not None:
                traces.disown(owner, line_number)
        candidates = traces.candidate_counts()
        calls_of_part: dict[int, list[Call]] = {}
        for call in traces.landed_calls():
            calls_of_part.setdefault(call.owner, []).append(call)
        for owner, part in enumerate(sight.parts):
            if part.reading is None:
                continue
            wait_from = waits_from.get(owner)
            lines = [line for line in lines_of_part[owner] if wait_from is None or line.number < wait_from]
            calls = calls_of_part.get(owner, [])
            superseded = candidates.get(owner, 0) - len(calls)
            sink.count_read(
                SPANS, sum(line.read for line in lines), sum(line.skipped for line in lines) + superseded
            )
            sink.quarantine(SPANS, [row for line in lines for row in line.quarantined])
            part.reading.writer.write(self._columns(calls, part.reading.segment))
            for number, line in part.lines:
                if wait_from is None or number < wait_from:
                    part.reading.landed_bytes.update(line)
            if part.ends_segment:
                self._end_segment(sink, part.reading, wait_from)

    def _columns(self, calls: Sequence[Call], segment: Segment) -> dict[str, list[object]]:
        own = {"user_hash", "input_file"}
        columns: dict[str, list[object]] = {
            name: [getattr(call, name) for call in calls] for name in SPANS.schema.names if name not in own
        }
        columns["user_hash"] = [self._hash_user(call.user_id) for call in calls]
        columns["input_file"] = [segment.input_file] * len(calls)
        return columns

    def _read_line(self, traces: TraceSet, owner: int, segment: Segment, number: int, line: bytes) -> _Line:
        text = line.strip()
        if not text:
            # An empty line stands where one was cut off; that one is counted with the segment.
            cut_off = any(row.line_number == number for row in segment.quarantined)
            return _Line(number, read=int(not cut_off), skipped=int(not cut_off))
        try:
            spans = spans_of_line(text, self._vocabulary.attribute_names)
        except NotTracesError as error:
            refused = QuarantinedRow(segment.input_file, number, error.reason, masked(text))
            return _Line(number, read=1, quarantined=[refused])
        if spans is None:
            return _Line(number, read=1, skipped=1)
        found = _Line(number)
        for span in spans:
            found.read += 1
            try:
                found.skipped += not traces.add(span, number, owner)
            except BadSpanError as error:
                excerpt = masked(orjson.dumps(span.attributes))
                found.quarantined.append(QuarantinedRow(segment.input_file, number, error.reason, excerpt))
        return found

    def _look_at(self, traces: TraceSet, lines: Iterable[bytes]) -> None:
        for line in lines:
            with suppress(NotTracesError):
                for span in spans_of_line(line, self._vocabulary.attribute_names) or ():
                    with suppress(BadSpanError):
                        traces.add(span, 0, NOT_OWNED)

    def _wait_from(self, traces: TraceSet, owner: int, sink: PullSink) -> int | None:
        """Return the first line of a part with a call whose ancestors may still be exported."""
        settled = (sink.pulled_at - timedelta(seconds=self._config.settle_seconds)).timestamp() * 1e6
        young = (call.line_number for call in traces.open_calls(owner) if call.ended_at > settled)
        return min(young, default=None)

    def _end_segment(self, sink: PullSink, reading: _Reading, wait_from: int | None) -> None:
        segment = reading.segment
        cut_off = segment.quarantined
        if wait_from is None:
            reading.writer.append(segment.content_hash, segment.input_file)
        else:
            log.info(
                "source %s: %s from line %d on waits for the rest of its traces, at most %d s",
                self._source_name,
                segment.input_file,
                wait_from,
                self._config.settle_seconds,
            )
            if wait_from > segment.first_line_number:
                reading.writer.append(reading.landed_bytes.hexdigest(), segment.input_file)
            cut_off = [row for row in cut_off if row.line_number and row.line_number < wait_from]
            _leave_for_next_pull(sink, segment, wait_from)
        sink.count_read(SPANS, len(cut_off))
        sink.quarantine(SPANS, cut_off)

    def _refuse_binary(self, path: Path) -> None:
        with path.open("rb") as file:
            start = file.read(4)
        # The exporter's other formats: zstd frames, or a 32-bit length before every message.
        if start == b"\x28\xb5\x2f\xfd" or start[:1] == b"\0":
            raise ConnectorError(
                self._source_name,
                "the file is in a binary format of the Collector's file exporter",
                request=str(path),
                do="set `format: json` and no `compression` in the exporter; `.gz` made afterwards is fine",
            )


def _may_wait(parts: Sequence[_Part]) -> Iterator[int]:
    """Yield the parts that end an input which may go on: a compressed file is finished."""
    for owner, part in enumerate(parts):
        if part.ends_segment and part.reading and not part.reading.segment.input_file.endswith(".gz"):
            yield owner


def _pieces(readings: Iterable[_Reading]) -> Iterator[list[_Part]]:
    """Yield parts of as many segments as fit into a piece: small files share one, a big one has several."""
    parts: list[_Part] = []
    size = 0
    for reading in readings:
        if reading.segment.first_line_number > 1:
            parts.append(_Part(None, [(0, line) for line in _lines_before(reading.segment)]))
        parts.append(_Part(reading, []))
        for number, line in numbered_lines(reading.segment):
            if size >= PIECE_BYTES:
                yield parts
                parts, size = [_Part(reading, [])], 0
            parts[-1].lines.append((number, line))
            size += len(line)
        parts[-1].ends_segment = True
    if parts:
        yield parts


def _sights(pieces: Iterator[list[_Part]]) -> Iterator[_Sight]:
    """Yield every piece between the last lines of the one before and the first lines of the one after."""
    before: list[bytes] = []
    piece = next(pieces, None)
    while piece is not None:
        following = next(pieces, None)
        yield _Sight(before, piece, _up_to(NEIGHBOUR_BYTES, _lines_of(following or ())))
        before = _up_to(NEIGHBOUR_BYTES, reversed(list(_lines_of(piece))))[::-1]
        piece = following


def _lines_of(parts: Iterable[_Part]) -> Iterator[bytes]:
    return (line for part in parts for _, line in part.lines)


def _up_to(size: int, lines: Iterable[bytes]) -> list[bytes]:
    taken: list[bytes] = []
    for line in lines:
        size -= len(line)
        if size < 0:
            break
        taken.append(line)
    return taken


def _lines_before(segment: Segment) -> list[bytes]:
    """Return the end of what has landed of the same input: it may hold the rest of a trace."""
    offset, _ = _prefix(segment)
    with Path(segment.input_file).open("rb") as file:
        file.seek(max(0, offset - NEIGHBOUR_BYTES))
        return file.read(offset - file.tell()).splitlines(keepends=True)


def _prefix(segment: Segment, line_number: int | None = None) -> tuple[int, str]:
    """Return length and SHA-256 of an input up to a line; up to the segment when none is given."""
    digest, offset = hashlib.sha256(), 0
    with Path(segment.input_file).open("rb") as file:
        for line in islice(file, (line_number or segment.first_line_number) - 1):
            digest.update(line)
            offset += len(line)
    return offset, digest.hexdigest()


def _leave_for_next_pull(sink: PullSink, segment: Segment, line_number: int) -> None:
    """Note that an input has landed only up to a line, and that it is to be looked at again."""
    offset, digest = _prefix(segment, line_number)
    key = str(Path(segment.input_file).absolute())
    sink.ledger(SPANS)[key] = {"size": -1, "mtime_ns": -1, "bytes": offset, "sha256": digest}
