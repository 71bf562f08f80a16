-- One row per feature: what of its effective cost brought nothing, each dollar in one kind.
select
  feature,
  sum(effective_cost_usd) as effective_cost_usd,
  sum(waste_cost_usd) as waste_cost_usd,
  sum(failed_retry_cost_usd + failed_fallback_cost_usd + failed_first_cost_usd) as failed_cost_usd,
  sum(abandoned_cost_usd) as abandoned_cost_usd,
  sum(rejected_cost_usd) as rejected_cost_usd,
  sum(missed_cache_cost_usd) as missed_cache_cost_usd,
  sum(excess_context_cost_usd) as excess_context_cost_usd,
  sum(unpriced_attempts_count) as unpriced_attempts_count
from waste_by_feature_day
where
  usage_date between $first_date and $last_date
  and ($feature is null or list_contains($feature, feature))
group by feature
order by waste_cost_usd desc nulls last, feature
