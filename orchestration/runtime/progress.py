"""Telling whoever watches how far a run is.

Belongs here: one place to report to, and one to listen at. Does not belong here: drawing (see `terminal`).
"""

from __future__ import annotations

from collections.abc import Callable

ProgressListener = Callable[[str, str], None]
"""Called with what happened (`NodeStart`, `LogBatchResult`, `NodeFinished`) and what it happened to."""

_listeners: list[ProgressListener] = []


def listen(listener: ProgressListener) -> Callable[[], None]:
    """Call `listener` for everything that is reported in this process; return a function that stops it."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def report(event: str, subject: str) -> None:
    """Report that something happened; free of charge when nobody listens."""
    for listener in _listeners:
        listener(event, subject)
