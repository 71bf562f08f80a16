"""`make bench-trueup`: what splitting a bill over the requests of one day takes.

Belongs here: a day of requests as they stand in the warehouse before the bill comes, with a bill and a count that
leave gaps; the time and the memory of dbt over them; the proof that Σ is the bill. Does not belong here: the way of a
log into the warehouse (`bench`).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

import duckdb
from rich.table import Table

from benchmarks.bench import Measured, console, measure
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.warehouse.home import prepare_home

_PROJECT = PROJECT_ROOT / "dbt_project"
DAY = "2026-03-01"
_NEXT_DAY = "2026-03-02"
_MODELS = (
    "int_usages__keyed",
    "int_charges__keyed",
    "int_llm_requests__weighed",
    "int_billing_claims__matched",
    "int_charges__allocated",
    "int_billed_prices__pivoted",
    "int_billed_remainders__placed",
)
_CUBE = "llm_usage_by_tenant_feature_model_day"

# Forty keys in ten projects, five models, two tiers; every tenth request names no project and every fifth no key, so
# all levels of the true-up have work. Prices are round: a list cost is a whole number of 10^-12 dollars.
_REQUESTS = f"""
insert into intermediate.int_llm_requests__attributed by name
select
  date '{DAY}' as usage_date,
  'response:resp_' || md5(i::varchar) as request_key,
  timestamptz '{DAY} 00:00:00+00' + to_milliseconds(i % 86400000) as started_at,
  'trace:' || (i // 2)::varchar as operation_key,
  'tenant_' || (i % 997)::varchar as tenant_id,
  'feature_' || (i % 13)::varchar as feature,
  'openai' as provider,
  'gpt-' || (i % 5)::varchar as model,
  'chat' as operation_name,
  'success' as outcome,
  case when i % 17 = 0 then 'batch' else 'standard' end as service_tier,
  case when i % 10 <> 0 then 'proj_' || (i % 40 % 10)::varchar end as provider_project,
  case when i % 5 <> 0 then 'key_' || (i % 40)::varchar end as provider_api_key_id,
  false as is_retry,
  false as is_response_cache_hit,
  in_tokens + cached as input_tokens,
  out_tokens as output_tokens,
  in_tokens as input_class_tokens,
  cached as cache_read_class_tokens,
  0 as cache_write_5m_class_tokens,
  0 as cache_write_1h_class_tokens,
  0 as cache_write_30m_class_tokens,
  0 as cache_write_12h_class_tokens,
  0 as input_audio_class_tokens,
  0 as input_image_class_tokens,
  out_tokens as output_class_tokens,
  0 as output_audio_class_tokens,
  1 as observations_count,
  'gpt-' || (i % 5)::varchar as priced_model,
  'priced' as price_status,
  (in_tokens * 0.000002)::decimal(38, 12) as input_cost_usd,
  (cached * 0.0000005)::decimal(38, 12) as cache_read_cost_usd,
  0 as cache_write_cost_usd,
  (out_tokens * 0.000008)::decimal(38, 12) as output_cost_usd,
  0 as fee_cost_usd,
  (in_tokens * 0.000002 + cached * 0.0000005 + out_tokens * 0.000008)::decimal(38, 12) as list_cost_usd,
  list_cost_usd as contracted_cost_usd
from (
  select
    i,
    (100 + hash(i) % 4000)::bigint as in_tokens,
    case when i % 20 = 0 then 0 else (hash(i + 1) % 8000)::bigint end as cached,
    (1 + hash(i + 2) % 900)::bigint as out_tokens
  from range(?) as numbers(i)
) as drawn
"""
# The provider counts a quarter more than was logged, and bills 8 % below list with a remainder that no share hits.
_COUNTED = f"""
create temporary table counted as
select
  'proj_' || (split_part(provider_api_key_id, '_', 2)::int % 10)::varchar as provider_project,
  provider_api_key_id, priced_model, service_tier, usage_class, (tokens * 5 // 4)::bigint as tokens
from (
  select
    provider_api_key_id, priced_model, service_tier,
    sum(input_class_tokens) as input, sum(cache_read_class_tokens) as cache_read, sum(output_class_tokens) as output
  from intermediate.int_llm_requests__attributed
  where usage_date = date '{DAY}'
  group by all
) unpivot (tokens for usage_class in (input, cache_read, output));

insert into marts.fct_provider_usage by name
select
  date '{DAY}' as usage_date, 'openai' as provider, 'openai' as provider_account, provider_project, provider_api_key_id,
  'openai' as source_name, priced_model, service_tier, usage_class, 'tokens' as quantity_unit, tokens as quantity
from counted;

insert into marts.fct_provider_charges by name
select
  date '{DAY}' as usage_date, 'openai' as provider, 'openai' as provider_account, provider_project, provider_api_key_id,
  'openai' as source_name, 'usage' as charge_category, priced_model, service_tier, usage_class, 'USD' as currency,
  (tokens * 0.00000184 + 0.000000000007)::decimal(38, 12) as billed_cost_usd
from counted;
"""


def dbt(home: Path, *arguments: str) -> Measured:
    """Run dbt on that home as the main job does, in a process of its own."""
    project = ["--project-dir", str(_PROJECT), "--profiles-dir", str(_PROJECT)]
    places = ["--target-path", str(home / "target"), "--log-path", str(home / "logs")]
    command = [str(Path(sys.executable).parent / "dbt"), "--quiet", *arguments, *project, *places]
    return measure(command, {"TRUEUP_HOME": str(home), "TRUEUP_PRICING": str(PROJECT_ROOT / "pricing_seeds")})


def lay_out(home: Path, requests: int) -> None:
    """Make an empty warehouse and put the day into it."""
    (home / "tmp").mkdir(parents=True)
    prepare_home(Settings(home=home))
    dbt(home, "run", "--selector", "reference")
    dbt(home, "run", "--selector", "daily", "--event-time-start", "2020-01-01", "--event-time-end", "2020-01-02")
    with duckdb.connect(str(home / "warehouse.duckdb")) as warehouse:
        warehouse.execute("set TimeZone = 'UTC'")
        warehouse.execute("set memory_limit = '1200MB'")
        warehouse.execute("set preserve_insertion_order = false")
        warehouse.execute(f"set temp_directory = '{home / 'tmp'}'")
        warehouse.execute(_REQUESTS, [requests])
        warehouse.execute(_COUNTED)


def conserved(home: Path) -> tuple[Decimal, Decimal]:
    """Return the bill and what requests take of it, after checking that the rest is all there is."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as warehouse:
        row = warehouse.execute(
            f"""
            select
              (select sum(billed_cost_usd) from marts.fct_provider_charges where usage_date = date '{DAY}'),
              (select sum(billed_cost_usd) from marts.{_CUBE} where usage_date = date '{DAY}'),
              (select sum(left_units) from intermediate.int_charges__allocated where usage_date = date '{DAY}')
            """
        ).fetchone()
    assert row is not None  # noqa: S101
    bill, taken, left_units = row
    if bill != taken + left_units * Decimal("1e-12"):
        raise SystemExit(f"the bill says {bill}, requests take {taken}, 10^-12 x {left_units} is left")
    return bill, taken


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000_000)
    parser.add_argument("--scratch", type=Path, default=None, help="where to work; default a temporary folder")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="trueup-bench-", dir=options.scratch)) / "home"
    days = ("--event-time-start", DAY, "--event-time-end", _NEXT_DAY)
    try:
        lay_out(home, options.requests)
        split = dbt(home, "run", "--select", *_MODELS, *days)
        read = dbt(home, "run", "--select", _CUBE, *days)
        bill, taken = conserved(home)
    finally:
        shutil.rmtree(home.parent, ignore_errors=True)
    table = Table(title=f"{options.requests:,} requests in one day; {taken} of {bill} USD is theirs, to the last digit")
    for heading in ("", "seconds", "requests a second", "peak memory (bound 2 GB)"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, measured in (("split the bill", split), ("read every request's cost into the cube", read)):
        rate = f"{options.requests / measured.seconds:,.0f}"
        table.add_row(name, f"{measured.seconds:.1f}", rate, f"{measured.peak_bytes / 1e9:.2f} GB")
    console.print(table)


if __name__ == "__main__":
    main()
