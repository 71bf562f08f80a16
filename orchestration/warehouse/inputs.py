"""Fingerprints of what the warehouse would be built from now.

Belongs here: putting together what has landed, the price book, the alert rules and the code, for each dbt
op. Does not belong here: remembering what was built (`state`), and reading the landing zone's manifests
(`orchestration.landing.state`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from orchestration.alerting.events import events_file
from orchestration.connectors.base import TableKind, TableSpec, Window
from orchestration.landing.schemas import all_table_specs
from orchestration.landing.state import current_slices
from orchestration.settings import Settings
from orchestration.warehouse.project import DbtManifest, DbtOp
from orchestration.warehouse.state import (
    EVALUATED_PART,
    DailyInput,
    Reach,
    WarehouseState,
    covers,
    day_fingerprints,
    files_fingerprint,
    fingerprint,
    stale_days,
)

_SLICE_COLUMNS = ["source_name", "table_name", "usage_date", "slice_key", "content_hash", "row_count"]

_LANDING = "landing"
_PRICING = "pricing"
_ALERT_RULES = "alert_rules"
_LOOKBACK = "outcome_lookback_days"


@dataclass(frozen=True)
class Reaches:
    """How far a day of each kind of table reaches, from the models that look over midnight.

    An operation takes the first two hours of the next day along, a request that was seen before midnight is not counted
    after it, and a verdict looks for its operation in the days of the look-back, which begins a day earlier at most.
    """

    bills: Reach
    outcomes: Reach
    requests: Reach

    @classmethod
    def of(cls, manifest: DbtManifest) -> Reaches:
        """Return them for a project and its `outcome_lookback_days`."""
        lookback: int = manifest.variables[_LOOKBACK]
        return cls(
            bills=Reach(days_before=0, days_after=1),
            outcomes=Reach(days_before=lookback, days_after=0),
            requests=Reach(days_before=lookback + 2, days_after=1),
        )

    @property
    def widest(self) -> Reach:
        """The reach that holds all others."""
        return self.requests


@dataclass(frozen=True)
class Inputs:
    """What each op would be built from now.

    Attributes:
        code: Fingerprint of each op's code.
        days: Fingerprint of each UTC day's inputs of the daily op.
        reference: Fingerprint of the reference op's inputs.
        rollup_static: Fingerprint of the roll-ups' code, prices and tables without days.
        rows: Landed rows of each UTC day, every version counted.
        reach: How many days around a changed one change with it, at most.
    """

    code: Mapping[DbtOp, str]
    days: Mapping[date, str]
    reference: str
    rollup_static: str
    rows: Mapping[date, int]
    reach: Reach

    def rollup(self, built_days: Mapping[date, str]) -> str:
        """Return the fingerprint of the roll-ups' inputs, given what the days were built from."""
        return fingerprint([self.rollup_without_days, *sorted(built_days.items())])

    @property
    def rollup_without_days(self) -> str:
        """Fingerprint of what every day of the roll-ups is made of."""
        return fingerprint([self.rollup_static, self.reference])


def current_inputs(settings: Settings, manifest: DbtManifest) -> Inputs:
    """Read what has landed and the price book, and return the fingerprints of every op's inputs."""
    specs = {spec.name: spec for spec in all_table_specs()}
    inputs = manifest.inputs
    reaches = Reaches.of(manifest)
    # The manifest of the landing zone tells which slices count, and so it is in every fingerprint already.
    tables = {op: inputs[op].tables_of(_LANDING) & specs.keys() for op in DbtOp}
    landed, rows = _landed_slices(settings, specs.values())
    rule_files = set(settings.pricing.glob("alert_*.csv"))
    price_files = set(settings.pricing.glob("*.csv")) - rule_files
    prices = files_fingerprint([*price_files, *(settings.home / "pricing").glob("*.csv")])
    rules = files_fingerprint(rule_files)

    def static(op: DbtOp) -> str:
        without_days = sorted(table for table in tables[op] if specs[table].kind is TableKind.STATE)
        return fingerprint(
            [
                inputs[op].code,
                settings.as_known_at,
                prices if inputs[op].tables_of(_PRICING) else "",
                rules if inputs[op].tables_of(_ALERT_RULES) else "",
                [landed.get(table) for table in without_days],
            ]
        )

    def daily(names: Iterable[str], reach: Reach) -> DailyInput:
        days: dict[date, list[object]] = defaultdict(list)
        for table in sorted(names):
            for day, identities in landed.get(table, {}).items():
                if day is not None:
                    days[day].append((table, identities))
        return DailyInput({day: fingerprint(parts) for day, parts in days.items()}, reach)

    read = tables[DbtOp.DAILY]
    bills = {table for table in read if specs[table].kind is TableKind.WINDOW}
    outcomes = {table for table in read if table == "product_outcomes"}
    requests = {table for table in read if specs[table].kind is TableKind.APPEND} - outcomes
    return Inputs(
        code={op: inputs[op].code for op in DbtOp},
        days=day_fingerprints(
            [daily(bills, reaches.bills), daily(outcomes, reaches.outcomes), daily(requests, reaches.requests)],
            static(DbtOp.DAILY),
        ),
        # Views hold the paths that they read: after a move they would go on reading the folder they came from.
        reference=fingerprint([static(DbtOp.REFERENCE), str(settings.home), str(settings.pricing)]),
        rollup_static=static(DbtOp.ROLLUP),
        rows=rows,
        reach=reaches.widest,
    )


def is_built(settings: Settings, manifest: DbtManifest, days: Window) -> bool:
    """Tell whether every op stands on what it would be built from now, and the rules were evaluated for `days`."""
    inputs = current_inputs(settings, manifest)
    state = WarehouseState.load(settings.warehouse_state, settings.warehouse)
    rolled_up = inputs.rollup(state.days)
    return (
        state.parts.get(DbtOp.REFERENCE) == inputs.reference
        and state.code == inputs.code[DbtOp.DAILY]
        and not stale_days(inputs.days, state.days)
        and state.parts.get(DbtOp.ROLLUP) == rolled_up
        and covers(state.parts.get(EVALUATED_PART), rolled_up, days)
    )


def publication(settings: Settings, rolled_up: str) -> str:
    """Return the fingerprint of what a publication is made of, given that of the roll-ups' inputs.

    The history of incidents is written after the roll-ups were built, and read by a view.
    """
    return fingerprint([rolled_up, files_fingerprint([events_file(settings)])])


def _landed_slices(
    settings: Settings, tables: Iterable[TableSpec]
) -> tuple[dict[str, dict[date | None, list[object]]], dict[date, int]]:
    """Return, for each table and day, what identifies the slices that count, and the rows of each day."""
    slices: dict[str, dict[date | None, list[object]]] = defaultdict(lambda: defaultdict(list))
    rows: dict[date, int] = defaultdict(int)
    current = current_slices(settings.landing, tables, settings.as_known_at)
    for row in current.select(_SLICE_COLUMNS).to_pylist():
        identity = (row["source_name"], row["slice_key"], row["content_hash"])
        slices[row["table_name"]][row["usage_date"]].append(identity)
        if row["usage_date"] is not None:
            rows[row["usage_date"]] += row["row_count"]
    for days in slices.values():
        for identities in days.values():
            identities.sort(key=repr)
    return slices, rows
