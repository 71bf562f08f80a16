-- One row per request of one UTC day, dearest first, at most fifty.
select
  started_at,
  tenant_id,
  feature,
  provider,
  model,
  outcome,
  is_retry,
  input_tokens,
  cache_read_class_tokens as cache_read_tokens,
  output_tokens,
  latency_ms,
  cost_usd,
  cost_basis,
  trace_id
from requests
order by cost_usd desc nulls last, started_at
limit 50
