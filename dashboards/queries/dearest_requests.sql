-- One row per request of one UTC day, dearest first, at most fifty.
select
  started_at,
  tenant_id,
  feature,
  provider,
  priced_model as model,
  outcome,
  is_retry,
  input_tokens,
  cache_read_class_tokens as cache_read_tokens,
  output_tokens,
  latency_ms,
  case $basis
    when 'list' then list_cost_usd
    when 'contracted' then contracted_cost_usd
    else effective_cost_usd
  end as cost_usd,
  cost_basis,
  request_key,
  trace_id
from fct_llm_requests
where
  usage_date = $day
  and ($tenant_id is null or list_contains($tenant_id, tenant_id))
  and ($feature is null or list_contains($feature, feature))
  and ($model is null or list_contains($model, priced_model))
  and ($provider is null or list_contains($provider, provider))
  and ($environment is null or list_contains($environment, coalesce(environment, '')))
  and (
    $plan_name is null
    or tenant_id in (
      select unit_economics_by_tenant_day.tenant_id
      from unit_economics_by_tenant_day
      where unit_economics_by_tenant_day.usage_date = $day and list_contains($plan_name, plan_name)
    )
  )
order by cost_usd desc nulls last, started_at, request_key
limit 50
