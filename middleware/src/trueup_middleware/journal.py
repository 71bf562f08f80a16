"""Calls that are under way, in shared memory that outlives the process: what it was doing when it was killed.

Belongs here: slots for lines that are not yet in the log, and finding those that a dead process left. Does not belong
here: the log itself (`writer`).

A journal is a file of fixed slots, mapped into memory, so that taking a slot costs a copy and no system call, and the
kernel keeps it when the process dies (not when the machine does). Each slot has two halves: what is known when a call
begins, and its line when it has ended; one byte says which counts. The lock on the file dies with its process; a file
without one belongs to the dead.
"""

from __future__ import annotations

import logging
import mmap
import os
import secrets
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # not POSIX: a killed process loses the calls that were under way
    fcntl = None

_log = logging.getLogger(__name__)

SUFFIX: Final = ".journal"

_SLOTS: Final = 512
_SLOT_BYTES: Final = 4096
_HALF_BYTES: Final = (_SLOT_BYTES - 8) // 2
_FREE, _BEGUN, _ENDED = 0, 1, 2
_HEADER: Final = struct.Struct("<II")
MOST_LINE_BYTES: Final = _HALF_BYTES - _HEADER.size


class Journal:
    """The calls of one process that are under way, at most 512 of them; a call beyond that is not journalled."""

    def __init__(self, folder: Path) -> None:
        """Make the file.

        Raises:
            OSError: It cannot be made, or this system has no such locks.
        """
        if fcntl is None:
            raise OSError("no file locks on this system")
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._path = folder / f"{name}{SUFFIX}"
        unlocked = folder / f"{name}{SUFFIX}.new"
        self._file = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._file, _SLOTS * _SLOT_BYTES)
            self._memory = mmap.mmap(self._file, _SLOTS * _SLOT_BYTES)
            unlocked.rename(self._path)  # with its lock on it, so that nobody takes it for a dead one's
        except OSError:
            os.close(self._file)
            unlocked.unlink(missing_ok=True)
            raise
        # The last one freed is the next one taken: pages that are warm, and few of them.
        self._free = list(range(_SLOTS - 1, -1, -1))
        self._is_open = True

    @property
    def is_filling(self) -> bool:
        """Whether half of the slots are taken."""
        return len(self._free) < _SLOTS // 2

    def begin(self, line: bytes) -> int | None:
        """Keep the line that holds if the process dies now; return its slot, None when there is none for it."""
        if not self._is_open or len(line) > MOST_LINE_BYTES:
            return None
        try:
            slot = self._free.pop()
        except IndexError:
            return None
        self._put(slot, _BEGUN, line)
        return slot

    def end(self, slot: int, line: bytes) -> None:
        """Keep the line of a call that has ended; one that is too long leaves what was known at its beginning."""
        if self._is_open and len(line) <= MOST_LINE_BYTES:
            self._put(slot, _ENDED, line)

    def free(self, slot: int) -> None:
        """Forget a line: it is in the log."""
        if self._is_open and self._memory[slot * _SLOT_BYTES] != _FREE:
            self._memory[slot * _SLOT_BYTES] = _FREE
            self._free.append(slot)

    def close(self) -> None:
        """Remove the file, unless a call is still under way: then whoever comes next finds it."""
        if self._is_open:
            self._is_open = False
            is_empty = len(self._free) == _SLOTS
            self._memory.close()
            if is_empty:
                self._path.unlink(missing_ok=True)
            os.close(self._file)

    def forsake(self) -> None:
        """Let go of it in a child process: it is the parent's."""
        if self._is_open:
            self._is_open = False
            self._memory.close()
            os.close(self._file)

    def _put(self, slot: int, half: int, line: bytes) -> None:
        start = slot * _SLOT_BYTES
        at = start + 8 + (half - 1) * _HALF_BYTES
        self._memory[at : at + _HEADER.size + len(line)] = _HEADER.pack(len(line), zlib.crc32(line)) + line
        self._memory[start] = half  # one byte, last: a reader sees all of a line or none


def recover(folder: Path, put: Callable[[list[bytes]], bool]) -> int:
    """Hand over the lines that dead processes left in a folder, and remove their journals; return how many.

    Args:
        folder: Where journals are.
        put: Takes the lines of one journal, and tells whether they are safe: then the journal goes. A process that dies
            between the two leaves lines that are handed over again, under the same request ids.
    """
    if fcntl is None or not folder.is_dir():
        return 0
    found = 0
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            file = os.open(path, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not path.exists():  # another process was faster
                continue
            lines = list(_lines(os.pread(file, _SLOTS * _SLOT_BYTES, 0)))
            if not lines or put(lines):
                path.unlink(missing_ok=True)
                found += len(lines)
        except BlockingIOError:
            continue  # its process lives
        except OSError as error:
            _log.warning("the journal %s cannot be read: %s", path, error.strerror)
        finally:
            os.close(file)
    return found


def _lines(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content) - _SLOT_BYTES + 1, _SLOT_BYTES):
        half = content[start]
        if half in (_BEGUN, _ENDED):
            at = start + 8 + (half - 1) * _HALF_BYTES
            length, checksum = _HEADER.unpack_from(content, at)
            line = content[at + _HEADER.size : at + _HEADER.size + length]
            if zlib.crc32(line) == checksum:
                yield line
