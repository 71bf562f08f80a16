-- One row per UTC day and provider, newest first: estimate, bill, what the difference is made of, and whether it is settled.
select
  usage_date,
  provider,
  contracted_cost_usd,
  billed_cost_usd,
  variance_usd,
  usage_gap_usd,
  price_gap_usd,
  unattributed_cost_usd,
  token_coverage,
  reconciliation_status
from recon_estimated_vs_billed_by_provider_day
where
  usage_date between $first_date and $last_date
  and ($provider is null or list_contains($provider, provider))
order by usage_date desc, provider
