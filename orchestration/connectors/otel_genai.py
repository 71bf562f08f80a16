"""GenAI spans from OTLP/JSON files, as the OpenTelemetry Collector's file exporter writes them.

Belongs here: which lines are new, which must wait, and the landed table. Does not belong here:
OTLP (`otlp`), names and token semantics (`genai_attributes`), rows and nesting (`genai_spans`), new bytes
(`log_files`).

The spans of one trace stand on several lines and in several files: a call is exported when it ends, the
request around it later. They are put together in a window that moves over all new lines of a pull. A call at
the end of a file that is too young to have met its ancestors waits for the next pull, and so does all behind
it.
"""

from __future__ import annotations

import hashlib
import logging
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal

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
    Settled,
    TraceWindow,
    Vocabulary,
)
from orchestration.connectors.log_files import Segment, find_inputs, masked, new_segments
from orchestration.connectors.log_rows import RowWriter, UserHasher, numbered_lines, without_cycle_collection
from orchestration.connectors.otlp import NotTracesError, spans_of_line

log = logging.getLogger(__name__)

TRACE_WINDOW_SPANS = 200_000
"""How many spans may come between two of the same trace: 40 s of 5,000 spans a second."""
LOOK_BACK_BYTES = 8 * 1024 * 1024
"""How much of what has landed of a file is looked at again before its new lines."""
MAX_LINE_BYTES = 64 * 1024 * 1024
"""The Collector's batch processor puts 8,192 spans on a line by default: 10 MB, with content much more."""
ROWS_AT_ONCE = 50_000

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
        settle_seconds: How long after its end a call at the end of a plain file waits for ancestors that have
            not been exported; 0 lands it at once with what is known.
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
            EmitterRule(rule.scope, rule.includes_cache, rule.version_prefix, rule.provider) for rule in self.emitters
        ]
        return Vocabulary(
            context={**CONTEXT_ATTRIBUTES, **self.attributes},
            tokens={column: (*own_tokens.get(column, ()), *names) for column, names in TOKEN_ALIASES.items()},
            rules=(*own_rules, *EMITTER_RULES),
        )


class _Reading:
    """A segment on its way into the landing zone; what its lines gave is counted by line.

    So the end can still be left to the next pull when its traces turn out to be too young.
    """

    def __init__(self, sink: PullSink, segment: Segment) -> None:
        self.segment = segment
        self.wait_from: int | None = None
        self.last_settled_line = 0
        self._sink = sink
        self._writer = RowWriter(sink, SPANS, f"{segment.content_hash}.rows")
        self._read_by_line = array("I")
        self._skipped_by_line = array("I")
        self._quarantined: list[QuarantinedRow] = []
        self._cut_off_lines = {row.line_number for row in segment.quarantined}

    @property
    def may_grow(self) -> bool:
        """Whether more may come; a compressed file is finished."""
        return not self.segment.input_file.endswith(".gz")

    def count_line(self, read: int, skipped: int = 0) -> None:
        """Count what the next line gave."""
        self._read_by_line.append(read)
        self._skipped_by_line.append(skipped)

    def count_blank_line(self, number: int) -> None:
        """Count an empty line, unless it stands where one was cut off: that one is counted as quarantined."""
        is_blank = number not in self._cut_off_lines
        self.count_line(int(is_blank), int(is_blank))

    def settle(self, call: Call, *, repeats: bool) -> None:
        """Note that a call is decided; one that only repeats others is skipped."""
        self.last_settled_line = max(self.last_settled_line, call.line_number)
        self._skipped_by_line[call.line_number - self.segment.first_line_number] += repeats

    def refuse(self, number: int, reason: str, text: bytes) -> None:
        """Keep a line, or a span of it, aside."""
        self._quarantined.append(QuarantinedRow(self.segment.input_file, number, reason, masked(text)))

    def write(self, calls: Sequence[Call], hash_user: UserHasher) -> None:
        """Write calls as rows."""
        own = {"user_hash", "input_file"}
        columns: dict[str, list[object]] = {
            name: [getattr(call, name) for call in calls] for name in SPANS.schema.names if name not in own
        }
        columns["user_hash"] = [hash_user(call.user_id) for call in calls]
        columns["input_file"] = [self.segment.input_file] * len(calls)
        self._writer.write(columns)

    def end(self) -> None:
        """Hand over the rows and the counts of the lines that do not wait."""
        first = self.segment.first_line_number
        stop = self.wait_from or first + len(self._read_by_line) + 2
        cut_off = [row for row in self.segment.quarantined if (row.line_number or first) < stop]
        refused = [row for row in self._quarantined if (row.line_number or first) < stop]
        self._sink.count_read(
            SPANS,
            sum(self._read_by_line[: stop - first]) + len(cut_off),
            sum(self._skipped_by_line[: stop - first]),
        )
        self._sink.quarantine(SPANS, [*cut_off, *refused])
        if self.wait_from is None:
            self._writer.append(self.segment.content_hash, self.segment.input_file)
            return
        # The input has landed up to the line that waits: that is what the ledger must know it by.
        offset, digest = _prefix(self.segment, self.wait_from)
        if self.wait_from > first:
            self._writer.append(digest, self.segment.input_file)
        key = str(Path(self.segment.input_file).absolute())
        self._sink.ledger(SPANS)[key] = {"size": -1, "mtime_ns": -1, "bytes": offset, "sha256": digest}


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
        traces = TraceWindow(self._vocabulary, sink.pulled_at + LATEST_AHEAD, TRACE_WINDOW_SPANS)
        readings: list[_Reading] = []
        with without_cycle_collection():
            self._write(readings, self._read(sink, inputs, traces, readings))
            self._let_young_calls_wait(traces, readings, sink.pulled_at)
            self._write(readings, traces.settle_all())
        for reading in readings:
            reading.end()

    def _read(
        self, sink: PullSink, inputs: list[Path], traces: TraceWindow, readings: list[_Reading]
    ) -> Iterator[Settled]:
        """Read every new line; yield the traces that had to be settled to make room."""
        in_this_pull: set[str] = set()
        for segment in new_segments(sink, SPANS, inputs, max_line_bytes=MAX_LINE_BYTES):
            if segment.content_hash in in_this_pull or sink.already_landed(SPANS, segment.content_hash):
                continue
            in_this_pull.add(segment.content_hash)
            if segment.first_line_number > 1:
                self._look_at(traces, _lines_before(segment))
            owner, reading = len(readings), _Reading(sink, segment)
            readings.append(reading)
            for number, line in numbered_lines(segment):
                self._read_line(traces, owner, reading, number, line)
                yield from traces.settle_overflow()

    def _read_line(self, traces: TraceWindow, owner: int, reading: _Reading, number: int, line: bytes) -> None:
        text = line.strip()
        if not text:
            reading.count_blank_line(number)
            return
        try:
            spans = spans_of_line(text, self._vocabulary.attribute_names)
        except NotTracesError as error:
            reading.refuse(number, error.reason, text)
            reading.count_line(1)
            return
        if spans is None:
            reading.count_line(1, 1)
            return
        read, skipped = 0, 0
        for span in spans:
            read += 1
            try:
                skipped += not traces.add(span, number, owner)
            except BadSpanError as error:
                reading.refuse(number, error.reason, orjson.dumps(span.attributes))
        reading.count_line(read, skipped)

    def _look_at(self, traces: TraceWindow, lines: Iterable[bytes]) -> None:
        """Add spans that have landed already: they may be ancestors, or descendants, of new ones."""
        for line in lines:
            with suppress(NotTracesError):
                for span in spans_of_line(line, self._vocabulary.attribute_names) or ():
                    with suppress(BadSpanError):
                        traces.add(span, 0, NOT_OWNED)

    def _write(self, readings: list[_Reading], settled: Iterable[Settled]) -> None:
        """Write the calls that stand, and count those that repeat them."""
        rows: dict[int, list[Call]] = {}
        rows_count = 0
        for trace in settled:
            for call in trace.repeating:
                if call.owner != NOT_OWNED:
                    readings[call.owner].settle(call, repeats=True)
            for call in trace.standing:
                if call.owner != NOT_OWNED:
                    readings[call.owner].settle(call, repeats=False)
                    rows.setdefault(call.owner, []).append(call)
                    rows_count += 1
            if rows_count >= ROWS_AT_ONCE:
                for owner, calls in rows.items():
                    readings[owner].write(calls, self._hash_user)
                rows, rows_count = {}, 0
        for owner, calls in rows.items():
            readings[owner].write(calls, self._hash_user)

    def _let_young_calls_wait(self, traces: TraceWindow, readings: list[_Reading], pulled_at: datetime) -> None:
        """Leave the end of an input to the next pull, from the first call whose ancestors may still come."""
        now, settle = pulled_at.timestamp() * 1e6, self._config.settle_seconds * 1e6
        for call in traces.open_calls():
            # Far in the future is a wrong clock, not youth: waiting for it would hold the file back for days.
            if call.owner == NOT_OWNED or not -settle < call.ended_at - now < settle:
                continue
            reading = readings[call.owner]
            if reading.may_grow and call.line_number > reading.last_settled_line:
                reading.wait_from = min(call.line_number, reading.wait_from or call.line_number)
        for owner, reading in enumerate(readings):
            if reading.wait_from is not None:
                traces.disown(owner, reading.wait_from)
                log.info(
                    "source %s: %s from line %d on waits for the rest of its traces",
                    self._source_name,
                    reading.segment.input_file,
                    reading.wait_from,
                )

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


def _lines_before(segment: Segment) -> list[bytes]:
    """Return the end of what has landed of the same input: it may hold the rest of a trace."""
    offset, _ = _prefix(segment)
    with Path(segment.input_file).open("rb") as file:
        file.seek(max(0, offset - LOOK_BACK_BYTES))
        return file.read(offset - file.tell()).splitlines(keepends=True)


def _prefix(segment: Segment, line_number: int | None = None) -> tuple[int, str]:
    """Return length and SHA-256 of an input up to a line; up to the segment when none is given."""
    digest, offset = hashlib.sha256(), 0
    with Path(segment.input_file).open("rb") as file:
        for line in islice(file, (line_number or segment.first_line_number) - 1):
            digest.update(line)
            offset += len(line)
    return offset, digest.hexdigest()
