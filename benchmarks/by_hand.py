"""The same figures by one hand-written DuckDB script, as a yardstick: what no framework could do much faster.

Belongs here: the shortest honest SQL. Does not belong here: anything that trueup offers beyond the figures.

`full` writes what trueup writes of these lines: the request-level fact and the daily cube, column for column, in a
DuckDB file and as Parquet by day. What no line of this input has is a constant here; trueup works it out. `prices` only
parses, prices and adds up.
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

# The columns of fct_llm_requests, in its order. The key of the users' hash is no secret of the benchmark.
_FACT = """
    select
        usage_date,
        'response:' || response_id as request_key,
        make_timestamptz(ts * 1000) as started_at,
        'operation:' || operation_id as operation_key,
        coalesce(tenant_id, 'unattributed') as tenant_id,
        coalesce(feature, 'unattributed') as feature,
        request_id, response_id, trace_id, null::varchar as span_id, provider, model, model as request_model,
        operation_name, sha256('a key of the benchmark' || user_id) as user_hash, operation_id,
        null::varchar as conversation_id, null::varchar as session_id, outcome, http_status,
        null::varchar as error_type,
        latency_ms, null::double as time_to_first_token_ms, service_tier, null::varchar as region,
        null::varchar as inference_geo, null::varchar as provider_account, provider_project,
        null::varchar as provider_api_key_id, attempt_number, null::varchar as retry_of, null::boolean as is_fallback,
        null::boolean as response_cache_hit, null::varchar as prompt_name, null::varchar as prompt_version, release,
        environment, null::decimal(38, 12) as caller_cost_usd, null::varchar as tags, attempt_number > 1 as is_retry,
        false as is_response_cache_hit, input_tokens, output_tokens, null::bigint as reasoning_tokens,
        input_tokens - cache_read_tokens as input_class_tokens, cache_read_tokens as cache_read_class_tokens,
        0::bigint as cache_write_5m_class_tokens, 0::bigint as cache_write_1h_class_tokens,
        0::bigint as cache_write_30m_class_tokens, 0::bigint as cache_write_12h_class_tokens,
        0::bigint as input_audio_class_tokens, 0::bigint as input_image_class_tokens,
        output_tokens as output_class_tokens,
        0::bigint as output_audio_class_tokens, null::decimal(25, 6) as web_search_requests,
        null::decimal(18, 6) as tool_calls, null::decimal(25, 6) as rerank_units, null::decimal(18, 6) as images,
        null::decimal(18, 6) as audio_seconds, null::decimal(18, 6) as characters, null::varchar as other_usage,
        'app_requests' as source_name, 'by hand' as pull_id, 'app_log' as observed_by,
        observations_count::integer as observations_count, 'app_log' as usage_observer, true as input_includes_cache,
        null::varchar as usage_warning,
        regexp_replace(model, '-(\\d{8}|\\d{4}-\\d{2}-\\d{2})$', '') as priced_model, 'by hand:' || model as price_id,
        'by hand' as price_source, false as is_tier_inherited, 'priced' as price_status, input_cost_usd,
        cache_read_cost_usd, 0::decimal(38, 12) as cache_write_cost_usd, output_cost_usd,
        0::decimal(38, 12) as fee_cost_usd, list_cost_usd, list_cost_usd as contracted_cost_usd,
        null::decimal(38, 12) as avoided_cost_usd, null::decimal(38, 12) as billed_cost_usd,
        null::varchar as allocation_method, list_cost_usd as effective_cost_usd, 'estimated' as cost_basis
    from ({priced})
"""

NOT_COMPARED = ("pull_id", "user_hash", "price_id", "price_source")
"""Columns of the fact that name where a value came from, and a hash that SQL cannot make."""

# The columns of llm_usage_by_tenant_feature_model_day.
_CUBE = """
    select usage_date, tenant_id, feature, provider, priced_model as model, operation_name, service_tier,
        coalesce(release, '') as release, coalesce(environment, '') as environment,
        count(*) as attempts_count,
        sum(case when is_response_cache_hit then 1 else 0 end)::decimal(38, 0) as response_cache_hits_count,
        sum(case when is_retry then 1 else 0 end)::decimal(38, 0) as retries_count,
        sum(case when is_fallback then 1 else 0 end)::decimal(38, 0) as fallbacks_count,
        sum(case when outcome = 'success' then 1 else 0 end)::decimal(38, 0) as succeeded_attempts_count,
        sum(case when outcome in ('error', 'timeout', 'rate_limited') then 1 else 0 end)::decimal(38, 0)
            as failed_attempts_count,
        sum(case when outcome = 'cancelled' then 1 else 0 end)::decimal(38, 0) as cancelled_attempts_count,
        0::decimal(38, 0) as unpriced_attempts_count, 0::decimal(38, 0) as usage_missing_attempts_count,
        0::decimal(38, 0) as usage_warnings_count, count(*)::decimal(38, 0) as estimated_attempts_count,
        sum(input_tokens)::decimal(38, 0) as input_tokens, sum(output_tokens)::decimal(38, 0) as output_tokens,
        0::decimal(38, 0) as reasoning_tokens,
        sum(cache_read_class_tokens)::decimal(38, 0) as cache_read_tokens, 0::decimal(38, 0) as cache_write_tokens,
        0::decimal(38, 0) as embedding_tokens, sum(output_tokens)::decimal(38, 0) as generation_tokens,
        count(*)::decimal(38, 0) as priced_attempts_count,
        sum(input_tokens)::decimal(38, 0) as priced_input_tokens,
        sum(output_tokens)::decimal(38, 0) as priced_output_tokens,
        sum(cache_read_class_tokens)::decimal(38, 0) as priced_cache_read_tokens,
        0::decimal(38, 0) as priced_cache_write_tokens,
        sum(input_cost_usd) as input_cost_usd, sum(cache_read_cost_usd) as cache_read_cost_usd,
        sum(cache_write_cost_usd) as cache_write_cost_usd, sum(output_cost_usd) as output_cost_usd,
        sum(fee_cost_usd) as fee_cost_usd, sum(list_cost_usd) as list_cost_usd,
        sum(contracted_cost_usd) as contracted_cost_usd, sum(billed_cost_usd) as billed_cost_usd,
        sum(effective_cost_usd) as effective_cost_usd, sum(effective_cost_usd) as estimated_cost_usd,
        sum(avoided_cost_usd) as avoided_cost_usd,
        sum(case when outcome = 'cancelled' then effective_cost_usd end) as abandoned_cost_usd,
        sum(case when outcome <> 'success' and is_fallback then effective_cost_usd end) as failed_fallback_cost_usd,
        sum(case when outcome <> 'success' and is_retry then effective_cost_usd end) as failed_retry_cost_usd,
        sum(case when outcome <> 'success' and not is_retry then effective_cost_usd end) as failed_first_cost_usd
    from fact group by all
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
            "select *, 1 as observations_count from typed where hash(response_id) not in (select h from again) "
            "union all "
            "select *, count(*) from typed where hash(response_id) in (select h from again) group by all"
        )
        database.execute("create table fact as " + _FACT.replace("{priced}", _PRICED))
        database.execute(f"create table cube as {_CUBE}")
        for table in ("fact", "cube"):
            database.execute(
                f"copy {table} to '{folder / table}' "
                "(format parquet, partition_by (usage_date), compression zstd, compression_level 1, "
                "row_group_size 61440)"
            )
        figures = totals(database, "fact")
    else:
        database.execute("create temp view lines as select distinct * from all_lines")
        figures = totals(database, f"({_PRICED})")
    database.close()
    print(json.dumps({"seconds": time.perf_counter() - started, **figures}))


if __name__ == "__main__":
    main(*sys.argv[1:4])
