"""The models that split a bill, as dbt compiles them, on tables in memory: hundreds of bills a minute.

Belongs here: their inputs and outputs. Does not belong here: a second opinion on what they should do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
from harness import Company
from random_bills import Cell, Logged, ProviderDay, class_in_warehouse

UNIT = Decimal("1e-12")

_INPUTS = ("marts.fct_provider_charges", "marts.fct_provider_usage", "intermediate.int_llm_requests__attributed")
_VIEWS = ("fct_llm_requests", "llm_usage_by_tenant_feature_model_day", "unit_economics_by_model_day")
_TABLES = (
    "int_usages__keyed",
    "int_charges__keyed",
    "int_llm_requests__weighed",
    "int_billing_claims__matched",
    "int_charges__allocated",
    "int_billed_prices__pivoted",
    "int_billed_remainders__placed",
    "unattributed_cost_by_provider_day",
)


@dataclass(frozen=True)
class Split:
    """What became of a bill: rows of the models."""

    requests: list[dict[str, Any]]
    unattributed: list[dict[str, Any]]
    allocated: list[dict[str, Any]]

    @property
    def totals_usd(self) -> dict[tuple[date, str], Decimal]:
        """By day and provider: what requests take and what none of them takes."""
        totals: dict[tuple[date, str], Decimal] = {}
        for row in [*self.requests, *self.unattributed]:
            amount = row["amount_usd"] if "amount_usd" in row else row["billed_cost_usd"]
            key = row["usage_date"], row["provider"]
            totals[key] = totals.get(key, Decimal(0)) + (amount or 0)
        return totals

    def sums_of_cells(self) -> dict[tuple[date, str], tuple[Decimal, Decimal]]:
        """By day and provider: what cells were charged, and what was taken from them or left in them."""
        sums: dict[tuple[date, str], tuple[Decimal, Decimal]] = {}
        for row in self.allocated:
            key = row["usage_date"], row["provider"]
            own, gone = sums.get(key, (Decimal(0), Decimal(0)))
            sums[key] = own + row["own_units"] * UNIT, gone + (row["taken_units"] + row["left_units"]) * UNIT
        return sums


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
        for name in _INPUTS:
            self._connection.execute(f"create table warehouse.{name} as from built.{name} limit 0")
        for name in _TABLES:
            schema, _ = self._sql[name]
            self._connection.execute(f"create table warehouse.{schema}.{name} as from built.{schema}.{name} limit 0")
        for name in _VIEWS:
            schema, sql = self._sql[name]
            self._connection.execute(f"create view warehouse.{schema}.{name} as {sql}")
        # dbt opens the same file in this process, and DuckDB refuses a second way of opening one.
        self._connection.execute("detach built")

    def split(self, days: Mapping[tuple[date, str], ProviderDay], *, backwards: bool = False) -> Split:
        """Split the bills of many days at once; with every table in the opposite order when `backwards`."""
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


def _input_rows(days: Mapping[tuple[date, str], ProviderDay]) -> tuple[list[dict[str, Any]], ...]:
    charges: list[dict[str, Any]] = []
    counts: list[dict[str, Any]] = []
    requests: list[dict[str, Any]] = []
    for (usage_date, provider), day in days.items():
        key = {"usage_date": usage_date, "provider": provider}
        charges += [{**key, **_charge("usage", amount, cell, name, provider)} for cell, name, amount in day.charges]
        charges += [{**key, **_charge("usage", amount, cell, None, provider)} for cell, amount in day.lumps]
        charges += [{**key, **_charge("credit", amount, None, None, provider)} for _, amount in day.other_charges]
        counts += [
            {**key, **_keys(cell, name, provider), "quantity": Decimal(count), "quantity_unit": "tokens"}
            for (cell, name), count in day.counts.items()
        ]
        # A day's requests are called the same whichever days are beside it: of equals, the key says who gets a unit.
        requests += [
            {**key, "request_key": f"{usage_date} {provider} {number:03}", **_attributed(each, provider)}
            for number, each in enumerate(day.requests)
        ]
    return charges, counts, requests


def _charge(category: str, amount: Decimal, cell: Cell | None, name: str | None, provider: str) -> dict[str, Any]:
    return {
        **_keys(cell, name, provider),
        "charge_category": category,
        "billed_cost_usd": pa.scalar(amount, pa.decimal128(38, 12)).as_py(),
    }


def _keys(cell: Cell | None, name: str | None, provider: str) -> dict[str, Any]:
    return {
        "provider_account": cell.account if cell else "org",
        "provider_project": cell.project if cell else None,
        "provider_api_key_id": cell.key if cell else None,
        "priced_model": cell.model if cell else None,
        "service_tier": cell.tier if cell else None,
        "usage_class": class_in_warehouse(provider, name) if name else None,
    }


def _attributed(logged: Logged, provider: str) -> dict[str, Any]:
    tokens = logged.tokens or {}
    status = {"success": "priced", "rate_limited": "refused_by_provider"}[logged.outcome]
    is_priced = logged.tokens is not None and "unpriced" not in logged.cell.model
    return {
        "tenant_id": "acme",
        "feature": "draft",
        "provider_account": logged.cell.account,
        "provider_project": logged.cell.project,
        "provider_api_key_id": logged.cell.key,
        "priced_model": logged.cell.model,
        "service_tier": logged.cell.tier,
        "operation_name": "chat",
        "contracted_cost_usd": Decimal(sum(tokens.values())) / 10**6 if is_priced else None,
        "price_status": "response_cache_hit" if logged.is_from_own_cache else status,
        "input_tokens": None if logged.tokens is None else sum(tokens.values()) - tokens["output"],
        "output_tokens": tokens.get("output"),
        "web_search_requests": Decimal(logged.searches) if logged.searches else None,
        **{f"{class_in_warehouse(provider, name)}_class_tokens": count for name, count in tokens.items()},
    }
