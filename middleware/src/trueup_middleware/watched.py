"""A published file that is read again when it has changed.

Belongs here: noticing. Does not belong here: what the file says.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

_log = logging.getLogger("trueup.middleware")

T = TypeVar("T")


class WatchedFile(Generic[T]):
    """What a file says, at most `refresh_seconds` old.

    A file that is missing or cannot be read leaves what was known before: a mistake in publishing must not stop
    the calls of an application, nor open what was closed.

    Args:
        path: The file; whoever publishes it replaces it whole.
        parse: Reads its content; anything that it raises counts as unreadable.
        initial: What is known before the file is there.
        refresh_seconds: How often it is looked at (one `stat`).
        monotonic: The clock of that.
    """

    def __init__(
        self,
        path: Path,
        parse: Callable[[bytes], T],
        initial: T,
        *,
        refresh_seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._parse = parse
        self._value = initial
        self._refresh_seconds = refresh_seconds
        self._monotonic = monotonic
        self._next_look = float("-inf")
        self._seen: tuple[int, int, int] | None = None
        self._lock = threading.Lock()
        self.errors_count = 0
        """How often the file was there and could not be used."""

    def current(self) -> T:
        """Return what the file says; never raises."""
        if self._monotonic() >= self._next_look and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._next_look = self._monotonic() + self._refresh_seconds
                self._lock.release()
        return self._value

    def _look(self) -> None:
        try:
            with self._path.open("rb") as file:
                # Of the open file, so that what is noted and what is read are one version.
                status = os.fstat(file.fileno())
                seen = (status.st_ino, status.st_mtime_ns, status.st_size)
                if seen != self._seen:
                    self._seen = seen
                    self._value = self._parse(file.read())
        except FileNotFoundError:
            return
        except Exception as error:
            self.errors_count += 1
            _log.warning("%s cannot be used, the last good version stays: %s", self._path, error)
