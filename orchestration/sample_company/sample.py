"""One sample company in one folder: there already, or to be written.

Belongs here: the marker that makes a second run a no-op. Does not belong here: anything that needs numpy or Arrow
(`generator`), so that a run with nothing new does not wait for them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestration.sample_company.options import SampleManifest, SampleOptions

Progress = Callable[[float, str], None]
"""Called with the finished fraction, 0 to 1, and what is being done."""

_MARKER = ".sample.json"
_FOLDERS = ("requests", "otel", "gateway", "outcomes", "company", "bills", "pricing", "truth")


def generate(out: Path, options: SampleOptions, progress: Progress | None = None) -> SampleManifest:
    """Write a sample company into a folder, unless the very same one is already there.

    Args:
        out: The folder, made when missing. An older sample in it is replaced, nothing else is touched.
        options: Size and seed.
        progress: Called after each day.

    Returns:
        Where everything lies and how large it is.
    """
    fingerprint = options.fingerprint(_code_version())
    marker = out / _MARKER
    existing = _read_marker(marker, fingerprint, out, options)
    if existing is not None:
        return existing
    from orchestration.sample_company.generator import Generator  # noqa: PLC0415 (see the docstring)

    marker.unlink(missing_ok=True)
    for name in _FOLDERS:
        shutil.rmtree(out / name, ignore_errors=True)
        (out / name).mkdir(parents=True)
    manifest = Generator(out, options, progress or (lambda _fraction, _what: None)).write()
    counts = {
        "request_lines": manifest.request_lines,
        "spans": manifest.spans,
        "gateway_lines": manifest.gateway_lines,
        "outcome_lines": manifest.outcome_lines,
    }
    write_json(marker, {"fingerprint": fingerprint, "options": options.as_json(), "counts": counts})
    return manifest


def write_json(path: Path, document: dict[str, Any], indent: int | None = None) -> None:
    """Write a document as UTF-8 JSON with a newline at its end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_marker(marker: Path, fingerprint: str, out: Path, options: SampleOptions) -> SampleManifest | None:
    if not marker.is_file():
        return None
    found = json.loads(marker.read_text(encoding="utf-8"))
    if found.get("fingerprint") != fingerprint:
        return None
    manifest = SampleManifest(out, options, generated=False, **found["counts"])
    return manifest if manifest.ground_truth.is_file() else None


def _code_version() -> str:
    """Return a hash of the generator's own source, so that a changed generator writes a new sample."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
