-- One row per day, provider and model with requests that no price is known for. Unknown is not free.
select
  'unpriced_requests' as alert_rule,
  'warn' as severity,
  usage_date,
  'model' as scope_kind,
  provider || '/' || model as scope_id,
  cast(unpriced_attempts_count as double) as observed,
  cast(0 as double) as threshold,
  'attempts' as unit
from {{ ref('unit_economics_by_model_day') }}
where unpriced_attempts_count > 0
