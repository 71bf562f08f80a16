"""The price book that a build reads, as one thing that can be kept, hashed and put back.

Belongs here: copying its files. Does not belong here: what a price means (`orchestration.pricebook`).

A build reads two folders: the reviewed book, and the installation's own rows in `TRUEUP_HOME/pricing`.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestration.settings import Settings

_BOOK, _OWN = "book", "own"
_COLUMNS_FROM = "price_overrides.csv"
_NOTHING_OWN = "none.csv"


@dataclass(frozen=True)
class PriceBook:
    """The content of every CSV file, by `book/<name>` or `own/<name>`."""

    files: Mapping[str, bytes]

    @classmethod
    def of(cls, settings: Settings) -> PriceBook:
        """Read the price book of an installation."""
        folders = {_BOOK: settings.pricing, _OWN: settings.home / "pricing"}
        return cls(
            {
                f"{part}/{path.name}": path.read_bytes()
                for part, folder in folders.items()
                for path in sorted(folder.glob("*.csv"))
            }
        )

    @classmethod
    def kept_in(cls, folder: Path) -> PriceBook:
        """Read what `keep` wrote."""
        return cls(
            {
                str(path.relative_to(folder).with_suffix("")): gzip.decompress(path.read_bytes())
                for path in sorted(folder.glob("*/*.csv.gz"))
            }
        )

    @property
    def content_hash(self) -> str:
        """SHA-256 over the names and the contents."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            digest.update(f"{name}\0{hashlib.sha256(self.files[name]).hexdigest()}\n".encode())
        return digest.hexdigest()

    def keep(self, folder: Path) -> None:
        """Write the files, packed, into a new folder."""
        for name, content in self.files.items():
            path = folder / f"{name}.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without a time, so that the same book is the same bytes.
            path.write_bytes(gzip.compress(content, mtime=0))

    def unpack(self, *, book: Path, own: Path) -> None:
        """Write the files where a build reads them; DuckDB does not take a folder without any CSV for empty."""
        folders = {_BOOK: book, _OWN: own}
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            part, _, file_name = name.partition("/")
            (folders[part] / file_name).write_bytes(content)
        if not any(own.glob("*.csv")):
            header = next(csv.reader([self.files[f"{_BOOK}/{_COLUMNS_FROM}"].decode().partition("\n")[0]]))
            with (own / _NOTHING_OWN).open("w", newline="") as handle:
                csv.writer(handle).writerow(header)
