"""Versions on disk: their names, which one is current, the switch, and what may be deleted.

Belongs here: everything that renames or deletes under the published folder. Does not belong here: what a
version holds.

How a reader keeps its picture: it opens `marts-<version>.duckdb`, on which DuckDB holds a shared lock for
as long as it is open (lab), and the views in it name files by version. A version is dropped when three
newer ones exist and nobody holds that lock, and its files go when no kept version names them. A reader
inside the publishing process is not seen by the lock (POSIX locks belong to processes); it has the three
newest versions.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestration.publishing.errors import PublishError

KEPT_VERSIONS = 3

LINK_NAME = "marts.duckdb"

_STAGING_PREFIX = ".staging-"
_DROPPED_PREFIX = ".dropped-"
_STAMP_FORMAT = "%Y%m%dT%H%M%S%fZ"

FilesOf = Callable[[Path], Collection[str] | None]
"""Given a marts file, the Parquet files that it names, below the published folder; None when damaged."""


def marts_path(published: Path, version: str) -> Path:
    """Return the path of the marts file of `version`."""
    return published / f"marts-{version}.duckdb"


def current_version(published: Path) -> str | None:
    """Return the version that readers see now, None before the first publication."""
    try:
        target = (published / LINK_NAME).readlink().name
    except FileNotFoundError:
        return None
    return target.removeprefix("marts-").removesuffix(".duckdb")


def new_version(now: datetime, previous: str | None) -> str:
    """Return `YYYYMMDDTHHMMSSffffffZ-<8 hex>`, which sorts after `previous` even when the clock went back."""
    moment = now.astimezone(UTC)
    if previous is not None:
        last = datetime.strptime(previous.partition("-")[0], _STAMP_FORMAT).replace(tzinfo=UTC)
        moment = max(moment, last + timedelta(microseconds=1))
    return f"{moment.strftime(_STAMP_FORMAT)}-{secrets.token_hex(4)}"


@contextmanager
def publishing_lock(published: Path) -> Generator[None]:
    """Hold the folder for one publication.

    Raises:
        PublishError: When another publication is under way.
    """
    published.mkdir(parents=True, exist_ok=True)
    with (published / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PublishError(f"another publication into {published} is under way; wait for it to end") from error
        yield


def open_staging(published: Path, version: str) -> Path:
    """Return a new folder for what `version` writes before it is moved into place."""
    staging = published / f"{_STAGING_PREFIX}{version}"
    staging.mkdir()
    return staging


def close_staging(staging: Path) -> None:
    """Remove the folder; until then a version counts as unfinished."""
    shutil.rmtree(staging)


def remove_unfinished(published: Path) -> None:
    """Delete what publications that were killed have left behind."""
    for staging in published.glob(f"{_STAGING_PREFIX}*"):
        version = staging.name.removeprefix(_STAGING_PREFIX)
        if version != current_version(published):
            for file in published.glob(f"*/**/{version}.parquet"):
                file.unlink()
                _remove_if_empty(file.parent, published)
            marts_path(published, version).unlink(missing_ok=True)
        shutil.rmtree(staging)
    for link in published.glob(f".{LINK_NAME}-*"):
        link.unlink()


def install(staged: Path, target: Path) -> None:
    """Move a finished file into place and see it on the disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _sync(staged)
    staged.replace(target)


def switch(published: Path, version: str) -> None:
    """Make `version` the current one, in one step: readers see the old one or the new one."""
    link = published / f".{LINK_NAME}-{version}"
    link.symlink_to(marts_path(published, version).name)
    link.replace(published / LINK_NAME)
    _sync(published)


def collect_garbage(published: Path, files_of: FilesOf, *, sweep: bool = False) -> list[str]:
    """Drop the versions that nobody needs and the Parquet files that only they named.

    Args:
        published: The folder.
        files_of: Says which files a version names.
        sweep: Look at every file in the folder instead, which also finds files of versions that were lost.

    Returns:
        The versions that were dropped.
    """
    for aside in published.glob(f"{_DROPPED_PREFIX}*.duckdb"):
        aside.replace(published / aside.name.removeprefix(_DROPPED_PREFIX))
    names = sorted(path.name for path in published.glob("marts-*.duckdb"))
    kept = {*names[-KEPT_VERSIONS:], f"marts-{current_version(published)}.duckdb"}
    asides: list[Path] = []
    for name in names:
        if name not in kept:
            aside = _set_aside(published / name)
            if aside is None:
                kept.add(name)
            else:
                asides.append(aside)
    if not asides and not sweep:
        return []
    needed = {file for name in kept for file in files_of(published / name) or ()}
    named = [files_of(aside) for aside in asides]
    if sweep or None in named:
        named = [[str(file.relative_to(published)) for file in published.glob("*/**/*.parquet")]]
    for file in {file for files in named for file in files or ()} - needed:
        (published / file).unlink(missing_ok=True)
        _remove_if_empty((published / file).parent, published)
    for aside in asides:
        aside.unlink()
    return [aside.name.removeprefix(f"{_DROPPED_PREFIX}marts-").removesuffix(".duckdb") for aside in asides]


def _set_aside(marts: Path) -> Path | None:
    """Rename a marts file so that no further reader can open it; None when a reader has it open already.

    The name goes first and the lock is asked then: asked the other way round, a reader could come in between.
    """
    aside = marts.with_name(f"{_DROPPED_PREFIX}{marts.name}")
    marts.replace(aside)
    with aside.open("r+b") as handle:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            aside.replace(marts)
            return None
    return aside


def _remove_if_empty(folder: Path, published: Path) -> None:
    while folder != published:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
