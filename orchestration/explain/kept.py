"""What a publication holds by plan, in memory: all that a comparison of everything reads.

Belongs here: taking it from the marts once for a version. Does not belong here: asking it (`change`).

(lab, a year of 119 M requests) It is 26,000 rows, which take 0.2 s to read once. Reading them anew, two months of files
each time, took half of the 110 ms of a comparison.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import duckdb

from orchestration.explain.decomposer import Decomposer

MOST_ROWS = 500_000
"""Beyond, the files are read: 100 MB of memory is what a page may hold for this."""

_COPIED = ("llm_usage_by_plan_feature_model_day", "unit_economics_by_plan_feature_day")
_SMALL = ("dim_releases", "spend_drivers_by_comparison")


@dataclass(frozen=True)
class KeptMarts:
    """The marts by plan of one version, under their own names.

    Attributes:
        version: Of the publication.
        decomposer: Its database holds them; None when they are too large.
        tenants_count: Tenants with requests, by UTC day.
    """

    version: str
    decomposer: Decomposer | None
    tenants_count: Mapping[date, int]


_lock = threading.Lock()
_kept: list[KeptMarts] = []


def kept_marts(marts: duckdb.DuckDBPyConnection, version: str) -> KeptMarts:
    """Return what is kept of a version, and take it from `marts` when it is another than the last."""
    with _lock:
        if not _kept or _kept[0].version != version:
            _kept[:] = [_take(marts, version)]
        return _kept[0]


def _take(marts: duckdb.DuckDBPyConnection, version: str) -> KeptMarts:
    days = marts.execute("select usage_date, count(*) from unit_economics_by_tenant_day group by usage_date").fetchall()
    sizes = marts.execute("select mart, row_count from published_info").fetchall()
    if sum(count for mart, count in sizes if mart in _COPIED) > MOST_ROWS:
        return KeptMarts(version, None, dict(days))
    memory = duckdb.connect(config={"threads": 1})
    for mart in (*_COPIED, *_SMALL):
        memory.register("given", marts.execute(f"from {mart}").to_arrow_reader())
        memory.execute(f"create table {mart} as from given")
        memory.unregister("given")
    return KeptMarts(version, Decomposer(memory), dict(days))
