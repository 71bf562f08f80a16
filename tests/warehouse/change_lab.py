"""The decomposition on tables in memory: many comparisons in one query.

Belongs here: its inputs as rows, its output as rows. Does not belong here: what it should say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.explain.query import macro

CLASSES = ("input", "cache_read", "cache_write", "output", "fee")
MONEY = pa.decimal128(38, 12)
ZERO = Decimal(0)


@dataclass(frozen=True)
class Cell:
    """What one tenant did with one feature on one model in one tier, on one side; costs in USD by usage class."""

    tenant_id: str
    feature: str
    model: str
    service_tier: str = "standard"
    attempts: int = 0
    own_answers: int = 0
    tokens: Mapping[str, int] | None = None
    costs: Mapping[str, Decimal] | None = None
    terms: Decimal = Decimal(1)
    true_up: Decimal = Decimal(1)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Which cell it is."""
        return (self.tenant_id, self.feature, self.model, self.service_tier)

    @property
    def list_cost_usd(self) -> Decimal:
        """All classes together."""
        return sum((self.costs or {}).values(), ZERO)

    @property
    def effective_cost_usd(self) -> Decimal:
        """What it cost in the end; exact as long as the factors have few digits."""
        return self.list_cost_usd * self.terms * self.true_up

    def times(self, factor: int, *parts: str) -> Cell:
        """Multiply some of `attempts`, `own_answers`, `tokens`, `costs`."""
        changed: dict[str, Any] = {}
        for part in parts:
            value = getattr(self, part)
            changed[part] = (
                {name: each * factor for name, each in value.items()} if isinstance(value, Mapping) else value * factor
            )
        return replace(self, **changed)


@dataclass(frozen=True)
class Side:
    """One period: its cells, and operations by tenant and feature."""

    cells: tuple[Cell, ...]
    operations: Mapping[tuple[str, str], int]
    divisor: int = 1

    def of(self, tenant_id: str) -> Side:
        """Only one tenant."""
        return replace(
            self,
            cells=tuple(cell for cell in self.cells if cell.tenant_id == tenant_id),
            operations={key: count for key, count in self.operations.items() if key[0] == tenant_id},
        )


Comparison = tuple[Side, Side]
Leaf = dict[str, Any]


def decompose(comparisons: Iterable[Comparison]) -> list[list[Leaf]]:
    """Decompose each comparison (baseline, current); one list of leaves for each."""
    comparisons = list(comparisons)
    usage: list[dict[str, Any]] = []
    operations: list[dict[str, Any]] = []
    divisors: list[dict[str, Any]] = []
    for key, (before, after) in enumerate(comparisons):
        divisors.append({"comparison_key": key, "baseline_divisor": before.divisor, "current_divisor": after.divisor})
        for side, is_current in ((before, False), (after, True)):
            usage += [{"comparison_key": key, "is_current": is_current, **_measures(cell)} for cell in side.cells]
            operations += [
                {
                    "comparison_key": key,
                    "is_current": is_current,
                    "tenant_id": tenant,
                    "feature": feature,
                    "operations_count": count,
                }
                for (tenant, feature), count in side.operations.items()
            ]
    with duckdb.connect() as connection:
        # A side without operations is a table all the same.
        connection.register("usage", pa.Table.from_pylist(usage, _USAGE))
        connection.register("operations", pa.Table.from_pylist(operations, _OPERATIONS))
        connection.register("comparisons", pa.Table.from_pylist(divisors))
        rows = connection.execute(
            macro("decomposed_change")("usage", "operations", "comparisons") + " order by all"
        ).fetchall()
        names = [column[0] for column in connection.description or []]
    leaves: list[list[Leaf]] = [[] for _ in comparisons]
    for row in rows:
        leaf = dict(zip(names, row, strict=True))
        leaves[leaf.pop("comparison_key")].append(leaf)
    return leaves


def effects(leaf: Leaf) -> dict[str, Decimal]:
    """Return link → effect."""
    return {name.removesuffix("_effect_usd"): value for name, value in leaf.items() if name.endswith("_effect_usd")}


def total_effects(leaves: Iterable[Leaf]) -> dict[str, Decimal]:
    """Return link → effect over all leaves, without those that did not move."""
    totals: dict[str, Decimal] = {}
    for leaf in leaves:
        for name, value in effects(leaf).items():
            totals[name] = totals.get(name, ZERO) + value
    return {name: value for name, value in totals.items() if value}


def moved_links(leaves: Iterable[Leaf]) -> set[str]:
    """Return the links that have an effect on any leaf."""
    return {name for leaf in leaves for name, value in effects(leaf).items() if value}


def _measures(cell: Cell) -> dict[str, Any]:
    tokens = cell.tokens or {}
    costs = cell.costs or {}
    return {
        "tenant_id": cell.tenant_id,
        "feature": cell.feature,
        "provider": "openai",
        "model": cell.model,
        "service_tier": cell.service_tier,
        "attempts_count": cell.attempts + cell.own_answers,
        "priced_attempts_count": cell.attempts,
        "response_cache_hits_count": cell.own_answers,
        "priced_input_tokens": sum(tokens.get(name, 0) for name in CLASSES[:3]),
        "priced_cache_read_tokens": tokens.get("cache_read", 0),
        "priced_cache_write_tokens": tokens.get("cache_write", 0),
        "priced_output_tokens": tokens.get("output", 0),
        **{f"{name}_cost_usd": _money(costs.get(name, ZERO)) for name in CLASSES},
        "list_cost_usd": _money(cell.list_cost_usd),
        "contracted_cost_usd": _money(cell.list_cost_usd * cell.terms),
        "effective_cost_usd": _money(cell.effective_cost_usd),
    }


def _money(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("1e-12"))


_KEYS = [
    ("comparison_key", pa.int64()),
    ("is_current", pa.bool_()),
    ("tenant_id", pa.string()),
    ("feature", pa.string()),
]
_OPERATIONS = pa.schema([*_KEYS, ("operations_count", pa.int64())])
_USAGE = pa.schema(
    [
        *_KEYS,
        *((name, pa.string()) for name in ("provider", "model", "service_tier")),
        *(
            (name, pa.int64())
            for name in (
                "attempts_count",
                "priced_attempts_count",
                "response_cache_hits_count",
                "priced_input_tokens",
                "priced_cache_read_tokens",
                "priced_cache_write_tokens",
                "priced_output_tokens",
            )
        ),
        *((f"{name}_cost_usd", MONEY) for name in (*CLASSES, "list", "contracted", "effective")),
    ]
)
