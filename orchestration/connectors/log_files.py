"""Log files as segments: what of a folder of growing, rotating, compressed files is new, and is it whole.

Belongs here: finding inputs, telling new bytes from known ones, cutting off what cannot be read. Does not belong here:
what a line means (`jsonl`, `otlp`).

A plain file is known by its first bytes: when they hash to what was landed under any name, only the tail is new, so a
log that grows or is renamed by rotation lands every byte once. A compressed file is known by the hash of the whole.
"""

from __future__ import annotations

import glob
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration.connectors.base import PullSink, QuarantinedRow, TableSpec
from orchestration.connectors.errors import ConnectorError

SUFFIXES = (".jsonl", ".ndjson", ".json", ".log")
MAX_LINE_BYTES = 8 * 1024 * 1024
_BLOCK_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Segment:
    """Whole lines of one input that have not landed before.

    Attributes:
        path: A plain file with just these lines; the input itself, or a copy in the pull's scratch folder.
        input_file: The input, for people.
        content_hash: SHA-256 of the bytes.
        line_count: Physical lines, blank ones included.
        first_line_number: Number of the first line in the input, where it is known; 1 for a whole file.
        quarantined: Lines of the input that were cut off.
    """

    path: Path
    input_file: str
    content_hash: str
    line_count: int
    first_line_number: int = 1
    quarantined: list[QuarantinedRow] = field(default_factory=list[QuarantinedRow])


def find_inputs(source_name: str, location: str, *, allow_empty: bool) -> list[Path]:
    """Return the files behind a path, a folder (searched through) or a glob, in the order of their names.

    Raises:
        ConnectorError: When there is nothing, unless `allow_empty`.
    """
    path = Path(location).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        names = [f"*{suffix}{packed}" for suffix in SUFFIXES for packed in ("", ".gz")]
        files = {file for name in names for file in path.rglob(name) if file.is_file()}
    else:
        files = {Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file()}  # noqa: PTH207
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
    sink: PullSink, table: TableSpec, inputs: list[Path], *, max_line_bytes: int = MAX_LINE_BYTES
) -> Iterator[Segment]:
    """Yield what of `inputs` has not landed, and note in the sink's ledger what will have landed then.

    Args:
        sink: The pull.
        table: The log; each has its own ledger.
        inputs: Files, in the order in which they are to be read.
        max_line_bytes: Longer lines are cut off; a log whose lines are batches needs more than the default.
    """
    ledger = sink.ledger(table)
    prefixes: dict[int, set[str]] = {}
    for note in ledger.values():
        if note["bytes"]:
            prefixes.setdefault(note["bytes"], set()).add(note["sha256"])
    for number, path in enumerate(inputs):
        status = path.stat()
        key = str(path.absolute())
        note = ledger.get(key)
        if note and (note["size"], note["mtime_ns"]) == (status.st_size, status.st_mtime_ns):
            continue
        scratch = sink.scratch / f"segment-{number}.jsonl"
        if path.suffix == ".gz":
            segment, landed = _unpacked(path, scratch, max_line_bytes)
        else:
            segment, landed = _plain(path, scratch, status.st_size, prefixes, max_line_bytes)
        ledger[key] = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, **landed}
        if segment and (segment.line_count or segment.quarantined):
            yield segment
            if segment.path == scratch:
                scratch.unlink(missing_ok=True)


def _plain(
    path: Path, scratch: Path, size: int, prefixes: dict[int, set[str]], max_line_bytes: int
) -> tuple[Segment | None, dict[str, Any]]:
    known_bytes, known_lines = 0, 0
    whole = hashlib.sha256()
    stops = sorted(stop for stop in prefixes if stop <= size)
    position, line_count, last_newline = 0, 0, 0
    hash_to_newline = whole.copy()
    longest_gap = False
    tail = hashlib.sha256()
    with path.open("rb") as handle:
        while position < size:
            upto = min([size - position, _BLOCK_BYTES, *(stop - position for stop in stops if stop > position)])
            block = handle.read(upto)
            if not block:
                break
            newline = block.rfind(b"\n")
            longest_gap = longest_gap or (newline < 0 and len(block) == _BLOCK_BYTES)
            if newline >= 0:
                hash_to_newline = whole.copy()
                hash_to_newline.update(block[: newline + 1])
                last_newline = position + newline + 1
            whole.update(block)
            tail.update(block)
            line_count += block.count(b"\n")
            position += len(block)
            if position in prefixes and whole.hexdigest() in prefixes[position]:
                known_bytes, known_lines, tail = position, line_count, hashlib.sha256()
    end, digest = position, whole.hexdigest()
    quarantined: list[QuarantinedRow] = []
    if last_newline < position:
        remainder = _read_range(path, max(last_newline, known_bytes), position, max_line_bytes)
        if remainder is not None and not _is_whole_object(remainder):
            # It may be completed later: it is not landed, so that the whole line is then new.
            end, digest = max(last_newline, known_bytes), hash_to_newline.hexdigest()
            quarantined.append(
                QuarantinedRow(str(path), line_count + 1, "incomplete_last_line", masked(remainder[:4096]))
            )
        else:
            line_count += 1
    landed = {"bytes": end, "sha256": digest}
    if end <= known_bytes:
        return (Segment(path, str(path), digest, 0, quarantined=quarantined) if quarantined else None), landed
    lines = line_count - known_lines
    if known_bytes == 0 and end == size and not longest_gap and path.stat().st_size == size:
        return Segment(path, str(path), digest, lines, 1, quarantined), landed
    # A copy of just the new bytes: they begin in the middle, end before a half-written line, or hold a giant line.
    content_hash, lines = _copy_range(path, known_bytes, end, scratch, known_lines + 1, quarantined, max_line_bytes)
    return Segment(scratch, str(path), content_hash, lines, known_lines + 1, quarantined), landed


def _unpacked(path: Path, scratch: Path, max_line_bytes: int) -> tuple[Segment | None, dict[str, Any]]:
    """Unpack a gzip file; of a broken one everything up to the break."""
    digest = hashlib.sha256()
    quarantined: list[QuarantinedRow] = []
    broken = False
    with path.open("rb") as packed, scratch.open("wb") as plain:
        unpacker = zlib.decompressobj(wbits=31)
        while block := packed.read(_BLOCK_BYTES // 4):
            digest.update(block)
            try:
                while block:
                    plain.write(unpacker.decompress(block))
                    block = unpacker.unused_data
                    if block:
                        unpacker = zlib.decompressobj(wbits=31)
            except zlib.error:
                broken = True
                break
        broken = broken or not unpacker.eof
    size = scratch.stat().st_size
    if broken and path.stat().st_size:
        keep, lines = _whole_lines(scratch)
        remainder = b"" if keep == size else _read_range(scratch, keep, size, 4096) or b""
        with scratch.open("r+b") as plain:
            plain.truncate(keep)
        quarantined.append(QuarantinedRow(str(path), lines + 1, "broken_gzip", masked(remainder)))
    trimmed = scratch.with_suffix(".trimmed")
    size = scratch.stat().st_size
    _, lines = _copy_range(scratch, 0, size, trimmed, 1, quarantined, max_line_bytes, input_file=str(path))
    trimmed.replace(scratch)
    landed = {"bytes": 0, "sha256": digest.hexdigest()}
    return Segment(scratch, str(path), digest.hexdigest(), lines, 1, quarantined), landed


def _copy_range(  # noqa: PLR0917
    path: Path,
    start: int,
    end: int,
    target: Path,
    first_line: int,
    quarantined: list[QuarantinedRow],
    max_line_bytes: int,
    input_file: str | None = None,
) -> tuple[str, int]:
    """Copy whole lines, without those too long for memory; return the hash of what was read and the lines kept.

    A line that is cut out leaves an empty line, so that the numbers of the others stay.
    """
    digest = hashlib.sha256()
    line_number, kept = first_line, 0
    with path.open("rb") as source, target.open("wb") as copy:
        source.seek(start)
        while source.tell() < end:
            line = source.readline(min(max_line_bytes, end - source.tell()))
            digest.update(line)
            is_too_long = not line.endswith(b"\n") and source.tell() < end
            if is_too_long:
                excerpt = line[:4096]
                while not line.endswith(b"\n") and source.tell() < end:
                    line = source.readline(min(max_line_bytes, end - source.tell()))
                    digest.update(line)
                quarantined.append(
                    QuarantinedRow(input_file or str(path), line_number, "line_too_long", masked(excerpt))
                )
                copy.write(b"\n")
            else:
                copy.write(line)
                kept += 1
            line_number += 1
    return digest.hexdigest(), kept


def _whole_lines(path: Path) -> tuple[int, int]:
    position, last_newline, lines = 0, 0, 0
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK_BYTES):
            newline = block.rfind(b"\n")
            if newline >= 0:
                last_newline = position + newline + 1
            lines += block.count(b"\n")
            position += len(block)
    return last_newline, lines


def _read_range(path: Path, start: int, end: int, limit: int) -> bytes | None:
    if end - start > limit:
        return None
    with path.open("rb") as handle:
        handle.seek(start)
        return handle.read(end - start)


def _is_whole_object(line: bytes) -> bool:
    import json  # noqa: PLC0415

    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def masked(line: bytes) -> str:
    """Return the start of a line with everything masked that could be content or a user id.

    Keys and punctuation stay, so that a person sees what is wrong with the shape.
    """
    shown: list[str] = []
    text = line[:4096].decode("utf-8", "replace")
    position = 0
    while position < len(text) and len(shown) < 200:
        character = text[position]
        if character == '"':
            end = position + 1
            while end < len(text) and text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            following = text[end + 1 : end + 3].lstrip()
            is_key = end < len(text) and following.startswith(":")
            shown.append(text[position : end + 1] if is_key and end - position < 40 else '"…"')
            position = end + 1
        elif character in "{}[]:, \t\r\n":
            shown.append(character)
            position += 1
        else:
            while position < len(text) and text[position] not in '"{}[]:, \t\r\n':
                position += 1
            shown.append("…")
    return "".join(shown)[:200].strip()
