"""The models that split a bill, as dbt compiles them, on tables in memory: hundreds of bills a minute.

Belongs here: their inputs and outputs. Does not belong here: a second opinion on what they should do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
from harness import Company
from random_bills import Cell, Logged, ProviderDay, class_in_warehouse

DAY = date(2026, 1, 1)

_INPUTS = ("marts.fct_provider_charges", "marts.fct_provider_usage", "intermediate.int_llm_requests__attributed")
_VIEWS = ("int_llm_requests__billing_weights", "int_billed_prices__pivoted", "fct_llm_requests")
_TABLES = ("int_charges__allocated", "unattributed_cost_by_provider_day")


@dataclass(frozen=True)
class Split:
    """What became of a bill: rows of the models."""

    requests: list[dict[str, Any]]
    unattributed: list[dict[str, Any]]
    allocated: list[dict[str, Any]]

    @property
    def total_usd(self) -> Decimal:
        """What requests take and what none of them takes."""
        taken = [row["billed_cost_usd"] for row in self.requests if row["billed_cost_usd"] is not None]
        return sum(taken, Decimal(0)) + sum((row["amount_usd"] for row in self.unattributed), Decimal(0))


class AllocationLab:
    """The compiled models over tables of one's own."""

    def __init__(self, company: Company) -> None:
        results = company.dbt("compile", "--select", *_VIEWS, *_TABLES)
        self._sql = {result.node.name: (result.node.schema, result.node.compiled_code) for result in results}
        self._connection = duckdb.connect()
        self._connection.execute("set TimeZone = 'UTC'")
        self._connection.execute("attach ':memory:' as warehouse")
        self._connection.execute(f"attach '{company.home / 'warehouse.duckdb'}' as built (read_only)")
        for schema in ("marts", "intermediate"):
            self._connection.execute(f"create schema warehouse.{schema}")
        for name in (*_INPUTS, "intermediate.int_charges__allocated"):
            self._connection.execute(f"create table warehouse.{name} as from built.{name} limit 0")
        for name in _VIEWS:
            schema, sql = self._sql[name]
            self._connection.execute(f"create view warehouse.{schema}.{name} as {sql}")

    def split(self, days: Sequence[ProviderDay], *, backwards: bool = False) -> Split:
        """Split the bills of one day; with every table in the opposite order when `backwards`."""
        order = slice(None, None, -1 if backwards else 1)
        for name, rows in zip(_INPUTS, _input_rows(days), strict=True):
            self._connection.execute(f"truncate warehouse.{name}")
            if rows:
                self._insert(name, rows[order])
        for name in _TABLES:
            schema, sql = self._sql[name]
            self._connection.execute(f"create or replace table warehouse.{schema}.{name} as {sql}")
        return Split(
            self._rows("select * from warehouse.marts.fct_llm_requests order by request_key"),
            self._rows("select * from warehouse.marts.unattributed_cost_by_provider_day order by all"),
            self._rows("select * from warehouse.intermediate.int_charges__allocated order by all"),
        )

    def _insert(self, name: str, rows: list[dict[str, Any]]) -> None:
        # Arrow takes the columns from the first row alone.
        columns = dict.fromkeys(column for row in rows for column in row)
        table = pa.Table.from_pylist([{column: row.get(column) for column in columns} for row in rows])
        self._connection.register("landed", table)
        self._connection.execute(f"insert into warehouse.{name} by name select * from landed")
        self._connection.unregister("landed")

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        cursor = self._connection.execute(sql)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _input_rows(days: Sequence[ProviderDay]) -> tuple[list[dict[str, Any]], ...]:
    charges: list[dict[str, Any]] = []
    counts: list[dict[str, Any]] = []
    requests: list[dict[str, Any]] = []
    for day in days:
        charges += [_charge(day.provider, "usage", amount, cell, name) for cell, name, amount in day.charges]
        charges += [_charge(day.provider, "credit", amount, None, None) for _, amount in day.other_charges]
        counts += [
            {**_keys(day.provider, cell, name), "quantity": Decimal(count), "quantity_unit": "tokens"}
            for (cell, name), count in day.counts.items()
        ]
        requests += [_attributed(day.provider, each, len(requests) + n) for n, each in enumerate(day.requests)]
    return charges, counts, requests


def _charge(provider: str, category: str, amount: Decimal, cell: Cell | None, name: str | None) -> dict[str, Any]:
    return {
        **_keys(provider, cell, name),
        "charge_category": category,
        "billed_cost_usd": pa.scalar(amount, pa.decimal128(38, 12)).as_py(),
    }


def _keys(provider: str, cell: Cell | None, name: str | None) -> dict[str, Any]:
    return {
        "usage_date": DAY,
        "provider": provider,
        "provider_project": cell.project if cell else None,
        "priced_model": cell.model if cell else None,
        "service_tier": cell.tier if cell else None,
        "usage_class": class_in_warehouse(provider, name) if name else None,
    }


def _attributed(provider: str, logged: Logged, number: int) -> dict[str, Any]:
    tokens = logged.tokens or {}
    status = {"success": "priced", "rate_limited": "refused_by_provider"}[logged.outcome]
    return {
        "usage_date": DAY,
        "request_key": f"request {number:04}",
        "provider": provider,
        "provider_project": logged.cell.project,
        "priced_model": logged.cell.model,
        "service_tier": logged.cell.tier,
        "price_status": "response_cache_hit" if logged.is_from_own_cache else status,
        "input_tokens": None if logged.tokens is None else sum(tokens.values()) - tokens["output"],
        "output_tokens": tokens.get("output"),
        "web_search_requests": Decimal(logged.searches) if logged.searches else None,
        **{f"{class_in_warehouse(provider, name)}_class_tokens": count for name, count in tokens.items()},
    }
