-- One row per provider, model, tier and usage class: how far our price is from the bill, widest gap in dollars first.
select
  provider,
  model,
  service_tier,
  usage_class,
  billed_days_count,
  expected_cost_usd,
  price_gap_usd,
  estimate_error,
  recent_estimate_error
from estimate_accuracy_by_sku
where
  ($provider is null or list_contains($provider, provider))
  and ($model is null or list_contains($model, model))
order by abs(price_gap_usd) desc nulls last, provider, model, service_tier, usage_class
limit 25
