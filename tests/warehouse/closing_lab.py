"""A company of the harness as an installation that publishes, closes and replays.

Belongs here: what the command line does around dbt, done with the harness's dbt, which is parsed once. Does not belong
here: what is tested.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from harness import Company

from orchestration.closing.as_known import AsKnown, build_whole, lay_out
from orchestration.closing.close import close_state
from orchestration.closing.price_book import PriceBook
from orchestration.closing.receipt import ClosedMonth
from orchestration.publishing.publish import publish
from orchestration.settings import Settings
from orchestration.warehouse.inputs import Inputs, current_inputs, publication
from orchestration.warehouse.project import DbtManifest, DbtOp
from orchestration.warehouse.runner import CommandResult, NodeListener, NodeResult
from orchestration.warehouse.state import PUBLISHED_PART, WarehouseState


class Installation:
    """One company with its published marts."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.settings = Settings(home=company.home, pricing=company.home / "seeds")
        self.manifest = DbtManifest.read(company.manifest_file)

    def inputs(self) -> Inputs:
        """Return what each op would be built from now."""
        return current_inputs(self.settings, self.manifest)

    def run(self) -> None:
        """Build what has landed and publish it, as `trueup run` leaves it."""
        inputs = self.inputs()
        self.company.build(min(inputs.days), max(inputs.days))
        self.company.roll_up()
        self.company.connect().close()
        publish(self.settings.warehouse, self.settings.published, self.manifest.path, None)
        self.remember()

    def remember(self) -> None:
        """Note that what is published is made of what has landed."""
        inputs = self.inputs()
        rolled_up = inputs.rollup(inputs.days)
        WarehouseState(
            code=inputs.code[DbtOp.DAILY],
            days=inputs.days,
            parts={DbtOp.ROLLUP: rolled_up, PUBLISHED_PART: publication(self.settings, rolled_up)},
            published_days=inputs.days,
        ).save(self.settings.warehouse_state)

    def close(self, month: str, at: datetime, reason: str | None = None) -> ClosedMonth:
        """Close a month at a moment."""
        return close_state(self.settings, self.manifest, month, reason, now=lambda: at)

    def as_known(self, settings: Settings, moment: datetime, into: Path, *, prices: PriceBook | None = None) -> AsKnown:
        """Do what `build_as_known` does."""
        home = lay_out(settings, moment, into, prices or PriceBook.of(settings))
        # Where the harness's dbt, which was parsed for one place, looks for the price book.
        (into / "seeds").unlink(missing_ok=True)
        (into / "seeds").symlink_to(home.pricing)
        os.environ["TRUEUP_AS_KNOWN_AT"] = moment.isoformat()
        try:
            return build_whole(home, self.manifest, _HarnessDbt(self.company, into))
        finally:
            del os.environ["TRUEUP_AS_KNOWN_AT"]


class _HarnessDbt:
    """The harness's dbt behind the protocol of `closing.as_known`."""

    def __init__(self, company: Company, home: Path) -> None:
        self._company = company
        self._home = home

    def run(self, arguments: Sequence[str], on_node: NodeListener | None = None) -> CommandResult:
        del on_node
        results = self._company._dbt.run(self._home, *arguments)
        nodes = tuple(NodeResult(r.node.unique_id, str(r.status), 0.0, r.failures, r.message) for r in results)
        return CommandResult(nodes, success=True)
