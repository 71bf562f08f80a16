-- One row: how much of what providers counted was logged, and how much of what they billed is reconciled.
select
  sum(logged_tokens) filter (where provider_tokens is not null) as logged_tokens,
  sum(provider_tokens) as provider_tokens,
  sum(billed_cost_usd) as billed_cost_usd,
  sum(billed_cost_usd) filter (where reconciliation_status = 'reconciled') as reconciled_cost_usd,
  sum(unattributed_cost_usd) as unattributed_cost_usd
from recon_estimated_vs_billed_by_provider_day
where
  usage_date between $first_date and $last_date
  and ($provider is null or list_contains($provider, provider))
