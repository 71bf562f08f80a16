-- One row per provider and reason: what was billed and no request takes.
select
  provider,
  reason,
  sum(amount_usd) as amount_usd,
  count(distinct usage_date) as days_count,
  any_value(likely_cause) as likely_cause,
  any_value(what_to_do) as what_to_do
from unattributed_cost_by_provider_day
where
  usage_date between $first_date and $last_date
  and ($provider is null or list_contains($provider, provider))
group by provider, reason
order by abs(sum(amount_usd)) desc, provider, reason
