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
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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
    TOKEN_COLUMNS,
    BadSpanError,
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


@dataclass
class _Piece:
    """Lines, with their numbers, that are read together; of a segment, or only to be looked at."""

    segment: Segment | None
    lines: list[tuple[int, bytes]]
    ends_segment: bool = False


class _Sight(NamedTuple):
    """A piece and the lines around it that are only looked at."""

    before: list[bytes]
    piece: _Piece
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
            segment
            for segment in new_segments(sink, SPANS, inputs)
            if not sink.already_landed(SPANS, segment.content_hash)
        )
        writer: RowWriter | None = None
        landed_bytes = hashlib.sha256()
        for sight in _sights(_pieces(new)):
            piece, segment = sight.piece, sight.piece.segment
            if segment is None:
                continue
            if writer is None:
                writer = RowWriter(sink, SPANS, f"{segment.content_hash}.rows")
                landed_bytes = hashlib.sha256()
            with without_cycle_collection():
                wait_from = self._land_piece(sink, writer, segment, sight)
            for number, line in piece.lines:
                if wait_from is None or number < wait_from:
                    landed_bytes.update(line)
            if piece.ends_segment:
                self._end_segment(sink, writer, segment, landed_bytes.hexdigest(), wait_from)
                writer = None

    def _land_piece(self, sink: PullSink, writer: RowWriter, segment: Segment, sight: _Sight) -> int | None:
        """Write the rows of a piece; return the number of the line from which on it has to wait, if any."""
        traces = TraceSet(self._vocabulary, sink.pulled_at + LATEST_AHEAD)
        # In the order of the stream: of a span that was exported twice the first one lands.
        for line in sight.before:
            self._look_at(traces, line)
        lines = [self._read_line(traces, segment, number, line) for number, line in sight.piece.lines]
        for line in sight.after:
            self._look_at(traces, line)
        may_wait = sight.piece.ends_segment and _may_grow(segment)
        wait_from = self._wait_from(traces, sink.pulled_at) if may_wait else None
        if wait_from is not None:
            traces.disown_from(wait_from)
            lines = [line for line in lines if line.number < wait_from]
        calls = traces.landed_calls()
        columns: dict[str, list[object]] = {
            name: [getattr(call, name) for call in calls]
            for name in SPANS.schema.names
            if name not in ("user_hash", "input_file")
        }
        columns["user_hash"] = [self._hash_user(call.user_id) for call in calls]
        columns["input_file"] = [segment.input_file] * len(calls)
        writer.write(columns)
        superseded = traces.owned_calls_count - len(calls)
        skipped = sum(line.skipped for line in lines) + superseded
        sink.count_read(SPANS, sum(line.read for line in lines), skipped)
        sink.quarantine(SPANS, [row for line in lines for row in line.quarantined])
        return wait_from

    def _read_line(self, traces: TraceSet, segment: Segment, number: int, line: bytes) -> _Line:
        text = line.strip()
        if not text:
            # An empty line stands where one was cut off; that one is counted with the segment.
            cut_off = any(row.line_number == number for row in segment.quarantined)
            return _Line(number, read=int(not cut_off), skipped=int(not cut_off))
        try:
            spans = spans_of_line(text, self._vocabulary.attribute_names)
        except NotTracesError as error:
            return _Line(
                number,
                read=1,
                quarantined=[QuarantinedRow(segment.input_file, number, error.reason, masked(text))],
            )
        if spans is None:
            return _Line(number, read=1, skipped=1)
        found = _Line(number)
        for span in spans:
            found.read += 1
            try:
                found.skipped += not traces.add(span, number)
            except BadSpanError as error:
                excerpt = masked(orjson.dumps(span.attributes))
                found.quarantined.append(QuarantinedRow(segment.input_file, number, error.reason, excerpt))
        return found

    def _look_at(self, traces: TraceSet, line: bytes) -> None:
        with suppress(NotTracesError):
            for span in spans_of_line(line, self._vocabulary.attribute_names) or ():
                with suppress(BadSpanError):
                    traces.add(span, 0, owned=False)

    def _wait_from(self, traces: TraceSet, pulled_at: datetime) -> int | None:
        """Return the first line with a call whose ancestors may still be exported."""
        settled = (pulled_at - timedelta(seconds=self._config.settle_seconds)).timestamp() * 1e6
        young = (call.line_number for call in traces.open_calls() if call.ended_at > settled)
        return min(young, default=None)

    def _end_segment(
        self, sink: PullSink, writer: RowWriter, segment: Segment, landed_hash: str, wait_from: int | None
    ) -> None:
        if wait_from is None:
            writer.append(segment.content_hash, segment.input_file)
            cut_off = segment.quarantined
        else:
            log.info(
                "source %s: %s from line %d on waits for the rest of its traces, at most %d s",
                self._source_name,
                segment.input_file,
                wait_from,
                self._config.settle_seconds,
            )
            if wait_from > segment.first_line_number:
                writer.append(landed_hash, segment.input_file)
            cut_off = [row for row in segment.quarantined if row.line_number and row.line_number < wait_from]
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


def _pieces(segments: Iterable[Segment]) -> Iterator[_Piece]:
    for segment in segments:
        if segment.first_line_number > 1:
            yield _Piece(None, [(0, line) for line in _lines_before(segment)])
        lines: list[tuple[int, bytes]] = []
        size = 0
        for number, line in numbered_lines(segment):
            lines.append((number, line))
            size += len(line)
            if size >= PIECE_BYTES:
                yield _Piece(segment, lines)
                lines, size = [], 0
        yield _Piece(segment, lines, ends_segment=True)


def _sights(pieces: Iterator[_Piece]) -> Iterator[_Sight]:
    """Yield every piece between the last lines of the one before and the first lines of the one after."""
    before: list[bytes] = []
    piece = next(pieces, None)
    while piece is not None:
        following = next(pieces, None)
        yield _Sight(before, piece, _up_to(NEIGHBOUR_BYTES, following.lines) if following else [])
        before = _up_to(NEIGHBOUR_BYTES, reversed(piece.lines))[::-1]
        piece = following


def _up_to(size: int, lines: Iterable[tuple[int, bytes]]) -> list[bytes]:
    taken: list[bytes] = []
    for _, line in lines:
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


def _may_grow(segment: Segment) -> bool:
    return not segment.input_file.endswith(".gz")
