-- One row per feature and day on which far more of the attempts were retries than in the days before.
with days as (
  select
    usage_date,
    feature,
    attempts_count,
    retries_count
  from {{ ref('unit_economics_by_feature_day') }}
),

compared as (
  {{ with_earlier_days('days', 'feature', ['attempts_count', 'retries_count'], 'retry_rate_rise') }}
),

measured as (
  select
    usage_date,
    'feature' as scope_kind,
    feature as scope_id,
    '' as plan_id,
    {{ ratio('retries_count', 'attempts_count') }} as observed,
    {{ ratio('earlier_retries_count', 'earlier_attempts_count') }} as baseline,
    retries_count as floor_value,
    earlier_days_count as history_days_count,
    cast(retries_count as varchar) || ' retries' as detail
  from compared
)

{{ breaches('measured', 'retry_rate_rise') }}
