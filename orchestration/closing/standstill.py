"""A moment at which no source is being pulled, so that what is known at it is known for good.

Belongs here: finding that moment. Does not belong here: pulling.

A pull counts from the moment at which it began and becomes visible when it ends. A month that is closed in between
would not see it, and a replay would.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from orchestration.closing.errors import ClosingError
from orchestration.landing.commit import is_committed


@contextmanager
def standstill(landing: Path, now: Callable[[], datetime]) -> Generator[datetime]:
    """Keep every source from being pulled, and give the moment of `now`: pulls that begin later are known later.

    Raises:
        ClosingError: When a source is being pulled, or a pull that was killed waits for being finished.
    """
    with ExitStack() as held:
        for path in sorted((landing / "_locks").glob("*.lock")):
            handle = held.enter_context(path.open("w"))
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ClosingError(f"the source {path.stem} is being pulled; wait for it to end") from None
        if unfinished := [path for path in sorted((landing / "_staging").glob("*/*")) if is_committed(path)]:
            source = unfinished[0].parent.name
            raise ClosingError(f"a pull of the source {source} was killed half-way; `trueup run` finishes it")
        yield now().astimezone(UTC)
