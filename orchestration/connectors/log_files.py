"""Log files as segments: what of a folder of growing, rotating, compressed files is new, and is it whole.

Belongs here: finding inputs, telling new bytes from known ones, cutting off what cannot be read. Does not
belong here: what a line means (`jsonl`, `otlp`).

A file is known by its content: when its first bytes hash to what has landed under any name, only the rest is
new. So a log that grows, is renamed by rotation, or is compressed after it, lands every byte once.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from orchestration.connectors.base import PullSink, QuarantinedRow, TableSpec
from orchestration.connectors.errors import ConnectorError

MAX_LINE_BYTES = 8 * 1024 * 1024
"""A longer line is never held in memory: it goes to quarantine as `line_too_long`."""

# `app.log`, `app.jsonl.gz`, and what rotation makes of them: `app.log.1`, `app.log-20261101.gz`.
_LOG_NAME = re.compile(r".+\.(jsonl|ndjson|json|log)([._-]\d[\dTZ._:-]*)?(\.gz)?", re.IGNORECASE)
LINE_TOO_LONG = "line_too_long"

_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK_BYTES = 4 * 1024 * 1024
_PACKED_BLOCK_BYTES = 64 * 1024
_EXCERPT_BYTES = 1000
_EXCERPT_CHARACTERS = 200


@dataclass(frozen=True)
class Segment:
    """Whole lines of one input that have not landed before.

    Attributes:
        path: A plain file with just these lines; the input itself, or a copy in the pull's scratch folder. The
            input itself may grow while it is read: no more than `byte_count` bytes of it count.
        input_file: The input, for people.
        content_hash: SHA-256 of the lines, of the whole input when all of it is new.
        line_count: Physical lines to be read, blank ones included. In a copy, an empty line stands where a line was
            cut off; that one is not counted.
        byte_count: Length of the lines in `path`.
        first_line_number: Number of the first line in the input; 1 when the whole of it is new.
        quarantined: Lines of the input that were cut off.
    """

    path: Path
    input_file: str
    content_hash: str
    line_count: int
    byte_count: int = 0
    first_line_number: int = 1
    quarantined: list[QuarantinedRow] = field(default_factory=list[QuarantinedRow])

    @property
    def is_copy(self) -> bool:
        """Whether `path` holds exactly the segment and nobody else writes to it."""
        return str(self.path) != self.input_file

    @property
    def cut_out_count(self) -> int:
        """Lines for which `path` has an empty one."""
        return sum(row.reason == LINE_TOO_LONG for row in self.quarantined)

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of `path` that belong to the segment, newlines kept."""
        left = self.byte_count
        with self.path.open("rb") as file:
            for line in file:
                if not left:
                    return
                yield line[:left]
                left -= len(line[:left])


def find_inputs(source_name: str, location: str, *, allow_empty: bool) -> list[Path]:
    """Return the files behind a path, a folder (searched through) or a glob, in the order of their names.

    Raises:
        ConnectorError: When there is nothing, unless `allow_empty`.
    """
    path = Path(location).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        files = {
            Path(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
            if _LOG_NAME.fullmatch(name) and not name.startswith(".")
        }
    else:
        files = {Path(name) for name in glob.glob(str(path), recursive=True)}  # noqa: PTH207
    files = {file for file in files if file.is_file()}
    if not files and not allow_empty:
        kind = "the folder holds no log file" if path.is_dir() else "no such file, folder or match"
        raise ConnectorError(
            source_name,
            kind,
            request=str(path),
            do="check `path` in the source's YAML, or set `allow_empty: true` when nothing may be there yet",
        )
    return sorted(files)


def new_segments(
    sink: PullSink, table: TableSpec, inputs: Sequence[Path], *, max_line_bytes: int = MAX_LINE_BYTES
) -> Iterator[Segment]:
    """Yield what of `inputs` has not landed, and note in the sink's ledger what will have landed then.

    A segment's copy is removed when the next segment is asked for.

    Args:
        sink: The pull.
        table: The log; each has its own ledger.
        inputs: Files, in the order in which they are to be read.
        max_line_bytes: Longer lines are cut out; a log whose lines are batches needs more than the default.
    """
    groups = new_segment_groups(sink, table, inputs, max_files=1, max_bytes=0, max_line_bytes=max_line_bytes)
    for group in groups:
        yield from group


def new_segment_groups(
    sink: PullSink,
    table: TableSpec,
    inputs: Sequence[Path],
    *,
    max_files: int,
    max_bytes: int,
    max_line_bytes: int = MAX_LINE_BYTES,
) -> Iterator[list[Segment]]:
    """Yield the same segments in groups, for readers to whom one file after another is too dear.

    A group ends after `max_files` segments, or with the one that takes it to `max_bytes`.
    """
    ledger = sink.ledger(table)
    landed_before = _Prefixes(ledger.values())
    group: list[Segment] = []
    group_bytes = 0
    for number, path in enumerate(inputs):
        try:
            scratch = sink.scratch / f"segment-{number}.jsonl"
            segment = _new_segment(path, ledger, landed_before, scratch, max_line_bytes)
        except FileNotFoundError:
            # Rotation has renamed it since it was found; the next pull finds it under its new name.
            continue
        except OSError as error:
            raise ConnectorError(
                sink.source_name, "an input cannot be read", request=str(path), answered=str(error)
            ) from error
        if segment is None:
            continue
        group.append(segment)
        group_bytes += segment.path.stat().st_size
        if len(group) >= max_files or group_bytes >= max_bytes:
            yield group
            _remove_copies(group)
            group, group_bytes = [], 0
    if group:
        yield group
        _remove_copies(group)


def json_object(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a line is; None when it is something else."""
    try:
        value = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def masked(line: bytes, known_keys: frozenset[str] | None = None) -> str:
    """Return the start of a line with everything masked that could be content or a user id.

    Keys and punctuation stay, so that a person sees what is wrong with the shape.

    Args:
        line: The line; its first 1,000 bytes are looked at.
        known_keys: The only keys to show; None shows all that look like the name of a field.
    """

    def mask(token: re.Match[str]) -> str:
        key, colon = token["key"], token["colon"]
        if colon is None:
            return '"…"' if token["string"] else "…"
        is_shown = key in known_keys if known_keys is not None else bool(_KEY.fullmatch(key))
        return f'"{key if is_shown else "…"}"{colon}'

    text = line[:_EXCERPT_BYTES].decode("utf-8", "replace")
    return _TOKEN.sub(mask, text)[:_EXCERPT_CHARACTERS].strip()


_TOKEN = re.compile(r'(?P<string>"(?P<key>(?:[^"\\]|\\.)*)(?:"(?P<colon>\s*:)?|\\?\Z))|[^\s{}\[\]:,"]+', re.DOTALL)
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}")


class _Prefixes:
    """Beginnings of inputs that have landed: length in bytes → SHA-256 of that many bytes."""

    def __init__(self, notes: Iterable[Mapping[str, Any]]) -> None:
        self.hashes: dict[int, set[str]] = {}
        for note in notes:
            if note["bytes"]:
                self.hashes.setdefault(note["bytes"], set()).add(note["sha256"])
        self.lengths = sorted(self.hashes)


@dataclass
class _Scan:
    """What one reading of a plain file found. Offsets are bytes; `known` is the beginning that has landed."""

    size: int = 0
    newline_count: int = 0
    sha256: str = ""
    known_bytes: int = 0
    known_newlines: int = 0
    known_sha256: str = ""
    longest_line: int = 0
    last_line_start: int = 0
    sha256_to_last_line: str = ""


def _new_segment(
    path: Path, ledger: dict[str, Any], landed_before: _Prefixes, scratch: Path, max_line_bytes: int
) -> Segment | None:
    status = path.stat()
    key = str(path.absolute())
    note: Mapping[str, Any] = ledger.get(key, {})
    if (note.get("size"), note.get("mtime_ns")) == (status.st_size, status.st_mtime_ns):
        return None
    plain, is_broken = path, False
    with path.open("rb") as file:
        is_packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    if is_packed:
        plain = scratch.with_suffix(".unpacked")
        is_broken = _unpack(path, plain)
    size = plain.stat().st_size if is_packed else status.st_size
    scan = _scan(plain, size, landed_before)
    end, digest, line_count, quarantined = _whole_lines(plain, path, scan, max_line_bytes, is_broken=is_broken)
    ledger[key] = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "bytes": end, "sha256": digest}
    start, known_lines = _after_line_end(plain, scan)
    line_count -= known_lines
    if end <= start:
        _remove(plain, unless=path)
        if not quarantined:
            return None
        return Segment(path, str(path), digest, 0, first_line_number=known_lines + 1, quarantined=quarantined)
    if start == 0 and end == size and scan.longest_line <= max_line_bytes:
        return Segment(plain, str(path), digest, line_count, end, quarantined=quarantined)
    # The new lines begin in the middle, end before a half-written one, or one of them is a giant.
    digest, giants = _copy_lines(plain, start, end, scratch, max_line_bytes)
    _remove(plain, unless=path)
    cut_out = [QuarantinedRow(str(path), known_lines + number, LINE_TOO_LONG, excerpt) for number, excerpt in giants]
    return Segment(
        path=scratch,
        input_file=str(path),
        content_hash=digest,
        line_count=line_count - len(giants),
        byte_count=scratch.stat().st_size,
        first_line_number=known_lines + 1,
        quarantined=[*cut_out, *quarantined],
    )


def _scan(path: Path, size: int, landed_before: _Prefixes) -> _Scan:
    """Read the first `size` bytes of a file, once and in blocks."""
    found = _Scan()
    digest = hashlib.sha256()
    # The last block with a newline and the digest before it: enough to hash up to the last line afterwards.
    digest_before, last_block = digest.copy(), b""
    stops = iter([length for length in landed_before.lengths if length <= size])
    stop = next(stops, 0)
    longest = unbroken = 0
    with path.open("rb") as file:
        while found.size < size:
            upto = min(size, found.size + _BLOCK_BYTES, stop or size)
            block = file.read(upto - found.size)
            if not block:
                break
            newline = block.rfind(b"\n")
            if newline >= 0:
                digest_before, last_block = digest.copy(), block[: newline + 1]
                longest = max(longest, unbroken + block.find(b"\n"))
                unbroken = len(block) - newline - 1
                found.last_line_start = found.size + newline + 1
            else:
                unbroken += len(block)
            digest.update(block)
            found.newline_count += block.count(b"\n")
            found.size += len(block)
            if found.size == stop:
                if digest.hexdigest() in landed_before.hashes[stop]:
                    found.known_bytes, found.known_newlines = found.size, found.newline_count
                    found.known_sha256 = digest.hexdigest()
                stop = next(stops, 0)
    digest_before.update(last_block)
    found.sha256, found.sha256_to_last_line = digest.hexdigest(), digest_before.hexdigest()
    found.longest_line = max(longest, unbroken)
    return found


def _whole_lines(
    plain: Path, path: Path, scan: _Scan, max_line_bytes: int, *, is_broken: bool
) -> tuple[int, str, int, list[QuarantinedRow]]:
    """Return where the last whole line ends, the hash and the lines up to there, and the line that is not whole."""
    last_line_start = max(scan.last_line_start, scan.known_bytes)
    has_rest = last_line_start < scan.size
    if not is_broken and (not has_rest or _is_whole_line(plain, last_line_start, scan.size, max_line_bytes)):
        return scan.size, scan.sha256, scan.newline_count + has_rest, []
    # It may be completed later. What has landed ends before it, so that the whole line is new then.
    reason = "broken_gzip" if is_broken else "incomplete_last_line"
    excerpt = masked(_read_range(plain, last_line_start, min(scan.size, last_line_start + _EXCERPT_BYTES)))
    rest = QuarantinedRow(str(path), scan.newline_count + 1, reason, excerpt)
    digest = scan.known_sha256 if scan.known_bytes > scan.last_line_start else scan.sha256_to_last_line
    return last_line_start, digest, scan.newline_count, [rest]


def _after_line_end(plain: Path, scan: _Scan) -> tuple[int, int]:
    """Return where what is new begins, and how many lines are before it.

    A line can land before its newline is written. The newline then belongs to it, and is no empty line.
    """
    if scan.known_bytes:
        with plain.open("rb") as file:
            file.seek(scan.known_bytes - 1)
            around = file.read(3)
        line_end = next((end for end in (b"\n", b"\r\n") if around[1:].startswith(end)), None)
        if around[:1] != b"\n" and line_end:
            return scan.known_bytes + len(line_end), scan.known_newlines + 1
    return scan.known_bytes, scan.known_newlines


def _copy_lines(
    path: Path, start: int, end: int, target: Path, max_line_bytes: int
) -> tuple[str, list[tuple[int, str]]]:
    """Copy a range of a file; each line that is too long for memory becomes an empty line.

    Returns:
        The SHA-256 of the range, and the number within it (from 1) and a masked excerpt of each giant line.
    """
    digest = hashlib.sha256()
    giants: list[tuple[int, str]] = []
    line_number = 0
    with path.open("rb") as source, target.open("wb") as copy:
        source.seek(start)
        while start < end:
            line_number += 1
            line = source.readline(min(max_line_bytes, end - start))
            digest.update(line)
            start += len(line)
            if line.endswith(b"\n") or start >= end or not line:
                copy.write(line)
                if not line:
                    break
                continue
            giants.append((line_number, masked(line)))
            while not line.endswith(b"\n") and start < end:
                line = source.readline(min(max_line_bytes, end - start))
                digest.update(line)
                start += len(line)
            copy.write(b"\n")
    return digest.hexdigest(), giants


def _unpack(path: Path, target: Path) -> bool:
    """Unpack a gzip file, of a broken one everything before the break; return whether it is broken."""
    with path.open("rb") as packed, target.open("wb") as plain:
        unpacker = _Unpacker(plain)
        while block := packed.read(_PACKED_BLOCK_BYTES):
            before, written = unpacker.copy(), plain.tell()
            try:
                unpacker.feed(block)
            except zlib.error:
                plain.seek(written)
                plain.truncate()
                with suppress(zlib.error):
                    for position in range(len(block)):
                        before.feed(block[position : position + 1])
                return True
        return not unpacker.is_at_end


class _Unpacker:
    """A gzip stream, of one member or several, written out in pieces of bounded size."""

    def __init__(self, plain: BinaryIO, member: Any = None) -> None:
        self._plain = plain
        self._member = member or zlib.decompressobj(wbits=31)

    @property
    def is_at_end(self) -> bool:
        """Whether a member has ended, checksum and all, and no other has begun."""
        return bool(self._member.eof)

    def copy(self) -> _Unpacker:
        """Return an unpacker in the same state, onto the same file."""
        return _Unpacker(self._plain, self._member if self._member.eof else self._member.copy())

    def feed(self, block: bytes) -> None:
        """Write out what a block holds.

        Raises:
            zlib.error: The stream is broken; what came before the break may have been written.
        """
        while block:
            if self._member.eof:
                # Zeros after a member are padding.
                block = block.lstrip(b"\0")
                if not block:
                    return
                self._member = zlib.decompressobj(wbits=31)
            self._plain.write(self._member.decompress(block, _BLOCK_BYTES))
            while self._member.unconsumed_tail and not self._member.eof:
                self._plain.write(self._member.decompress(self._member.unconsumed_tail, _BLOCK_BYTES))
            block = self._member.unused_data


def _is_whole_line(path: Path, start: int, end: int, max_line_bytes: int) -> bool:
    """Tell whether the end of a file, which has no newline, is a JSON object or empty."""
    if end - start > max_line_bytes:
        return False
    line = _read_range(path, start, end)
    return not line.strip() or json_object(line) is not None


def _read_range(path: Path, start: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(end - start)


def _remove_copies(segments: Iterable[Segment]) -> None:
    for segment in segments:
        if segment.is_copy:
            segment.path.unlink(missing_ok=True)


def _remove(path: Path, *, unless: Path) -> None:
    if path != unless:
        path.unlink()
