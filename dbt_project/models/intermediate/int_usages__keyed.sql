-- One row per day, account, key, project, model, tier and class that the provider counted, '' where it does not say. A line
-- of a bill that names no class pays for all tokens, so these are counted once more as the two totals.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
with counted as (
  select
    usage_date,
    provider,
    coalesce(provider_account, '') as provider_account,
    coalesce(provider_api_key_id, '') as provider_api_key_id,
    coalesce(provider_project, '') as provider_project,
    coalesce(priced_model, '') as priced_model,
    coalesce(service_tier, '') as service_tier,
    usage_class,
    quantity
  from {{ ref('fct_provider_usage') }}
  where {{ on_built_days() }}
),

classes as (
  select * from counted
  {%- for class in total_classes() %}
  union all
  select
    usage_date,
    provider,
    {{ billing_keys() | join(', ') }},
    '{{ class }}' as usage_class,
    quantity
  from counted
  where usage_class in {{ name_list(token_classes()) }}
  {%- endfor %}
)

select
  usage_date,
  provider,
  provider_account,
  provider_api_key_id,
  provider_project,
  case when usage_class in {{ name_list(modelless_classes()) }} then '' else priced_model end as priced_model,
  case when usage_class in {{ name_list(modelless_classes()) }} then '' else service_tier end as service_tier,
  usage_class,
  cast(sum(quantity) as bigint) as provider_quantity
from classes
group by 1, 2, 3, 4, 5, 6, 7, 8
