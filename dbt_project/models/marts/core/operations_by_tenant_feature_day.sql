-- One row per day, tenant, feature and release: the operations that began then.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
select
  usage_date,
  tenant_id,
  feature,
  coalesce(release, '') as release,
  count(*) as operations_count,
  sum(case when is_answered then 1 else 0 end) as answered_operations_count,
  sum(attempts_count) as attempts_count,
  sum(retries_count) as retries_count,
  sum(coalesce(input_tokens, 0)) as input_tokens,
  sum(coalesce(output_tokens, 0)) as output_tokens,
  cast(sum(list_cost_usd) as decimal(38, 12)) as list_cost_usd,
  cast(sum(effective_cost_usd) as decimal(38, 12)) as effective_cost_usd
from {{ ref('fct_operations') }}
where {{ on_built_days() }}
group by 1, 2, 3, 4
