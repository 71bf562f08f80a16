-- One row per UTC day: estimate beside bill. Days that are only partly billed have their estimate of billed providers alone.
select
  usage_date,
  sum(contracted_cost_usd) as contracted_cost_usd,
  sum(billed_cost_usd) as billed_cost_usd,
  sum(unattributed_cost_usd) as unattributed_cost_usd,
  sum(logged_tokens) filter (where provider_tokens is not null) as logged_tokens,
  sum(provider_tokens) as provider_tokens,
  sum(logged_tokens) filter (where provider_tokens is not null) / nullif(sum(provider_tokens), 0) as token_coverage
from recon_estimated_vs_billed_by_provider_day
where
  usage_date between $first_date and $last_date
  and ($provider is null or list_contains($provider, provider))
group by usage_date
order by usage_date
