-- One row: what the period cost, and what it brought.
select
  sum(cost_usd) as cost_usd,
  sum(attempts_count) as attempts_count,
  sum(unpriced_attempts_count) as unpriced_attempts_count,
  sum(input_tokens + output_tokens) as tokens,
  sum(operations_count) as operations_count,
  sum(accepted_outcomes_count) as accepted_outcomes_count
from usage
