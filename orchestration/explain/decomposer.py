"""The drivers of a change, by the macros of the dbt project, planned once for the process.

Belongs here: a database in memory that holds the cells of one comparison while the macros run over them. Does not
belong here: where the cells are from (`change`), and the arithmetic (`dbt_project/macros/decomposition.sql`).

(lab) Planning the SQL takes 60 ms whatever it reads, running it over 108 cells 30 ms: a page waits for the second only.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa

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
    "operations": f"{_NAMES}, operations_count bigint",
    "releases": "feature varchar, release_id varchar",
    "comparisons": "baseline_divisor bigint, current_divisor bigint, scope_words varchar, baseline_words varchar",
}


class Decomposer:
    """A database in memory, for one comparison at a time; threads wait for each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection = duckdb.connect(config={"threads": 1})
        for name, columns in _TABLES.items():
            self._connection.execute(f"create table {name} (comparison_key integer default 0, {columns})")
        # The optimizer would plan for tables that are empty, as they are now: `d < 3` of no row is never true. What
        # leaves out columns plans for no row, and saves a sixth of the time.
        others = self._connection.execute(
            "select name from duckdb_optimizers() where name not in ('unused_columns', 'column_lifetime')"
        ).fetchall()
        self._connection.execute(f"set disabled_optimizers = '{','.join(name for (name,) in others)}'")
        self._connection.execute(f"prepare drivers as {_sql()}")

    def drivers(
        self, usage: pa.Table, operations: pa.Table, releases: pa.Table, comparison: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """Return a row a driver: baseline cost, current cost, sentence, driver, words, effect.

        Those that pushed the way the cost went come first, the largest of them at the top. Where nothing moved there is
        one row, without a driver; where nothing cost anything there is none.

        Args:
            usage: Cells: `is_current`, `tenant_id`, `feature`, `provider`, `model`, `service_tier`, `COUNTS`, `COSTS`.
            operations: `is_current`, `tenant_id`, `feature`, `operations_count`.
            releases: `feature`, `release_id`, at most one a feature.
            comparison: What `COMPARISON` names.
        """
        given = {"usage": usage, "operations": operations, "releases": releases}
        with self._lock:
            self._connection.execute("begin")
            try:
                for name, rows in given.items():
                    if rows.num_rows:
                        self._connection.register("given", rows)
                        self._connection.execute(f"insert into {name} by name from given")
                        self._connection.unregister("given")
                self._connection.execute(
                    "insert into comparisons values (0, ?, ?, ?, ?)", [comparison[name] for name in COMPARISON]
                )
                return self._connection.execute("execute drivers").fetchall()
            finally:
                self._connection.execute("rollback")


@cache
def decomposer() -> Decomposer:
    """Return the one of this process."""
    return Decomposer()


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
