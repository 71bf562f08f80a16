"""The landing zone as connectors and readers meet it: one folder, one lock a source, pulls that begin and end.

Belongs here: opening a pull, giving it a number that sorts after every earlier one, and clearing up what a dead
process left. Does not belong here: what a pull is made of (`pull`), how it becomes visible (`commit`), and reading
sources (the connectors).
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import secrets
import shutil
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestration.connectors.base import Connector, Window
from orchestration.landing.commit import clear_up, is_committed
from orchestration.landing.errors import LandingError, SourceBusyError
from orchestration.landing.manifest import newest_pulled_at
from orchestration.landing.pull import Pull
from orchestration.landing.results import PullResult
from orchestration.landing.schemas import ensure_schema_files

_SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class LandingStore:
    """The landing zone under one folder."""

    def __init__(self, root: Path, now: Callable[[], datetime] = utc_now) -> None:
        self.root = root
        self._now = now

    def run(self, source_name: str, connector: Connector, window: Window | None = None) -> PullResult:
        """Pull a source once and return what changed.

        Raises:
            SourceBusyError: When another process pulls the same source.
            ConnectorError: When the source cannot be read; nothing of this pull is kept then.
        """
        with self.pull(source_name) as pull:
            connector.pull(pull, window)
        if pull.result is None:
            raise RuntimeError("a pull that ended well has a result")
        return pull.result

    @contextlib.contextmanager
    def pull(self, source_name: str) -> Generator[Pull]:
        """Open a pull; it becomes visible when the block ends well, and leaves nothing when it does not.

        Raises:
            LandingError: When the name cannot be that of a folder.
            SourceBusyError: When another process pulls the same source.
        """
        if not _SOURCE_NAME.fullmatch(source_name):
            raise LandingError(
                f"{source_name!r} is no name for a source: use up to 100 letters, digits, _, - and ., "
                "beginning with a letter or a digit"
            )
        ensure_schema_files(self.root)
        with _exclusive(self.root, source_name):
            clear_up(self.root, self._leftovers(source_name))
            pulled_at = self._moment_after(newest_pulled_at(self.root, source_name))
            pull_id = f"{pulled_at:%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}"
            staging = self.root / "_staging" / source_name / pull_id
            try:
                pull = Pull(self.root, source_name, pulled_at, staging, pull_id)
                yield pull
                pull.commit()
            finally:
                # After the commit point the plan must stay until it is carried out.
                if not is_committed(staging):
                    shutil.rmtree(staging, ignore_errors=True)

    def recover(self) -> None:
        """Finish or remove what dead processes left of any source; a source that is being pulled is left alone."""
        for folder in sorted((self.root / "_staging").glob("*")):
            with contextlib.suppress(SourceBusyError), _exclusive(self.root, folder.name):
                clear_up(self.root, self._leftovers(folder.name))

    def _leftovers(self, source_name: str) -> list[Path]:
        return list((self.root / "_staging" / source_name).glob("*"))

    def _moment_after(self, newest: datetime | None) -> datetime:
        """Return the time, or just after the newest pull when the clock has been set back: the newest counts."""
        now = self._now().astimezone(UTC)
        return now if newest is None or now > newest else newest + timedelta(microseconds=1)


@contextlib.contextmanager
def _exclusive(landing: Path, source_name: str) -> Generator[None]:
    folder = landing / "_locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{source_name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SourceBusyError(
                f"source {source_name}: another pull of it is under way; wait for it to end, then run this again"
            ) from None
        yield
