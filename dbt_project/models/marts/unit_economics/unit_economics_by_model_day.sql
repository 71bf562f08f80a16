-- One row per day, provider and model: token trends, cache-hit and retry rates, cost.
{{ config(materialized='incremental', incremental_strategy='window') }}
with summed as (
  select
    usage_date,
    provider,
    model,
    {{ sum_of_cube_measures() }}
  from {{ ref('llm_usage_by_tenant_feature_model_day') }}
  where {{ on_built_days() }}
  group by usage_date, provider, model
)

select
  *,
  {{ ratio('input_tokens', 'attempts_count') }} as input_tokens_per_attempt,
  {{ ratio('output_tokens', 'attempts_count') }} as output_tokens_per_attempt,
  {{ request_ratios('') }}
from summed
