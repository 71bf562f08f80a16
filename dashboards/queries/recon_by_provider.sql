-- One row per provider: estimate, bill, what the difference is made of, and how many days are settled.
select
  provider,
  sum(contracted_cost_usd) as contracted_cost_usd,
  sum(billed_cost_usd) as billed_cost_usd,
  sum(variance_usd) as variance_usd,
  sum(usage_gap_usd) as usage_gap_usd,
  sum(price_gap_usd) as price_gap_usd,
  sum(unattributed_cost_usd) as unattributed_cost_usd,
  sum(logged_tokens) filter (where provider_tokens is not null) as logged_tokens,
  sum(provider_tokens) as provider_tokens,
  count(*) as days_count,
  count(*) filter (where reconciliation_status = 'reconciled') as reconciled_days_count,
  count(*) filter (where reconciliation_status = 'disputed') as disputed_days_count
from recon_estimated_vs_billed_by_provider_day
where
  usage_date between $first_date and $last_date
  and ($provider is null or list_contains($provider, provider))
group by provider
order by billed_cost_usd desc nulls last, provider
