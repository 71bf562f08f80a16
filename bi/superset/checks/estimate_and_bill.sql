select
  provider,
  sum(contracted_cost_usd) as contracted_cost_usd,
  sum(billed_cost_usd) as billed_cost_usd,
  sum(usage_gap_usd) as usage_gap_usd,
  sum(price_gap_usd) as price_gap_usd,
  sum(unattributed_cost_usd) as unattributed_cost_usd,
  cast(sum(logged_tokens) as double) / nullif(sum(provider_tokens), 0) as token_coverage
from recon_estimated_vs_billed_by_provider_month
group by provider
