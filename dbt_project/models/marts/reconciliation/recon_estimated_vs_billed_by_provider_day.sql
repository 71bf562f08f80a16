-- One row per day and provider: what we estimated, what was billed, what the requests take of the bill, what is left.
with estimated as (
  select
    usage_date,
    provider,
    cast(sum(attempts_count) as bigint) as attempts_count,
    cast(sum(input_tokens + output_tokens) as bigint) as logged_tokens,
    cast(sum(list_cost_usd) as decimal(38, 12)) as list_cost_usd,
    cast(sum(contracted_cost_usd) as decimal(38, 12)) as contracted_cost_usd,
    cast(sum(billed_cost_usd) as decimal(38, 12)) as allocated_cost_usd
  from {{ ref('llm_usage_by_tenant_feature_model_day') }}
  group by usage_date, provider
),

counted as (
  select
    usage_date,
    provider,
    cast(sum(case when quantity_unit = 'tokens' then quantity else 0 end) as bigint) as provider_tokens
  from {{ ref('fct_provider_usage') }}
  group by usage_date, provider
),

bills as (
  select
    usage_date,
    provider,
    cast(sum(billed_cost_usd) as decimal(38, 12)) as billed_cost_usd
  from {{ ref('fct_provider_charges') }}
  group by usage_date, provider
),

unattributed as (
  select
    usage_date,
    provider,
    cast(sum(amount_usd) as decimal(38, 12)) as unattributed_cost_usd
  from {{ ref('unattributed_cost_by_provider_day') }}
  where reason <> 'rounding'
  group by usage_date, provider
),

cells as (
  select usage_date, provider from estimated
  union
  select usage_date, provider from bills
  union
  select usage_date, provider from counted
)

select
  cells.usage_date,
  cells.provider,
  estimated.attempts_count,
  estimated.logged_tokens,
  counted.provider_tokens,
  estimated.list_cost_usd,
  estimated.contracted_cost_usd,
  bills.billed_cost_usd,
  estimated.allocated_cost_usd,
  unattributed.unattributed_cost_usd,
  case when bills.billed_cost_usd is null then 'open' else 'billed' end as bill_status,
  {{ ratio('estimated.logged_tokens', 'counted.provider_tokens') }} as token_coverage,
  {{ ratio('coalesce(unattributed.unattributed_cost_usd, 0)', 'bills.billed_cost_usd') }} as unattributed_share
from cells
left join estimated on cells.usage_date = estimated.usage_date and cells.provider = estimated.provider
left join counted on cells.usage_date = counted.usage_date and cells.provider = counted.provider
left join bills on cells.usage_date = bills.usage_date and cells.provider = bills.provider
left join unattributed on cells.usage_date = unattributed.usage_date and cells.provider = unattributed.provider
