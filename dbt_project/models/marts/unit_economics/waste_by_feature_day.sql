-- One row per day and feature: what of its cost brought nothing, each dollar in one kind, and the useful rest. Attempts
-- without an answer first, then answers that were rejected or taken back, then what prompts cost beyond the feature's usual:
-- a smaller share read from the cache, and more input an attempt, than the median of the four weeks before.
{{ config(materialized='incremental', incremental_strategy='window', meta={'days_after': 28}) }}
with days as (
  select
    usage_date,
    feature,
    provider,
    model,
    cast(sum(priced_attempts_count) as double) as attempts_count,
    cast(sum(priced_input_tokens) as double) as input_tokens,
    cast(sum(priced_cache_read_tokens) as double) as cache_read_tokens,
    cast(sum(priced_input_tokens - priced_cache_read_tokens - priced_cache_write_tokens) as double) as uncached_tokens,
    cast(sum(input_cost_usd) as double) as input_cost_usd,
    cast(sum(cache_read_cost_usd) as double) as cache_read_cost_usd,
    cast(sum(input_cost_usd + cache_read_cost_usd + cache_write_cost_usd) as double) as all_input_cost_usd,
    {{ ratio('sum(effective_cost_usd)', 'sum(list_cost_usd)') }} as effective_per_list
  from {{ ref('llm_usage_by_tenant_feature_model_day') }}
  where {{ between_built_days('usage_date', -28, days_after()) }}
  group by usage_date, feature, provider, model
),

measured as (
  select
    *,
    cache_read_tokens / nullif(input_tokens, 0) as cache_share,
    input_tokens / nullif(attempts_count, 0) as input_tokens_per_attempt
  from days
),

-- Dates as numbers, because a window over days must not depend on days without traffic.
numbered as (
  select
    *,
    date_diff('day', cast('2000-01-01' as date), usage_date) as day_number
  from measured
),

usual as (
  select
    *,
    median(cache_share) over four_weeks as usual_cache_share,
    median(input_tokens_per_attempt) over four_weeks as usual_input_tokens_per_attempt,
    count(*) over four_weeks as history_days_count,
    sum(cache_read_cost_usd) over until_today / nullif(sum(cache_read_tokens) over until_today, 0) as cache_read_price,
    input_cost_usd / nullif(uncached_tokens, 0) as input_price
  from numbered
  window
    four_weeks as (partition by feature, provider, model order by day_number range between 28 preceding and 1 preceding),
    until_today as (partition by feature, provider, model order by day_number range between 28 preceding and current row)
),

prompts as (
  select
    usage_date,
    feature,
    sum(
      case
        when history_days_count >= 7 and usual_cache_share > cache_share and input_price > cache_read_price
          then (usual_cache_share - cache_share) * input_tokens * (input_price - cache_read_price) * effective_per_list
        else 0
      end
    ) as missed_cache_usd,
    sum(
      case
        when history_days_count >= 7 and input_tokens_per_attempt > usual_input_tokens_per_attempt
          then all_input_cost_usd * effective_per_list * (1 - usual_input_tokens_per_attempt / input_tokens_per_attempt)
        else 0
      end
    ) as excess_context_usd
  from usual
  group by usage_date, feature
),

attempts as (
  select
    usage_date,
    feature,
    {%- for kind in wasted_attempts() %}
    cast(coalesce(sum({{ kind }}), 0) as decimal(38, 12)) as {{ kind }},
    {%- endfor %}
    cast(coalesce(sum(effective_cost_usd), 0) as decimal(38, 12)) as effective_cost_usd,
    cast(sum(unpriced_attempts_count) as bigint) as unpriced_attempts_count
  from {{ ref('llm_usage_by_tenant_feature_model_day') }}
  where {{ between_built_days('usage_date', 0, days_after()) }}
  group by usage_date, feature
),

verdicts as (
  select
    operation_date as usage_date,
    feature,
    cast(sum(cost_in_vain_usd) as decimal(38, 12)) as cost_in_vain_usd
  from {{ ref('outcomes_by_tenant_feature_day') }}
  where {{ between_built_days('operation_date', 0, days_after()) }}
  group by operation_date, feature
),

-- What is left for a kind once those before it are taken; operations that run over midnight cost on two days and are judged
-- on one.
answered as (
  select
    attempts.*,
    {%- for kind in wasted_attempts() %}
    coalesce(attempts.{{ kind }}, 0) +
    {%- endfor %} 0 as unanswered_cost_usd,
    greatest(coalesce(verdicts.cost_in_vain_usd, {{ zero_usd() }}), {{ zero_usd() }}) as judged_cost_usd,
    greatest(coalesce(prompts.missed_cache_usd, 0), 0) as missed_cache_usd,
    greatest(coalesce(prompts.excess_context_usd, 0), 0) as excess_context_usd
  from attempts
  left join verdicts on attempts.usage_date = verdicts.usage_date and attempts.feature = verdicts.feature
  left join prompts on attempts.usage_date = prompts.usage_date and attempts.feature = prompts.feature
),

judged as (
  select
    *,
    least(judged_cost_usd, greatest(effective_cost_usd - unanswered_cost_usd, {{ zero_usd() }})) as rejected_cost_usd
  from answered
),

accepted as (
  select
    *,
    greatest(effective_cost_usd - unanswered_cost_usd - rejected_cost_usd, {{ zero_usd() }}) as accepted_cost_usd,
    -- Prompts of what is wasted already are wasted already.
    coalesce({{ ratio('effective_cost_usd - unanswered_cost_usd - rejected_cost_usd', 'effective_cost_usd') }}, 0)
      as accepted_share
  from judged
),

missed as (
  select
    *,
    least(cast(missed_cache_usd * accepted_share as decimal(38, 12)), accepted_cost_usd) as missed_cache_cost_usd
  from accepted
),

split as (
  select
    *,
    least(
      cast(excess_context_usd * accepted_share as decimal(38, 12)), accepted_cost_usd - missed_cache_cost_usd
    ) as excess_context_cost_usd
  from missed
)

select
  usage_date,
  feature,
  effective_cost_usd,
  cast(failed_retry_cost_usd as decimal(38, 12)) as failed_retry_cost_usd,
  cast(failed_fallback_cost_usd as decimal(38, 12)) as failed_fallback_cost_usd,
  cast(failed_first_cost_usd as decimal(38, 12)) as failed_first_cost_usd,
  cast(abandoned_cost_usd as decimal(38, 12)) as abandoned_cost_usd,
  cast(rejected_cost_usd as decimal(38, 12)) as rejected_cost_usd,
  cast(missed_cache_cost_usd as decimal(38, 12)) as missed_cache_cost_usd,
  cast(excess_context_cost_usd as decimal(38, 12)) as excess_context_cost_usd,
  cast(unanswered_cost_usd + rejected_cost_usd + missed_cache_cost_usd + excess_context_cost_usd as decimal(38, 12))
    as waste_cost_usd,
  cast(
    effective_cost_usd - unanswered_cost_usd - rejected_cost_usd - missed_cache_cost_usd - excess_context_cost_usd
    as decimal(38, 12)
  ) as useful_cost_usd,
  unpriced_attempts_count,
  {{ ratio(
    'unanswered_cost_usd + rejected_cost_usd + missed_cache_cost_usd + excess_context_cost_usd', 'effective_cost_usd'
  ) }} as waste_share
from split
