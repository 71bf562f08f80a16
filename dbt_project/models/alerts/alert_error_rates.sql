-- One row per feature and day with more than 5 % failed attempts while its tokens rise above their seven-day mean:
-- failures that cost money, the shape of a retry storm.
{%- set limit_share = 0.05 %}
{%- set floor_attempts = 100 %}
with days as (
  select
    usage_date,
    feature,
    attempts_count,
    failed_attempts_count,
    retries_count,
    input_tokens + output_tokens as tokens
  from {{ ref('unit_economics_by_feature_day') }}
),

compared as (
  select
    today.usage_date,
    today.feature,
    today.attempts_count,
    today.failed_attempts_count,
    today.retries_count,
    today.tokens,
    {{ ratio('sum(earlier.tokens)', 'count(earlier.usage_date)') }} as trailing_tokens_mean
  from days as today
  left join days as earlier
    on
      today.feature = earlier.feature
      and earlier.usage_date < today.usage_date
      and earlier.usage_date >= today.usage_date - interval '7 days'
  group by
    today.usage_date, today.feature, today.attempts_count, today.failed_attempts_count, today.retries_count,
    today.tokens
)

select
  'error_rate_with_rising_tokens' as alert_rule,
  'warn' as severity,
  usage_date,
  'feature' as scope_kind,
  feature as scope_id,
  {{ ratio('failed_attempts_count', 'attempts_count') }} as observed,
  {{ limit_share }} as threshold,
  'share of attempts that failed' as unit,
  retries_count
from compared
where
  attempts_count >= {{ floor_attempts }}
  and {{ ratio('failed_attempts_count', 'attempts_count') }} > {{ limit_share }}
  and tokens > trailing_tokens_mean
