-- One row per feature and day with many failed attempts while its tokens rise above their mean of the days before: failures
-- that cost money, the shape of a retry storm.
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
  {{ with_earlier_days('days', 'feature', ['tokens'], 'error_rate_with_rising_tokens') }}
),

measured as (
  select
    usage_date,
    'feature' as scope_kind,
    feature as scope_id,
    '' as plan_id,
    {{ ratio('failed_attempts_count', 'attempts_count') }} as observed,
    null as baseline,
    attempts_count as floor_value,
    earlier_days_count as history_days_count,
    cast(retries_count as varchar) || ' retries' as detail
  from compared
  where tokens > {{ ratio('earlier_tokens', 'earlier_days_count') }}
)

{{ breaches('measured', 'error_rate_with_rising_tokens') }}
