"""The price file of the request path, published when the price book has changed.

Belongs here: noticing a change. Does not belong here: what the file says (`orchestration.pricebook.export`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from orchestration.limits.versioned import install_version

_NAME, _SUFFIX = "prices", ".json.gz"


def publish_prices(folder: Path, pricing: Path, overrides: Iterable[Path]) -> tuple[str, bool]:
    """Write `prices-<version>.json.gz` and let the link `prices.json.gz` name it, unless it is what it should be.

    Args:
        folder: Made if it is missing.
        pricing: The price book.
        overrides: Further files of overrides, as this installation has them.

    Returns:
        The version, a hash of the book's files, and whether it is new.

    Raises:
        BookError: A row of the book cannot be read; the version in force stays.
    """
    from orchestration.pricebook.export import write_price_file  # noqa: PLC0415 - only when the book has changed

    extra = tuple(sorted(overrides))
    digest = hashlib.sha256()
    for path in (*sorted(pricing.glob("*.csv")), *extra):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    version = digest.hexdigest()[:16]
    if (folder / f"{_NAME}-{version}{_SUFFIX}").exists() and _in_force(folder) == version:
        return version, False
    folder.mkdir(parents=True, exist_ok=True)
    install_version(
        folder, _NAME, _SUFFIX, version, lambda staged: write_price_file(pricing, staged, extra_overrides=extra)
    )
    return version, True


def _in_force(folder: Path) -> str | None:
    try:
        return (folder / f"{_NAME}{_SUFFIX}").readlink().name.removeprefix(f"{_NAME}-").removesuffix(_SUFFIX)
    except FileNotFoundError:
        return None
