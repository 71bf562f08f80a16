"""The settings of one installation, read once from the environment.

Belongs here: every name of an environment variable that the product itself defines. Does not belong here:
anything about a single source; sources name their own secrets and resolve them through `Settings.secret`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, datetime
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
        sources: The folder of YAML documents that names the sources; None means the built-in sample company.
        start_date: The first UTC day that can be built; None means that the sources decide.
        pricing: Folder of the price book.
        trace_url: Link to a trace, with `{trace_id}` in it; None when nobody keeps traces.
    """

    home: Path
    as_known_at: datetime | None = None
    sources: Path | None = None
    start_date: date | None = None
    pricing: Path = PROJECT_ROOT / "pricing_seeds"
    trace_url: str | None = None

    @classmethod
    def from_env(cls) -> Settings:
        """Read the environment.

        `TRUEUP_HOME` (a folder, default `./data`), `TRUEUP_AS_KNOWN_AT` (RFC 3339, default now), `TRUEUP_SOURCES` (a
        folder, default the sample company), `TRUEUP_START_DATE` (YYYY-MM-DD), `TRUEUP_PRICING` (a folder),
        `TRUEUP_TRACE_URL` (a link with `{trace_id}` in it).

        Raises:
            SettingsError: When `TRUEUP_AS_KNOWN_AT` is not a moment with a zone, `TRUEUP_START_DATE` not
                a date, one of the folders is none, or `TRUEUP_TRACE_URL` no link with `{trace_id}`.
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
        return cls(
            home=home,
            as_known_at=as_known_at,
            sources=_folder("TRUEUP_SOURCES"),
            start_date=_date("TRUEUP_START_DATE"),
            pricing=_folder("TRUEUP_PRICING") or PROJECT_ROOT / "pricing_seeds",
            trace_url=_trace_url("TRUEUP_TRACE_URL"),
        )

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

    @property
    def alerting(self) -> Path:
        """Incidents, what people did about them, and what is yet to be sent: in no source, so it is not lost."""
        return self.home / "alerting"

    @property
    def warehouse_state(self) -> Path:
        """What the warehouse was last built from; removed together with the warehouse."""
        return self.home / "warehouse_state.json"

    @property
    def limits(self) -> Path:
        """Folder of what the request path reads: limits, switches, and who has thrown them."""
        return self.home / "limits"

    @property
    def ledger_url(self) -> str | None:
        """Where the request path keeps its budget counters (`TRUEUP_LEDGER_URL`, a `redis://` URL); None: nowhere."""
        return self.secret("TRUEUP_LEDGER_URL")

    @property
    def otlp_endpoint(self) -> str | None:
        """Where the daily figures are sent as metrics (`TRUEUP_OTLP_ENDPOINT`, an OTLP/HTTP URL); None: nowhere."""
        return self.secret("TRUEUP_OTLP_ENDPOINT")

    @property
    def otlp_tenants(self) -> int:
        """How many of the dearest tenants have metrics of their own (`TRUEUP_OTLP_TENANTS`, default 0).

        Raises:
            SettingsError: It is no whole number.
        """
        raw = self.secret("TRUEUP_OTLP_TENANTS") or "0"
        if not raw.isdecimal():
            raise SettingsError(f"TRUEUP_OTLP_TENANTS must be a whole number, got {raw!r}")
        return int(raw)

    @property
    def sample(self) -> Path:
        """Folder of the generated sample company."""
        return self.home / "sample"

    def secret(self, name: str) -> str | None:
        """Return the value of the environment variable `name`, or None when it is unset or empty."""
        return os.environ.get(name) or None


def _folder(variable: str) -> Path | None:
    raw = os.environ.get(variable)
    if not raw:
        return None
    folder = Path(raw).expanduser().absolute()
    if not folder.is_dir():
        raise SettingsError(f"{variable} must be a folder, {folder} is none")
    return folder


def _date(variable: str) -> date | None:
    raw = os.environ.get(variable)
    if not raw:
        return None
    try:
        return date.fromisoformat(raw)
    except ValueError as error:
        raise SettingsError(f"{variable} must be a date as YYYY-MM-DD, got {raw!r}") from error


def _trace_url(variable: str) -> str | None:
    raw = os.environ.get(variable)
    if not raw:
        return None
    if not raw.startswith(("https://", "http://")) or "{trace_id}" not in raw:
        raise SettingsError(f"{variable} must be a link with {{trace_id}} in it, got {raw!r}")
    return raw
