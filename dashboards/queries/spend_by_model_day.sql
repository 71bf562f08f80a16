-- One row per UTC day and model; the largest models come first.
select
  usage_date,
  provider,
  model,
  sum(cost_usd) as cost_usd,
  sum(attempts_count) as attempts_count,
  sum(unpriced_attempts_count) as unpriced_attempts_count,
  sum(input_tokens) as input_tokens,
  sum(output_tokens) as output_tokens,
  sum(cache_read_tokens) as cache_read_tokens,
  sum(retries_count) as retries_count
from usage
group by usage_date, provider, model
order by sum(sum(cost_usd)) over (partition by provider, model) desc nulls last, provider, model, usage_date
