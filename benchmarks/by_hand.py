"""The same figures by one hand-written DuckDB script, as a yardstick: what no framework could do much faster.

Belongs here: the shortest honest SQL. Does not belong here: anything that trueup offers beyond the figures.

`full` writes what trueup writes of these lines: the request-level fact and the daily cube in a DuckDB file, and both as
Parquet by day. `prices` only parses, prices and adds up.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb

_TYPES = {
    "event": "VARCHAR", "ts": "BIGINT", "request_id": "VARCHAR", "provider": "VARCHAR", "model": "VARCHAR",
    "feature": "VARCHAR", "tenant_id": "VARCHAR", "user_id": "VARCHAR", "outcome": "VARCHAR", "http_status": "INTEGER",
    "latency_ms": "DOUBLE", "operation_name": "VARCHAR", "input_tokens": "BIGINT", "output_tokens": "BIGINT",
    "cache_read_tokens": "BIGINT", "service_tier": "VARCHAR", "provider_project": "VARCHAR", "response_id": "VARCHAR",
    "trace_id": "VARCHAR", "operation_id": "VARCHAR", "attempt_number": "INTEGER", "release": "VARCHAR",
    "environment": "VARCHAR",
}  # fmt: skip

# USD per million tokens: input, cache read, output.
_PRICES = """
    select * from (values
        ('claude-sonnet-4-5-20250929', 3.00, 0.30, 15.00),
        ('gpt-4.1-2025-04-14', 2.00, 0.50, 8.00),
        ('gpt-4.1-mini-2025-04-14', 0.40, 0.10, 1.60)
    ) as prices (model, input_price, cache_price, output_price)
"""

_PRICED = """
    select
        lines.*,
        make_timestamptz(lines.ts * 1000) as started_at,
        cast(make_timestamp(lines.ts * 1000) as date) as usage_date,
        cast(cast(input_tokens - cache_read_tokens as decimal(19, 0))
            * cast(input_price * 0.000001 as decimal(18, 12)) as decimal(38, 12)) as input_cost_usd,
        cast(cast(cache_read_tokens as decimal(19, 0))
            * cast(cache_price * 0.000001 as decimal(18, 12)) as decimal(38, 12)) as cache_read_cost_usd,
        cast(cast(output_tokens as decimal(19, 0))
            * cast(output_price * 0.000001 as decimal(18, 12)) as decimal(38, 12)) as output_cost_usd,
        input_cost_usd + cache_read_cost_usd + output_cost_usd as list_cost_usd
    from lines left join prices using (model)
"""


def totals(database: duckdb.DuckDBPyConnection, relation: str) -> dict[str, object]:
    """Return the figures by which two ways are compared."""
    row = database.execute(
        f"select count(*), sum(input_tokens), sum(output_tokens), sum(list_cost_usd)::varchar from {relation}"
    ).fetchone()
    assert row  # noqa: S101
    return {"calls": row[0], "input_tokens": int(row[1]), "output_tokens": int(row[2]), "list_cost_usd": row[3]}


def main(mode: str, inbox: str, output: str) -> None:
    """Run one of the two scripts and print its totals and seconds as JSON."""
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    database = duckdb.connect(str(folder / "by_hand.duckdb"))
    database.execute("set TimeZone = 'UTC'; set threads = 2; set memory_limit = '1200MB'")
    database.execute(f"set temp_directory = '{folder / 'spill'}'; set preserve_insertion_order = false")
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in _TYPES.items())
    database.execute(
        f"create temp view all_lines as select * from "
        f"read_json('{inbox}/*.jsonl', format = 'newline_delimited', columns = {{{columns}}})"
    )
    database.execute(f"create temp view prices as {_PRICES}")
    if mode == "full":
        database.execute("create temp table typed as select * from all_lines")
        database.execute(
            "create temp table again as select hash(response_id) as h from typed group by 1 having count(*) > 1"
        )
        database.execute(
            "create temp view lines as "
            "select * from typed where hash(response_id) not in (select h from again) union all "
            "select distinct * from typed where hash(response_id) in (select h from again)"
        )
        database.execute(f"create table fact as {_PRICED}")
        database.execute(
            """
            create table cube as select usage_date, tenant_id, feature, provider, model, operation_name, service_tier,
                release, environment, count(*) as attempts_count, sum(input_tokens) as input_tokens,
                sum(output_tokens) as output_tokens, sum(cache_read_tokens) as cache_read_tokens,
                sum(input_cost_usd) as input_cost_usd, sum(cache_read_cost_usd) as cache_read_cost_usd,
                sum(output_cost_usd) as output_cost_usd, sum(list_cost_usd) as list_cost_usd
            from fact group by all
            """
        )
        for table in ("fact", "cube"):
            database.execute(
                f"copy {table} to '{folder / table}' (format parquet, partition_by (usage_date), compression zstd)"
            )
        figures = totals(database, "fact")
    else:
        database.execute("create temp view lines as select distinct * from all_lines")
        figures = totals(database, f"({_PRICED})")
    database.close()
    print(json.dumps({"seconds": time.perf_counter() - started, **figures}))


if __name__ == "__main__":
    main(*sys.argv[1:4])
