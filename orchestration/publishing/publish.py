"""Publishing: from the warehouse to a new version that readers see, or to none at all.

Belongs here: the order of the steps, and deciding which slices are written. Does not belong here: how a
step is done.

A slice is written anew only when its rows changed: its row count or a sum of money differs from what was
published, or, when these agree, a fingerprint over every value does. For a day of a fact the fingerprint comes
last because it costs as much as writing, and most changed days already show in a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import duckdb

from orchestration.publishing.catalogue import (
    Catalogue,
    PublishedFile,
    PublishedMart,
    files_of,
    read_catalogue,
)
from orchestration.publishing.changed_days import Changed, forget_days, note_changed_days, noted_days
from orchestration.publishing.errors import PublishError
from orchestration.publishing.evidence import Evidence, collect_evidence, collect_fingerprints
from orchestration.publishing.marts import PublicMart, Shape, read_public_marts, read_roll_up, read_shape
from orchestration.publishing.marts_file import (
    DuckDBConfig,
    build_marts_file,
    files_relation,
    verify_marts_file,
)
from orchestration.publishing.parquet import Wanted, write_slices
from orchestration.publishing.sessions import side_by_side
from orchestration.publishing.slices import DAY_COLUMN, Slice, Slicing
from orchestration.publishing.versions import (
    close_staging,
    collect_garbage,
    current_version,
    install,
    marts_path,
    new_version,
    open_staging,
    publishing_lock,
    remove_unfinished,
    switch,
)
from orchestration.sql import identifier, literal


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class MartResult:
    """What became of one mart.

    Attributes:
        name: Of the mart.
        row_count: Rows in the version that readers see now.
        slices_written: UTC days, or first days of months, whose file is new; empty for a mart published whole.
        slices_removed: Those that had rows before and have none now.
        is_written: Whether any file of it is new.
        byte_count: Size of all its files.
    """

    name: str
    row_count: int
    slices_written: tuple[date, ...]
    slices_removed: tuple[date, ...]
    is_written: bool
    byte_count: int


@dataclass(frozen=True)
class PublishResult:
    """What a publication did.

    Attributes:
        version: The version that readers see now.
        previous_version: The one that they saw before; None at first.
        marts: By name, in the order of their names.
        dropped_versions: Versions that were deleted.
    """

    version: str
    previous_version: str | None
    marts: tuple[MartResult, ...]
    dropped_versions: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Tell whether readers see a new version."""
        return self.version != self.previous_version


@dataclass(frozen=True)
class _MartPlan:
    """Which files of a mart stay, and which slices are written, with the warehouse's evidence."""

    mart: PublicMart
    shape: Shape
    kept: Mapping[Slice, PublishedFile]
    to_write: Mapping[Slice, Evidence]
    removed: frozenset[Slice]
    is_reshaped: bool

    @property
    def is_changed(self) -> bool:
        return bool(self.to_write or self.removed or self.is_reshaped)

    def wanted(self, staging: Path) -> Wanted:
        """Return what is to be written, below `staging`."""
        counts = {slice_: evidence.row_count for slice_, evidence in self.to_write.items()}
        folder = staging / self.mart.name
        return Wanted(self.mart.relation, self.shape, counts, folder, self.mart.order, self.mart.largest_first)


def publish(
    warehouse: Path,
    published: Path,
    manifest_json: Path,
    changed_dates: Collection[date] | None,
    *,
    rolled_up_dates: Collection[date] | None = None,
    now: Callable[[], datetime] = utc_now,
    memory_limit: str = "600MB",
) -> PublishResult:
    """Publish the public marts of the warehouse; publish nothing when no row changed.

    Must not run while dbt writes. Days that `note_changed_days` has noted are looked at in any case. Marts
    that are new, or whose columns changed, are published whole; what is neither built nor rolled up by day is
    compared whole. A published file that was lost or cut off is written again.

    Args:
        warehouse: The DuckDB file that dbt builds; opened read-only.
        published: The folder that readers open; made when missing.
        manifest_json: dbt's manifest; public is every model with `config.meta.published: true`.
        changed_dates: UTC days whose rows may have changed since the last publication; None for all.
        rolled_up_dates: The same of roll-ups that replace the days of a run.
        now: The clock.
        memory_limit: DuckDB's limit; the process takes about 200 MB more.

    Raises:
        PublishError: When anything is missing or differs. Readers keep the version they had, and what was
            written for this one is removed by the next publication.
    """
    published = published.absolute()
    note_changed_days(published, changed_dates)
    note_changed_days(published, rolled_up_dates, Changed.ROLL_UPS)
    with publishing_lock(published):
        remove_unfinished(published)
        try:
            return _publish(warehouse, published, manifest_json, now, {"memory_limit": memory_limit})
        except duckdb.Error as error:
            raise PublishError(f"publishing failed, readers keep what they had: {error}") from error


def _publish(
    warehouse: Path, published: Path, manifest_json: Path, now: Callable[[], datetime], config: DuckDBConfig
) -> PublishResult:
    public = read_public_marts(manifest_json)
    days = {what: noted_days(published, what) for what in Changed}
    current = current_version(published)
    previous = read_catalogue(marts_path(published, current)) if current else None
    with _open_warehouse(warehouse, public.database, config, published) as connection:
        plans = side_by_side(
            connection, lambda session, mart: _plan(session, mart, previous, published, days), public.marts
        )
        if previous and _is_unchanged(previous, plans):
            _forget(published, days)
            marts = tuple(_result(plan, previous.marts[plan.mart.name]) for plan in plans)
            return PublishResult(previous.version, previous.version, marts)
        moment = now()
        name = new_version(moment, current)
        staging = open_staging(published, name)
        staged = write_slices(connection, {plan.mart.name: plan.wanted(staging) for plan in plans if plan.to_write})
    catalogue = Catalogue(
        version=name,
        published_at=moment,
        dbt_invocation_id=public.dbt_invocation_id,
        code_version=_code_version(),
        marts={plan.mart.name: _install(plan, staged.get(plan.mart.name, {}), published, name) for plan in plans},
    )
    marts_file = staging / "marts.duckdb"
    build_marts_file(marts_file, published, catalogue, config)
    verify_marts_file(marts_file, published, catalogue, {p.mart.name: p.to_write for p in plans}, config)
    install(marts_file, marts_path(published, name))
    switch(published, name)
    close_staging(staging)
    _forget(published, days)
    return PublishResult(
        version=name,
        previous_version=current,
        marts=tuple(_result(plan, catalogue.marts[plan.mart.name]) for plan in plans),
        dropped_versions=tuple(collect_garbage(published, files_of, sweep=previous is None)),
    )


@contextmanager
def _open_warehouse(
    warehouse: Path, database: str, config: DuckDBConfig, published: Path
) -> Generator[duckdb.DuckDBPyConnection]:
    """Attach the warehouse read-only under the name that the SQL of its views uses."""
    if not warehouse.exists():
        raise PublishError(f"there is no warehouse at {warehouse}; build it before publishing")
    with duckdb.connect(config={**config, "temp_directory": str(published / ".spill")}) as connection:
        # Several threads then write one file without waiting for each other's rows.
        connection.execute("set preserve_insertion_order = false")
        try:
            connection.execute(f"attach {literal(str(warehouse))} as {identifier(database)} (read_only)")
        except duckdb.Error as error:
            raise PublishError(f"cannot open the warehouse {warehouse}: {error}; is dbt still writing?") from error
        yield connection


def _forget(published: Path, days: Mapping[Changed, Collection[date] | None]) -> None:
    for what, seen in days.items():
        forget_days(published, seen, what)


def _is_unchanged(previous: Catalogue, plans: Collection[_MartPlan]) -> bool:
    same_marts = set(previous.marts) == {plan.mart.name for plan in plans}
    return same_marts and not any(plan.is_changed for plan in plans)


def _plan(
    connection: duckdb.DuckDBPyConnection,
    mart: PublicMart,
    previous: Catalogue | None,
    published: Path,
    days: Mapping[Changed, Collection[date] | None],
) -> _MartPlan:
    shape = read_shape(connection, mart)
    before = previous.marts.get(mart.name) if previous else None
    if before is not None and not shape.has_comparable_rows(before.shape):
        before = None
    slices = None if before is None else _changed_slices(mart, shape.slicing, days)
    published_slices: dict[Slice, PublishedFile] = dict(before.files) if before else {}
    damaged = {s for s, file in published_slices.items() if not file.is_intact(published)}
    if slices is not None:
        slices |= damaged
    looked_at = {s: file for s, file in published_slices.items() if slices is None or s in slices}
    roll_up = read_roll_up(connection, mart, shape)
    found = collect_evidence(connection, mart.relation, shape, slices, rolled_up=roll_up)
    if shape.slicing is Slicing.DAY and None in found:
        raise PublishError(f"{mart.name} has {found[None].row_count} rows without a {DAY_COLUMN}; mend the model")
    same_evidence = [s for s, file in looked_at.items() if s not in damaged and file.shows(found.get(s))]
    unchanged = set(same_evidence)
    if before is not None and unchanged and shape.slicing is Slicing.DAY:
        unchanged = _same_rows(
            connection, mart.relation, files_relation(published, before, unchanged), shape, unchanged
        )
    to_write = {s: evidence for s, evidence in found.items() if s not in unchanged}
    removed = frozenset(looked_at) - frozenset(found)
    return _MartPlan(
        mart=mart,
        shape=shape,
        kept={s: file for s, file in published_slices.items() if s not in to_write and s not in removed},
        to_write=to_write,
        removed=removed,
        is_reshaped=before is None or shape != before.shape,
    )


def _changed_slices(
    mart: PublicMart, slicing: Slicing, days: Mapping[Changed, Collection[date] | None]
) -> set[Slice] | None:
    """Return the slices that hold days which may have changed; None when each of them may."""
    if slicing is Slicing.DAY:
        changed = days[Changed.FACTS]
        return None if changed is None else slicing.holding(changed)
    rolled_up = days[Changed.ROLL_UPS]
    if slicing is Slicing.WHOLE or mart.days_after is None or rolled_up is None:
        return None
    replaced = (day + timedelta(days=ahead) for day in rolled_up for ahead in range(mart.days_after + 1))
    return slicing.holding(replaced)


def _same_rows(
    connection: duckdb.DuckDBPyConnection, relation: str, published_files: str, shape: Shape, slices: Collection[Slice]
) -> set[Slice]:
    """Return those of `slices` whose published files hold exactly the rows of the warehouse."""
    ours = collect_fingerprints(connection, relation, shape, slices)
    try:
        theirs = collect_fingerprints(connection, published_files, shape, slices)
    except duckdb.Error:
        return set()  # a damaged or missing file is written anew
    return {s for s in slices if ours.get(s) == theirs.get(s)}


def _install(plan: _MartPlan, staged: Mapping[Slice, Path], published: Path, name: str) -> PublishedMart:
    """Move the new files of a mart into place, where no version names them yet."""
    files = dict(plan.kept)
    for slice_, path in staged.items():
        file = f"{plan.shape.slicing.folder(plan.mart.name, slice_)}/{name}.parquet"
        byte_count = path.stat().st_size
        install(path, published / file)
        evidence = plan.to_write[slice_]
        files[slice_] = PublishedFile(
            slice_=slice_,
            file=file,
            byte_count=byte_count,
            row_count=evidence.row_count,
            totals_json=evidence.totals_json(),
            fingerprint=evidence.fingerprint,
            written_in_version=name,
        )
    return PublishedMart(plan.mart.name, plan.shape, files)


def _result(plan: _MartPlan, mart: PublishedMart) -> MartResult:
    return MartResult(
        name=mart.name,
        row_count=mart.row_count,
        slices_written=tuple(sorted(s for s in plan.to_write if s is not None)),
        slices_removed=tuple(sorted(s for s in plan.removed if s is not None)),
        is_written=bool(plan.to_write),
        byte_count=sum(file.byte_count for file in mart.files.values()),
    )


def _code_version() -> str:
    try:
        return version("trueup")
    except PackageNotFoundError:
        return "unknown"
