-- One row per feature: what it cost, what was accepted, and what one of those cost.
select
  feature,
  sum(cost_usd) as cost_usd,
  sum(unpriced_attempts_count) as unpriced_attempts_count,
  sum(operations_count) as operations_count,
  sum(accepted_outcomes_count) as accepted_outcomes_count,
  sum(attempts_count) as attempts_count,
  sum(retries_count) as retries_count,
  sum(input_tokens + output_tokens) as tokens
from usage
group by feature
order by 2 desc nulls last, feature
