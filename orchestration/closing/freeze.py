"""The files of a month: the published rows of its days, written so that the same rows are the same bytes.

Belongs here: which marts are kept and how. Does not belong here: whether the month may be closed (`close`), and what
the files are compared with (`replay`).

A mart with UTC days, or with months, is kept with the rows of the month. One whose model says `meta.closed_as: sums`
has a row for each request or operation; of it the sums of each day are kept, with a hash over every value of every
row, which proves the rows without keeping them twice. Marts without days or months are no figures of a month.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.closing.adjustments import write_adjustments
from orchestration.closing.figures import month_condition
from orchestration.closing.frozen_file import sha256_of, write_parquet
from orchestration.closing.receipt import ADJUSTMENTS_FILE, PULLS_FILE, ClosedMonth, FrozenFile, PulledTable
from orchestration.landing.schemas import all_table_specs
from orchestration.landing.state import current_slices
from orchestration.publishing.catalogue import Catalogue, PublishedMart, read_catalogue
from orchestration.publishing.errors import NotPublishedError
from orchestration.publishing.marts import Shape
from orchestration.publishing.reader import current_version, open_marts
from orchestration.publishing.slices import Slicing
from orchestration.publishing.versions import marts_path
from orchestration.settings import Settings
from orchestration.sql import identifier
from orchestration.warehouse.project import DbtManifest

_MONTH_COLUMN = "usage_month"
_PULL_COLUMNS = ("source_name", "table_name", "usage_date", "slice_key", "pull_id")


@dataclass(frozen=True)
class Frozen:
    """What was written.

    Attributes:
        files: In the order of their names.
        totals: Exact sums by mart and money column, as text; None where nothing is known.
        pulls: What was known, by source and table.
    """

    files: Sequence[FrozenFile]
    totals: Mapping[str, Mapping[str, str | None]]
    pulls: Sequence[PulledTable]


@dataclass(frozen=True)
class State:
    """The published marts that a month is taken from, and how they came about.

    Attributes:
        settings: Of their folder; `as_known_at` is the moment that they show.
        manifest: The dbt project that built them.
    """

    settings: Settings
    manifest: DbtManifest

    def catalogue(self) -> Catalogue:
        """Return what the current version says about itself.

        Raises:
            NotPublishedError: When nothing is published.
        """
        published = self.settings.published
        version = current_version(published)
        catalogue = read_catalogue(marts_path(published, version)) if version else None
        if catalogue is None:
            raise NotPublishedError(f"nothing is published in {published}; run `trueup run` first")
        return catalogue


def freeze(state: State, month: date, earlier: Sequence[ClosedMonth], target: Path) -> Frozen:
    """Write the files of the month that begins with `month` into the folder `target`.

    Args:
        state: Whose `settings.as_known_at` is set.
        month: First UTC day of the month.
        earlier: Months that were closed before; what changed in them is booked in this one.
        target: A new folder.
    """
    settings = state.settings
    by_sums = {
        node["name"]
        for node in state.manifest.models.values()
        if (node["config"].get("meta") or {}).get("closed_as") == "sums"
    }
    totals: dict[str, dict[str, str | None]] = {}
    with open_marts(settings.published) as marts:
        for mart in state.catalogue().marts.values():
            condition = _condition(mart.shape, month)
            if condition is None:
                continue
            rows = f"(select * from {identifier(mart.name)} where {condition})"
            kept = _daily_sums(rows, mart.shape) if mart.name in by_sums else rows
            write_parquet(marts, kept, target / "marts" / f"{mart.name}.parquet")
            totals[mart.name] = _totals(marts, rows, mart)
        write_adjustments(marts, settings, earlier, month, target / ADJUSTMENTS_FILE)
    pulls = _write_pulls(settings, target / PULLS_FILE)
    return Frozen(files=_files(target), totals=totals, pulls=pulls)


def _condition(shape: Shape, month: date) -> str | None:
    """Return SQL that holds on a mart's rows of the month; None for a mart without days or months."""
    if shape.slicing is not Slicing.WHOLE:
        return month_condition(month)
    has_months = any((column.name, column.type) == (_MONTH_COLUMN, "DATE") for column in shape.columns)
    return f"{_MONTH_COLUMN} = date '{month}'" if has_months else None


def _daily_sums(rows: str, shape: Shape) -> str:
    values = ", ".join(identifier(column.name) for column in shape.columns)
    sums = "".join(f", sum({identifier(name)}) as {identifier(name)}" for name in shape.money_columns)
    # A sum of hashes does not depend on the order of the rows, and shows one that comes twice.
    rows_hash = f"cast(sum(cast(hash({values}) as hugeint)) as decimal(38, 0)) as rows_hash"
    return f"(select usage_date, count(*) as row_count, {rows_hash}{sums} from {rows} group by usage_date)"


def _totals(marts: duckdb.DuckDBPyConnection, rows: str, mart: PublishedMart) -> dict[str, str | None]:
    names = mart.shape.money_columns
    if not names:
        return {}
    sums = marts.execute(f"select {', '.join(f'sum({identifier(name)})' for name in names)} from {rows}").fetchall()[0]
    return {name: None if total is None else f"{total:f}" for name, total in zip(names, sums, strict=True)}


def _write_pulls(settings: Settings, file: Path) -> list[PulledTable]:
    known: pa.Table = current_slices(settings.landing, all_table_specs(), settings.as_known_at)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("known_slices", known)
        relation = f"(select {', '.join(_PULL_COLUMNS)}, pulled_at, row_count, content_hash from known_slices)"
        write_parquet(connection, relation, file, order_by=_PULL_COLUMNS)
        rows = connection.execute(
            f"select source_name, table_name, max(pull_id), count(*), cast(sum(row_count) as bigint) "
            f"from {relation} group by all order by source_name, table_name"
        ).fetchall()
    return [PulledTable(*row) for row in rows]


def _files(folder: Path) -> list[FrozenFile]:
    import pyarrow.parquet as pq  # noqa: PLC0415

    return [
        FrozenFile(
            file=str(path.relative_to(folder)),
            row_count=pq.read_metadata(path).num_rows,
            byte_count=path.stat().st_size,
            sha256=sha256_of(path),
        )
        for path in sorted(folder.rglob("*.parquet"))
    ]
