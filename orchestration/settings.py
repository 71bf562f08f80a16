"""The settings of one installation, read once from the environment.

Belongs here: every name of an environment variable that the product itself defines. Does not belong here:
anything about a single source; sources name their own secrets and resolve them through `Settings.secret`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class SettingsError(ValueError):
    """A setting has a value that cannot be used; the message names the variable and what it expects."""


@dataclass(frozen=True)
class Settings:
    """Where things live and what is known.

    Attributes:
        home: The one folder that holds landing, warehouse, published and Dagster's own storage.
        as_known_at: Build as of what was known at this moment; None means now.
    """

    home: Path
    as_known_at: datetime | None = None

    @classmethod
    def from_env(cls) -> Settings:
        """Read `TRUEUP_HOME` (default `./data`) and `TRUEUP_AS_KNOWN_AT` (RFC 3339, default now).

        Raises:
            SettingsError: When `TRUEUP_AS_KNOWN_AT` is not a moment with a zone.
        """
        home = Path(os.environ.get("TRUEUP_HOME") or PROJECT_ROOT / "data").expanduser().absolute()
        raw = os.environ.get("TRUEUP_AS_KNOWN_AT")
        as_known_at = None
        if raw:
            try:
                as_known_at = datetime.fromisoformat(raw)
            except ValueError as error:
                raise SettingsError(f"TRUEUP_AS_KNOWN_AT must be an RFC 3339 moment, got {raw!r}") from error
            if as_known_at.tzinfo is None:
                raise SettingsError(f"TRUEUP_AS_KNOWN_AT needs a zone, for example {raw}Z")
        return cls(home=home, as_known_at=as_known_at)

    @property
    def landing(self) -> Path:
        """Folder of the landed Parquet: the source of truth."""
        return self.home / "landing"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that dbt alone writes; a cache that one command rebuilds."""
        return self.home / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        """Folder of what readers open."""
        return self.home / "published"

    @property
    def dagster_home(self) -> Path:
        """Dagster's run and event storage."""
        return self.home / "dagster"

    def secret(self, name: str) -> str | None:
        """Return the value of the environment variable `name`, or None when it is unset or empty."""
        return os.environ.get(name) or None
