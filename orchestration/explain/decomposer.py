"""The drivers of a change, by the macros of the dbt project, planned once for the process.

Belongs here: a database in memory that holds the cells of one comparison while the macros run over them. Does not
belong here: where the cells are from (`change`), and the arithmetic (`dbt_project/macros/decomposition.sql`).

(lab) Planning the SQL takes 60 ms whatever it reads, running it over 108 cells 30 ms: a page waits for the second only.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb

from orchestration.explain.query import macro

COUNTS = (
    *("attempts_count", "response_cache_hits_count", "priced_attempts_count", "priced_input_tokens"),
    *("priced_output_tokens", "priced_cache_read_tokens", "priced_cache_write_tokens"),
)
COSTS = (
    *("input_cost_usd", "cache_read_cost_usd", "cache_write_cost_usd", "output_cost_usd", "fee_cost_usd"),
    *("list_cost_usd", "contracted_cost_usd", "effective_cost_usd"),
)
"""What a cell holds of the daily cube's measures, beside its names."""

COMPARISON = ("baseline_divisor", "current_divisor", "scope_words", "baseline_words")
"""What is said of the comparison: by how many days each side is divided, and words for the sentence."""

_NAMES = "is_current boolean, tenant_id varchar, feature varchar"
_TABLES = {
    "usage": f"{_NAMES}, provider varchar, model varchar, service_tier varchar, "
    + ", ".join([f"{name} bigint" for name in COUNTS] + [f"{name} decimal(38, 12)" for name in COSTS]),
    "operations": f"{_NAMES}, operations_count bigint, attempts_count bigint, unpriced_attempts_count bigint",
    "releases": "feature varchar, release_id varchar",
    "comparisons": "baseline_divisor bigint, current_divisor bigint, scope_words varchar, baseline_words varchar",
}


class Decomposer:
    """A database in memory, for one comparison at a time; threads wait for each other.

    Args:
        connection: A database with marts, from which cells may come; without one it is empty.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection | None = None) -> None:
        self._lock = threading.Lock()
        self._connection = connection or duckdb.connect(config={"threads": 1})
        for name, columns in _TABLES.items():
            self._connection.execute(f"create table {name} (comparison_key integer default 0, {columns})")
        # The optimizer would plan for tables that are empty, as they are now: `d < 3` of no row is never true. What
        # leaves out columns plans for no row, and saves a sixth of the time.
        others = self._connection.execute(
            "select name from duckdb_optimizers() where name not in ('unused_columns', 'column_lifetime')"
        ).fetchall()
        self._connection.execute(f"set disabled_optimizers = '{','.join(name for (name,) in others)}'")
        self._connection.execute(f"prepare drivers as {_sql()}")
        self._connection.execute("reset disabled_optimizers")

    @contextmanager
    def comparing(self, marts: duckdb.DuckDBPyConnection | None = None) -> Generator[Cells]:
        """Give one thread the empty tables of a comparison; what it fills in is forgotten afterwards.

        Args:
            marts: Where cells come from; without it from this database itself.
        """
        with self._lock:
            self._connection.execute("begin")
            try:
                yield Cells(self._connection, marts)
            finally:
                self._connection.execute("rollback")


@dataclass(frozen=True)
class Attempts:
    """Attempts of a period.

    Attributes:
        count: All of them.
        unpriced_count: Those whose price is unknown.
    """

    count: int
    unpriced_count: int


class Cells:
    """The tables of one comparison.

    `usage` holds `is_current`, `tenant_id`, `feature`, `provider`, `model`, `service_tier`, `COUNTS` and `COSTS`,
    `operations` its first three and `operations_count`, `attempts_count`, `unpriced_attempts_count`, `releases` a
    `release_id` for a `feature`, at most one.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, marts: duckdb.DuckDBPyConnection | None) -> None:
        self._connection = connection
        self._marts = marts

    def fill(self, table: str, sql: str, parameters: Mapping[str, Any]) -> None:
        """Put the rows of a query of the marts into a table, by the names of their columns."""
        insert = f"insert into {table} by name"
        if self._marts is None:
            self._connection.execute(f"{insert} {sql}", _named(sql, parameters))
        elif (rows := self._marts.execute(sql, _named(sql, parameters)).to_arrow_table()).num_rows:
            self._connection.register("given", rows)
            self._connection.execute(f"{insert} from given")
            self._connection.unregister("given")

    def ask_marts(self, sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a query of the marts."""
        return (self._marts or self._connection).execute(sql, _named(sql, parameters)).fetchall()

    def attempts(self) -> tuple[Attempts, Attempts]:
        """Return how many attempts the baseline and the current period have, once `operations` is filled."""
        sums = ", ".join(
            f"coalesce(sum({column}) filter ({side}), 0)"
            for side in ("not is_current", "is_current")
            for column in ("attempts_count", "unpriced_attempts_count")
        )
        ((*baseline, current, current_unpriced),) = self._connection.execute(
            f"select {sums} from operations"
        ).fetchall()
        return Attempts(*baseline), Attempts(current, current_unpriced)

    def drivers(self, comparison: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return a row a driver: baseline cost, current cost, sentence, driver, words, effect.

        Those that pushed the way the cost went come first, the largest of them at the top. Where nothing moved there is
        one row, without a driver; where nothing cost anything there is none.

        Args:
            comparison: What `COMPARISON` names.
        """
        self._connection.execute(
            "insert into comparisons values (0, ?, ?, ?, ?)", [comparison[name] for name in COMPARISON]
        )
        return self._connection.execute("execute drivers").fetchall()


@cache
def decomposer() -> Decomposer:
    """Return the one of this process that holds no marts."""
    return Decomposer()


def _named(sql: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the parameters that a query names; DuckDB refuses others."""
    return {name: parameters[name] for name in set(re.findall(r"\$([a-z_]+)", sql))}


def _sql() -> str:
    return f"""
with decomposed as (
{macro("decomposed_change")("usage", "operations", "comparisons")}
),

effects as (
{macro("change_drivers")("decomposed", "releases")}
),

worded as (
  select effects.*, comparisons.scope_words, comparisons.baseline_words
  from effects
  inner join comparisons using (comparison_key)
),

drivers as (
{macro("ranked_drivers")("worded", ["comparison_key"])}
),

sentences as (
{macro("driver_sentences")("drivers", ["comparison_key"])}
),

totals as (
  select
    cast(sum(baseline_cost_usd) as decimal(38, 12)) as baseline_cost_usd,
    cast(sum(current_cost_usd) as decimal(38, 12)) as current_cost_usd
  from decomposed
)

select
  totals.baseline_cost_usd,
  totals.current_cost_usd,
  sentences.sentence,
  drivers.driver,
  drivers.driver_words,
  drivers.effect_usd
from totals
left join sentences on true
left join drivers on true
where totals.baseline_cost_usd is not null
order by drivers.driver_rank
"""
