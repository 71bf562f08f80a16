"""The contract between a connector and the landing zone.

Belongs here: the vocabulary that both sides share (windows, table specifications, the sink a pull writes to).
Does not belong here: HTTP, files, parsing, and anything that knows Dagster, dbt or a particular source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pyarrow as pa

SecretResolver = Callable[[str], str]
"""Turns the name of an environment variable into its value; raises `MissingSecretError` when it is not set."""


@dataclass(frozen=True)
class Window:
    """A half-open range of UTC days, `[start, end)`.

    Raises:
        ValueError: When the range is empty or runs backwards.
    """

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"a window must hold at least one day, got [{self.start}, {self.end})")

    def days(self) -> Iterator[date]:
        """Yield every UTC day of the window, oldest first."""
        day = self.start
        while day < self.end:
            yield day
            day += timedelta(days=1)


class TableKind(StrEnum):
    """How a new pull of a table relates to what has landed before."""

    WINDOW = "window"
    """A pull replaces whole days; a day that comes back empty becomes empty."""
    APPEND = "append"
    """A log: content-addressed segments that are never superseded."""
    STATE = "state"
    """Each pull is a full copy of the table."""


@dataclass(frozen=True)
class TableSpec:
    """A landed table: its name, its kind and the Arrow schema that the writer enforces.

    `schema` holds the table's own columns. The landing zone adds `source_name` and `pull_id` in front.
    The data of `WINDOW` and `APPEND` tables carries one more column, `usage_date` (date32), which becomes
    the partition of the file and is not stored inside it.
    """

    name: str
    kind: TableKind
    schema: pa.Schema


@dataclass(frozen=True)
class QuarantinedRow:
    """One input row that could not be landed, and why.

    `reason` is a stable snake_case code, with the field after a colon where one is at fault
    (`invalid_json`, `wrong_type:input_tokens`). `raw_excerpt` is masked: no text of a prompt, no user id.
    """

    input_file: str | None
    line_number: int | None
    reason: str
    raw_excerpt: str


class PullSink(Protocol):
    """Where a connector puts what it pulled. Nothing becomes visible unless the whole pull ends well."""

    source_name: str
    pull_id: str
    pulled_at: datetime
    scratch: Path

    def replace_window(self, table: TableSpec, window: Window, data: pa.Table) -> None:
        """Replace every day of `window`; days without rows in `data` become empty."""
        ...

    def replace_state(self, table: TableSpec, data: pa.Table) -> None:
        """Replace the whole table by `data`."""
        ...

    def append(
        self,
        table: TableSpec,
        *,
        segment_hash: str,
        input_file: str,
        data: pa.Table | None = None,
        parquet_dir: Path | None = None,
    ) -> None:
        """Add one segment of a log, given as a table or as a hive-partitioned folder of Parquet files."""
        ...

    def already_landed(self, table: TableSpec, segment_hash: str) -> bool:
        """Tell whether a segment with this content has landed before."""
        ...

    def quarantine(self, table: TableSpec, rows: Sequence[QuarantinedRow]) -> None:
        """Keep rows that could not be read, with the reason."""
        ...

    def ledger(self, table: TableSpec) -> dict[str, Any]:
        """Return the connector's own notes on its inputs; changes are kept when the pull ends well."""
        ...

    def count_unknown_fields(self, table: TableSpec, counts: Mapping[str, int]) -> None:
        """Count fields of the input that the contract does not name, by name; they do not land."""
        ...

    def count_read(self, table: TableSpec, rows_read: int, rows_skipped: int = 0) -> None:
        """Count what was read; rows read = landed + quarantined + skipped is checked when the pull ends."""
        ...


class Connector(Protocol):
    """One source system. Knows its protocol and its contract; knows neither Dagster nor dbt."""

    kind: ClassVar[str]
    tables: ClassVar[tuple[TableSpec, ...]]

    def pull(self, sink: PullSink, window: Window | None) -> None:
        """Read what the source has for `window` (None: everything that is new) and hand it to `sink`.

        Raises:
            ConnectorError: When the source cannot be read; nothing of this pull becomes visible then.
        """
        ...
