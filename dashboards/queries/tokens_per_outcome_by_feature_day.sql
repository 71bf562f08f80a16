-- One row per UTC day and feature: input and output tokens for each accepted outcome; NULL when nothing was accepted.
select
  usage_date,
  feature,
  sum(input_tokens + output_tokens) as tokens,
  sum(accepted_outcomes_count) as accepted_outcomes_count,
  tokens / nullif(greatest(sum(accepted_outcomes_count), 0), 0) as tokens_per_accepted_outcome
from usage
group by usage_date, feature
order by sum(sum(cost_usd)) over (partition by feature) desc nulls last, feature, usage_date
