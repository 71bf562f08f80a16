-- What the product says of its answers: accepted, rejected, or an earlier verdict taken back.
select
  source_name,
  pull_id,
  usage_date,
  occurred_at,
  event_id,
  name as outcome_name,
  verdict,
  reverses as reverses_event_id,
  tenant_id,
  user_hash,
  feature,
  operation_id,
  request_id,
  trace_id,
  conversation_id,
  value_usd
from {{ landed_log('product_outcomes') }} as landed
