"""A JSON file whose readers see the old version or the new one, never half of one.

Belongs here: versions, the switch from one to the next, and dropping old ones. Does not belong here: what they say.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_KEPT_VERSIONS = 3


def publish_document(folder: Path, name: str, document: Mapping[str, Any], now: datetime) -> tuple[str, bool]:
    """Write `<name>-<version>.json` and let the link `<name>.json` name it.

    A document that says what the current version says is not written again.

    Args:
        folder: Made if it is missing.
        name: `limits` or `switches`.
        document: What it says; `version` and `published_at` are added.
        now: The moment, aware.

    Returns:
        The version in force and whether it is new.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:12]
    link = folder / f"{name}.json"
    current = _version(link, name)
    if current is not None and current.endswith(digest) and link.exists():
        return current, False
    version = f"{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{digest}"
    content = {**document, "version": version, "published_at": now.astimezone(UTC).isoformat()}

    def write(target: Path) -> None:
        target.write_text(json.dumps(content, indent=1))

    install_version(folder, name, ".json", version, write)
    return version, True


def install_version(folder: Path, name: str, suffix: str, version: str, write: Callable[[Path], object]) -> None:
    """Let `write` make a file, name it `<name>-<version><suffix>`, and let the link `<name><suffix>` name it."""
    staged = folder / f".{name}-{version}.staged"
    write(staged)
    with staged.open("rb") as file:
        os.fsync(file.fileno())
    target = folder / f"{name}-{version}{suffix}"
    staged.replace(target)
    staged_link = folder / f".{name}-{version}.link"
    staged_link.unlink(missing_ok=True)
    staged_link.symlink_to(target.name)
    staged_link.replace(folder / f"{name}{suffix}")
    versions = sorted(folder.glob(f"{name}-*{suffix}"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    for old in versions[:-_KEPT_VERSIONS]:
        if old != target:
            old.unlink(missing_ok=True)


def _version(link: Path, name: str) -> str | None:
    try:
        return link.readlink().name.removeprefix(f"{name}-").removesuffix(".json")
    except FileNotFoundError:
        return None
