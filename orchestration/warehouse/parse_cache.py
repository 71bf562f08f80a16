"""The newest parse of a checkout, from which a home starts that has none of its own.

Belongs here: one file beside what dbt generates in the project, how it is written and taken. Does not belong here:
whether a parse still fits. dbt compares the state in it with its version, the profile and every file, and parses anew
what has changed; `project` compares fingerprints.

A first parse takes 12 s of processor time, one that starts from a parse that fits 2.4 s, taking it 0.02 s (lab).
"""

from __future__ import annotations

import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

PARSED = ("partial_parse.msgpack", "manifest.json")
"""What a parse leaves behind: dbt's own state, and what everybody else reads."""

_FINGERPRINT = "fingerprint"

_UNREADABLE = (OSError, EOFError, KeyError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)
"""What `zipfile` raises, of a file with any byte changed or cut off at any place."""


def cache_of(project: Path) -> Path:
    """Return the file of a dbt project. It lies where git does not look, and `make clean` removes it."""
    return project / "target" / "parse.zip"


def keep(cache: Path, target: Path, fingerprint: str) -> None:
    """Keep the parse that dbt left in the folder `target`; where nothing can be written, nothing is kept.

    The file is replaced whole: whoever reads at that moment has the one before or this one.
    """
    unfinished = cache.with_suffix(f".{uuid4().hex}")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(unfinished, "w") as archive:
            archive.writestr(_FINGERPRINT, fingerprint)
            for name in PARSED:
                archive.write(target / name, name)
        unfinished.replace(cache)
    except OSError:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def take(cache: Path, target: Path) -> str | None:
    """Put the parse that is kept into the folder `target`.

    Returns:
        Its fingerprint; None when there is none that can be read, and then `target` is as it was.
    """
    try:
        with zipfile.ZipFile(cache) as archive:
            fingerprint = archive.read(_FINGERPRINT).decode()
            contents = {name: archive.read(name) for name in PARSED}
    except _UNREADABLE:
        return None
    target.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (target / name).write_bytes(content)
    return fingerprint
