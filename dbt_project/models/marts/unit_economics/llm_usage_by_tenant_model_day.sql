-- One row per day, tenant, provider, model and environment: the daily cube without features, tiers and releases, with the
-- tenant's plan. Published by month and sorted by tenant, so that a month of one tenant is a file and not thirty.
{{ config(materialized='incremental', incremental_strategy='window') }}
with cells as (
  {{ with_plan_name(ref('llm_usage_by_tenant_feature_model_day')) }}
)

select
  usage_date,
  tenant_id,
  provider,
  model,
  environment,
  max(nullif(plan_name, '')) as plan_name,
  {%- for column in [
    'attempts_count', 'retries_count', 'failed_attempts_count', 'unpriced_attempts_count', 'input_tokens',
    'output_tokens', 'cache_read_tokens',
  ] %}
  cast(sum({{ column }}) as bigint) as {{ column }},
  {%- endfor %}
  {%- for column in ['list_cost_usd', 'contracted_cost_usd', 'billed_cost_usd', 'effective_cost_usd'] %}
  cast(sum({{ column }}) as decimal(38, 12)) as {{ column }}{% if not loop.last %},{% endif %}
  {%- endfor %}
from cells
group by 1, 2, 3, 4, 5
