-- One row per restated day of a bill, newest knowledge first.
select
  known_from,
  usage_date,
  provider,
  previous_billed_cost_usd,
  billed_cost_usd,
  change_usd
from restatements
where
  usage_date between $first_date and $last_date
  and ($provider is null or list_contains($provider, provider))
order by known_from desc, usage_date, provider
limit 50
