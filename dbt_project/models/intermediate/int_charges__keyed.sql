-- One row per day, account, key, project, model, tier and class that the bill charges for use, '' where it does not say: a
-- cell. Credits, taxes and what is not billed by use stay outside, and so does a line without an amount.
-- A key that the provider bills but does not count by is left out of the cell: its coverage would be unknown, although the
-- count of its project is known.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
with lines as (
  select
    usage_date,
    provider,
    coalesce(provider_account, '') as provider_account,
    coalesce(provider_api_key_id, '') as provider_api_key_id,
    coalesce(provider_project, '') as provider_project,
    priced_model,
    coalesce(service_tier, '') as service_tier,
    case
      when usage_class = 'web_search' or usage_class not in {{ name_list(token_classes()) }} then usage_class
      when priced_model is null then 'account_total'
      else coalesce(usage_class, 'model_total')
    end as usage_class,
    billed_cost_usd
  from {{ ref('fct_provider_charges') }}
  where {{ on_built_days() }} and charge_category = 'usage' and billed_cost_usd is not null
),

folded as (
  select
    usage_date,
    provider,
    provider_account,
    provider_api_key_id,
    provider_project,
    case
      when usage_class in {{ name_list(modelless_classes()) }} then '' else coalesce(priced_model, '')
    end as priced_model,
    case when usage_class in {{ name_list(modelless_classes()) }} then '' else service_tier end as service_tier,
    usage_class,
    billed_cost_usd
  from lines
),

counted_keys as (
  select distinct
    usage_date, provider, provider_account, provider_api_key_id, priced_model, service_tier, usage_class
  from {{ ref('int_usages__keyed') }}
  where {{ on_built_days() }}
),

counted_cells as (
  select distinct usage_date, provider, provider_account, priced_model, service_tier, usage_class
  from {{ ref('int_usages__keyed') }}
  where {{ on_built_days() }}
)

select
  folded.usage_date,
  folded.provider,
  folded.provider_account,
  case
    when counted_keys.provider_account is not null or counted_cells.provider_account is null
      then folded.provider_api_key_id
    else ''
  end as provider_api_key_id,
  folded.provider_project,
  folded.priced_model,
  folded.service_tier,
  folded.usage_class,
  count(*) as lines_count,
  cast(sum({{ usd_to_units('folded.billed_cost_usd') }}) as {{ whole_number() }}) as charge_units
from folded
left join counted_keys
  on
    folded.usage_date = counted_keys.usage_date
    and folded.provider = counted_keys.provider
    and folded.provider_account = counted_keys.provider_account
    and folded.provider_api_key_id = counted_keys.provider_api_key_id
    and folded.priced_model = counted_keys.priced_model
    and folded.service_tier = counted_keys.service_tier
    and folded.usage_class = counted_keys.usage_class
left join counted_cells
  on
    folded.usage_date = counted_cells.usage_date
    and folded.provider = counted_cells.provider
    and folded.provider_account = counted_cells.provider_account
    and folded.priced_model = counted_cells.priced_model
    and folded.service_tier = counted_cells.service_tier
    and folded.usage_class = counted_cells.usage_class
group by 1, 2, 3, 4, 5, 6, 7, 8
