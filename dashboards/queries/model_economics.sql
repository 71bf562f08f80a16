-- One row per model: cost, attempts, tokens, retries, cache reads.
select
  provider,
  model,
  sum(cost_usd) as cost_usd,
  sum(attempts_count) as attempts_count,
  sum(unpriced_attempts_count) as unpriced_attempts_count,
  sum(input_tokens) as input_tokens,
  sum(output_tokens) as output_tokens,
  sum(cache_read_tokens) as cache_read_tokens,
  sum(retries_count) as retries_count,
  sum(failed_attempts_count) as failed_attempts_count
from usage
group by provider, model
order by cost_usd desc nulls last, provider, model
