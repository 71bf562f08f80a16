"""The marts as they were known at a past moment, in a folder of their own.

Belongs here: laying out such a folder, building everything in it, publishing it. Does not belong here: which
pulls count at a moment (`dbt_project/macros/landing.sql`), and comparing two moments (`restatements`).

The folder is a `TRUEUP_HOME` of its own: its warehouse, its published marts, its logs. What has landed stays
where it is and is only read, through links. Nothing of the installation changes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from orchestration.alerting.events import ensure_events_file
from orchestration.closing.errors import ClosingError
from orchestration.closing.price_book import PriceBook
from orchestration.connectors.base import Window
from orchestration.landing.schemas import ensure_schema_files
from orchestration.partitions import ONE_DAY
from orchestration.publishing.errors import PublishError
from orchestration.publishing.publish import publish
from orchestration.settings import Settings
from orchestration.warehouse.args import build_arguments
from orchestration.warehouse.build import Selection
from orchestration.warehouse.inputs import current_inputs
from orchestration.warehouse.plan import build_commands, split_by_rows
from orchestration.warehouse.project import DbtManifest, DbtOp, DbtProjectError, prepared_manifest
from orchestration.warehouse.runner import CommandResult, DbtError, DbtProcess, NodeListener

_MARKER = "as_known.json"
_BUILT = ("dbt", "published", "price_book", "pricing", "tmp", "warehouse.duckdb", "warehouse.duckdb.wal")
_GOOD = frozenset({"success", "pass", "warn"})


class Dbt(Protocol):
    """Whatever runs dbt commands; `DbtProcess` does."""

    def run(self, arguments: Sequence[str], on_node: NodeListener | None = None) -> CommandResult:
        """Run one command and return what became of each node."""
        ...


@dataclass(frozen=True)
class AsKnown:
    """Marts that were built as of a moment.

    Attributes:
        settings: Of the folder; `settings.published` is what readers open.
        as_known_at: The moment.
        days: The UTC days that had landed by then, in one range.
        version: The published version.
        manifest: The dbt project that it was built by.
    """

    settings: Settings
    as_known_at: datetime
    days: Window
    version: str
    manifest: DbtManifest


def default_folder(settings: Settings, moment: datetime) -> Path:
    """Return the folder of a moment when none is named: below `TRUEUP_HOME/as_known`."""
    return settings.home / "as_known" / f"{moment.astimezone(UTC):%Y%m%dT%H%M%S%fZ}"


def build_as_known(
    settings: Settings,
    moment: datetime,
    into: Path,
    *,
    prices: PriceBook | None = None,
    on_node: NodeListener | None = None,
) -> AsKnown:
    """Build and publish the marts as of `moment` in the folder `into`.

    Args:
        settings: The installation whose landing zone is read.
        moment: With a zone. Pulls that began later do not count.
        into: A new folder, or one that an earlier call made; its warehouse and marts are then replaced.
        prices: The price book to build with; by default today's, of which the rows count that were known by
            then.
        on_node: Told when a dbt node begins or ends.

    Raises:
        ClosingError: When nothing had landed by then, when the folder is not ours, or when a model or a check
            that blocks fails.
    """
    home = lay_out(settings, moment, into, prices or PriceBook.of(settings))
    try:
        with closing(DbtProcess(home)) as dbt:
            manifest = DbtManifest.read(prepared_manifest(home, process=dbt))
            return build_whole(home, manifest, dbt, on_node)
    except (DbtError, DbtProjectError, PublishError) as error:
        raise ClosingError(f"the marts as known then cannot be built: {error}") from error


def lay_out(settings: Settings, moment: datetime, into: Path, prices: PriceBook) -> Settings:
    """Prepare the folder and return its settings. What an earlier build left there is removed."""
    if moment.tzinfo is None:
        raise ClosingError(f"{moment} needs a zone, for example {moment.isoformat()}Z")
    folder = into.expanduser().absolute()
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARKER).exists():
        raise ClosingError(f"{folder} holds something else; name a new folder")
    if not settings.landing.is_dir():
        raise ClosingError(f"nothing has landed in {settings.landing}; run `trueup run` first")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARKER).write_text(
        json.dumps({"as_known_at": moment.isoformat(), "landing": str(settings.landing)}, indent=1) + "\n"
    )
    for name in _BUILT:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    _link_landing(settings.landing.resolve(), folder / "landing")
    (folder / "tmp").mkdir()
    prices.unpack(book=folder / "price_book", own=folder / "pricing")
    home = replace(settings, home=folder, as_known_at=moment.astimezone(UTC), pricing=folder / "price_book")
    # Incidents are what people were told, not what was known; a past state has none.
    ensure_events_file(home)
    return home


def _link_landing(landing: Path, links: Path) -> None:
    """Make a landing zone of links to every source. The typed empty files are its own: they follow the code of now."""
    if links.is_symlink():
        links.unlink()
    elif links.exists():
        shutil.rmtree(links)  # it does not follow links
    links.mkdir()
    for source in sorted(path for path in landing.iterdir() if path.is_dir() and not path.name.startswith("_")):
        (links / source.name).symlink_to(source)
    ensure_schema_files(links)


def build_whole(home: Settings, manifest: DbtManifest, dbt: Dbt, on_node: NodeListener | None = None) -> AsKnown:
    """Build every op of a folder that `lay_out` made, day by day in one go, and publish it.

    Raises:
        ClosingError: When nothing had landed, or when a model or a check that blocks fails; nothing is
            published then.
    """
    moment = home.as_known_at
    if moment is None:
        raise ClosingError("a build as known needs its moment")
    inputs = current_inputs(home, manifest)
    if not inputs.days:
        raise ClosingError(f"nothing had landed by {moment.isoformat()}")
    days = Window(min(inputs.days), max(inputs.days) + ONE_DAY)
    whole = {op: Selection.whole(manifest, op) for op in DbtOp}
    commands = build_commands(
        whole[DbtOp.DAILY].levels(manifest), split_by_rows([days], inputs.rows), full_refresh=True
    )
    for arguments in (
        build_arguments(whole[DbtOp.REFERENCE].model_names, whole[DbtOp.REFERENCE].test_names),
        *(
            build_arguments(command.models, command.tests, window=command.window, full_refresh=command.full_refresh)
            for command in commands
        ),
        build_arguments(whole[DbtOp.ROLLUP].model_names, whole[DbtOp.ROLLUP].test_names),
    ):
        _require_good(dbt.run(arguments, on_node))
    result = publish(home.warehouse, home.published, manifest.path, None)
    return AsKnown(settings=home, as_known_at=moment, days=days, version=result.version, manifest=manifest)


def _require_good(result: CommandResult) -> None:
    bad = [node for node in result.nodes if node.status not in _GOOD]
    if bad:
        raise ClosingError(
            "\n".join(
                [
                    "the marts as known then cannot be published:",
                    *(f"{node.unique_id}: {node.status}: {node.message}" for node in bad),
                ]
            )
        )
