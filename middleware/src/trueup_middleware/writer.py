"""Lines on their way to a file: whole, in order, in the background, and never in the way of a call.

Belongs here: the bounded queue, the file that grows and is replaced by the next, counting what is lost. Does not
belong here: what a line says (`record`), and what outlives the process (`journal`).

Each process appends to a file of its own, so lines never mix, and a rotated file keeps its name, so a reader that
remembers how far it has read is never wrong.
"""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from trueup_middleware.journal import Journal, recover

_log = logging.getLogger(__name__)

_WARN_EVERY_SECONDS: Final = 60.0
_EXIT_TIMEOUT_SECONDS: Final = 5.0

_LOOK_FOR_THE_DEAD_SECONDS: Final = 60.0


class Slot(NamedTuple):
    """Where a line is kept until it is in a file; of the journal of the process that it was taken in."""

    journal: Journal
    number: int

    def keep(self, line: bytes) -> None:
        """Keep the line of a call that has ended."""
        self.journal.end(self.number, line)

    def free(self) -> None:
        """Keep it no longer."""
        self.journal.free(self.number)


@dataclass(frozen=True, slots=True)
class WriterCounts:
    """What became of the lines that were handed over; `recovered` are those that dead processes left, and written."""

    written: int
    dropped: int
    queued: int
    recovered: int


class _Entry(NamedTuple):
    line: bytes
    slot: Slot | None


class _Mark:
    """Reached when everything before it is written."""

    def __init__(self) -> None:
        self.reached = threading.Event()


class LineWriter:
    """Appends lines to files of a folder from a thread of its own.

    Nothing of it raises: what cannot be written is dropped, counted, and warned of once a minute.
    """

    def __init__(
        self,
        folder: Path,
        *,
        most_queued: int = 10_000,
        flush_seconds: float = 0.2,
        most_file_bytes: int = 64 * 1024 * 1024,
        most_file_seconds: float = 3600.0,
        is_journalled: bool = True,
    ) -> None:
        """Nothing is opened before the first line.

        Args:
            folder: Where the files go; made when it is missing.
            most_queued: Lines that may wait; one more is dropped.
            flush_seconds: How long a line may wait for others to be written with.
            most_file_bytes: Size at which the next file begins.
            most_file_seconds: Age at which the next file begins.
            is_journalled: Keep what is under way where a killed process leaves it for the next.
        """
        self._folder = folder
        self._most_queued = most_queued
        self._flush_seconds = flush_seconds
        self._most_file_bytes = most_file_bytes
        self._most_file_seconds = most_file_seconds
        self._is_journalled = is_journalled
        self.chores: list[Callable[[], None]] = []
        """What else its thread may do when it wakes, at least a second apart: none of it in the way of a call."""
        self.errands: list[Callable[[], None]] = []
        """What its thread does before it writes what has gathered, and so forgets what a kill would have left."""
        self.heirs: list[Callable[[list[bytes]], None]] = []
        """Who else is told of the lines that dead processes left."""
        self._starting = threading.Lock()
        self._fresh()
        _writers.add(self)
        atexit.register(_close_if_alive, weakref.ref(self))

    def _fresh(self) -> None:
        # SimpleQueue, because its put may run inside a put: a stream that is garbage ends its call wherever it is.
        self._queue: SimpleQueue[_Entry | _Mark] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._hurry = threading.Event()
        self._is_closed = False
        self._written = 0
        self._dropped = 0
        self._recovered = 0
        self._journal: Journal | None = None
        self._has_tried_journal = not self._is_journalled
        self._looked_for_dead_at = -_LOOK_FOR_THE_DEAD_SECONDS
        self._did_chores_at = 0.0
        self._warned_at = -_WARN_EVERY_SECONDS
        self._file: int | None = None
        self._file_bytes = 0
        self._file_opened_at = 0.0

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._folder

    def counts(self) -> WriterCounts:
        """Return what became of the lines so far."""
        return WriterCounts(self._written, self._dropped, self._queue.qsize(), self._recovered)

    def reserve(self, line: bytes) -> Slot | None:
        """Keep the line that holds if the process dies before its call ends; None where it cannot be kept."""
        journal = self._journal if self._has_tried_journal else self._open_journal()
        if journal is None or self._is_closed:
            return None
        number = journal.begin(line)
        if journal.is_filling:
            self._hurry.set()
        return None if number is None else Slot(journal, number)

    def put(self, line: bytes, slot: Slot | None = None) -> bool:
        """Take a line, newline included, and what was reserved for it; tell whether it was taken. Never waits."""
        if self._is_closed or self._queue.qsize() >= self._most_queued:
            self._lose(1, "the queue is full" if not self._is_closed else "the writer is closed")
            if slot is not None:
                slot.free()
            return False
        if slot is None:
            slot = self.reserve(line)
        else:
            slot.keep(line)
        self._queue.put(_Entry(line, slot))
        if self._thread is None:
            self._start()
        return True

    def flush(self, timeout_seconds: float = _EXIT_TIMEOUT_SECONDS) -> bool:
        """Wait until everything that was put is in the file; tell whether it is."""
        if self._thread is None and not self._queue.empty():
            self._start()
        if self._thread is None:
            return self._queue.empty()
        mark = _Mark()
        self._queue.put(mark)
        self._hurry.set()
        return mark.reached.wait(timeout_seconds)

    def close(self, timeout_seconds: float = _EXIT_TIMEOUT_SECONDS) -> bool:
        """Write what is queued and take nothing more; tell whether all of it is written."""
        self._is_closed = True
        is_written = self.flush(timeout_seconds)
        if is_written and self._journal is not None:
            self._journal.close()
        return is_written

    def _open_journal(self) -> Journal | None:
        if self._starting.acquire(blocking=False):
            try:
                if not self._has_tried_journal:
                    self._journal = Journal(self._folder)
            except (OSError, ValueError) as error:
                self._warn(f"no journal, calls that a kill interrupts are lost: {error}")
            finally:
                self._has_tried_journal = True
                self._starting.release()
        return self._journal

    def _start(self) -> None:
        if not self._starting.acquire(blocking=False):
            return  # another thread is at it
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="trueup-writer", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError as error:  # the interpreter is shutting down, or there are no more threads
            self._warn(f"no thread: {error}")
        finally:
            self._starting.release()

    def _run(self) -> None:
        queue, hurry = self._queue, self._hurry
        while True:
            self._do_chores()
            first = queue.get()
            if not isinstance(first, _Mark):
                hurry.wait(self._flush_seconds)
            hurry.clear()
            batch = [first]
            while len(batch) < self._most_queued:
                try:
                    batch.append(queue.get_nowait())
                except Empty:
                    break
            else:
                hurry.set()  # there is more, and somebody may wait for it
            self._write_batch(batch)

    def _write_batch(self, batch: list[_Entry | _Mark]) -> None:
        self._do(self.errands)
        entries = [entry for entry in batch if isinstance(entry, _Entry)]
        try:
            if entries:
                self._write(b"".join(entry.line for entry in entries), len(entries))
        except Exception as error:  # the thread must live, whatever happens
            self._lose(len(entries), f"{type(error).__name__}: {error}")
        for item in batch:
            if isinstance(item, _Mark):
                item.reached.set()
            elif item.slot is not None:
                item.slot.free()

    def _do_chores(self) -> None:
        now = time.monotonic()
        if self._is_journalled and now - self._looked_for_dead_at >= _LOOK_FOR_THE_DEAD_SECONDS:
            self._looked_for_dead_at = now
            self._do([self._recover])
        if now - self._did_chores_at >= 1:
            self._did_chores_at = now
            self._do(self.chores)

    def _do(self, works: Iterable[Callable[[], None]]) -> None:
        for work in works:
            try:
                work()
            except Exception as error:  # the thread must live, whatever lies there
                self._warn(f"{type(error).__name__}: {error}")

    def _recover(self) -> None:
        self._recovered += recover(self._folder, self._write_recovered)

    def _write_recovered(self, lines: list[bytes]) -> bool:
        dropped_before = self._dropped
        self._do([partial(heir, lines) for heir in self.heirs])
        self._write(b"".join(lines), len(lines))
        return self._dropped == dropped_before

    def _write(self, lines: bytes, count: int) -> None:
        for is_last_try in (False, True):
            try:
                self._append(lines)
            except OSError as error:
                self._close_file()
                if is_last_try:
                    self._lose(count, f"{type(error).__name__}: {error.strerror}")
            else:
                self._written += count
                return

    def _append(self, lines: bytes) -> None:
        now = time.monotonic()
        is_full = self._file_bytes and self._file_bytes + len(lines) > self._most_file_bytes
        if is_full or now - self._file_opened_at > self._most_file_seconds:
            self._close_file()
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
            path = self._folder / f"llm-requests-{moment}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o640)
            self._file_bytes, self._file_opened_at = 0, now
        written = 0
        try:
            while written < len(lines):
                written += os.write(self._file, lines[written:])
        except OSError:
            os.ftruncate(self._file, self._file_bytes)  # no half line stays
            raise
        self._file_bytes += written

    def _close_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            try:
                os.close(file)
            except OSError as error:
                self._warn(f"close: {error.strerror}")

    def _lose(self, count: int, reason: str) -> None:
        self._dropped += count
        self._warn(f"{self._dropped} lines dropped so far, {reason}")

    def _warn(self, what: str) -> None:
        now = time.monotonic()
        if now - self._warned_at >= _WARN_EVERY_SECONDS:
            self._warned_at = now
            _log.warning("llm.request log in %s: %s", self._folder, what)

    def _after_fork(self) -> None:
        """Begin anew in a child: the thread, the queue and the file are the parent's."""
        file, journal = self._file, self._journal
        self._starting = threading.Lock()
        self._fresh()
        if file is not None:
            os.close(file)
        if journal is not None:
            journal.forsake()


_writers: weakref.WeakSet[LineWriter] = weakref.WeakSet()


def _close_if_alive(reference: weakref.ref[LineWriter]) -> None:
    writer = reference()
    if writer is not None:
        writer.close()


def _reopen_in_child() -> None:
    for writer in list(_writers):
        writer._after_fork()  # pyright: ignore[reportPrivateUsage]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reopen_in_child)
