"""A provider on loopback and the landing zone that its reports are pulled into, for tests of HTTP sources."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from loopback import LoopbackServer

from orchestration.connectors.base import Connector, TableSpec, Window
from orchestration.landing.results import PullResult
from orchestration.landing.store import LandingStore

Row = dict[str, Any]


class ReportingProvider(LoopbackServer):
    """A scripted server and a landing zone without its source, whose clock moves on an hour with every pull.

    Tests may share the landing zone's folder, one after the other: its typed empty files take time to write.
    """

    def __init__(self, landing: Path, source_name: str) -> None:
        super().__init__()
        self.source_name = source_name
        self._source = landing / source_name
        self._now = datetime(2026, 11, 21, 12, tzinfo=UTC)
        self._store = LandingStore(landing, lambda: self._now)
        shutil.rmtree(self._source, ignore_errors=True)

    def pull(self, connector: Connector, window: Window | None) -> Pulled:
        """Pull the source into the landing zone."""
        self._now += timedelta(hours=1)
        return Pulled(self._store.run(self.source_name, connector, window), self._source)

    def landed_files(self) -> list[Path]:
        """Return every file that the source has in the landing zone."""
        return [path for path in self._source.rglob("*") if path.is_file()]


class Pulled:
    """What the landing zone says after a pull."""

    def __init__(self, result: PullResult, source: Path) -> None:
        self.result = result
        self.rows_read = {name: table.rows_read for name, table in result.tables.items()}
        self._source = source
        self._manifest: list[Row] = []
        for path in source.glob("*/_manifest.parquet"):
            self._manifest += pq.read_table(path).to_pylist()
        self.windows = {
            row["table_name"]: Window(row["window_start"], row["window_end"])
            for row in self._manifest
            if row["pull_id"] == result.pull_id
        }

    def rows(self, table: TableSpec) -> list[Row]:
        """Return the current rows of a table by day, without what the landing zone adds."""
        newest = {
            version["usage_date"]: version
            for version in sorted(self._manifest, key=lambda version: version["pull_id"])
            if version["table_name"] == table.name
        }
        rows: list[Row] = []
        for day, version in sorted(newest.items()):
            if version["file"] is None:
                continue
            for row in pq.ParquetFile(self._source.parent / version["file"]).read().to_pylist():
                assert row.pop("source_name") == self.result.source_name
                assert row.pop("pull_id") == version["pull_id"]
                rows.append({"usage_date": day, **row})
        return rows
