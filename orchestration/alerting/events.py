"""The history of incidents as a Parquet file: what dbt publishes as `fct_alert_events`.

Belongs here: its columns, its place, writing it in one step. Does not belong here: where the history is kept (`store`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.settings import Settings

AMOUNTS = ("observed", "threshold", "baseline")
WORDS = ("unit", "detail", "top_drivers")

EVENT_SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("incident_id", pa.string()),
        ("alert_rule", pa.string()),
        ("scope_kind", pa.string()),
        ("scope_id", pa.string()),
        ("event_kind", pa.string()),
        ("state", pa.string()),
        ("severity", pa.string()),
        ("event_date", pa.date32()),
        ("recorded_at", pa.timestamp("us", tz="UTC")),
        ("opened_date", pa.date32()),
        *((name, pa.float64()) for name in AMOUNTS),
        *((name, pa.string()) for name in WORDS),
        ("note", pa.string()),
    ]
)
"""The contract of the dbt source `alerting.alert_events`."""


def events_file(settings: Settings) -> Path:
    """Return where the file lies."""
    return settings.alerting / "alert_events.parquet"


def write_events(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the file anew; readers see the former one or this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=EVENT_SCHEMA), partial)
    partial.replace(path)


def ensure_events_file(settings: Settings) -> None:
    """Make sure that dbt finds a file, also when nothing has ever happened."""
    if not events_file(settings).exists():
        write_events(events_file(settings), [])
