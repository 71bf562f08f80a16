-- One row per day, plan, feature, provider, model, tier and environment: the daily cube without its tenants. Whoever asks
-- of no tenant reads a hundredth of the rows (150 a day instead of 36,000 at 2,000 tenants).
{{ config(materialized='incremental', incremental_strategy='window') }}
with cells as (
  {{ with_plan_name(ref('llm_usage_by_tenant_feature_model_day')) }}
)

select
  usage_date,
  plan_name,
  feature,
  provider,
  model,
  service_tier,
  environment,
  {%- for column in priced_counts() %}
  cast(sum({{ column }}) as bigint) as {{ column }},
  {%- endfor %}
  {{ sum_of_cube_measures() }}
from cells
group by 1, 2, 3, 4, 5, 6, 7
