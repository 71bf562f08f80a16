-- One row per feature and day on which an answered chat call wrote far more tokens than in the days before.
{{ config(materialized='incremental', incremental_strategy='window', meta={'days_after': longest_baseline_days()}) }}
with days as (
  select
    usage_date,
    feature,
    sum(output_tokens) as output_tokens,
    sum(succeeded_attempts_count) as answered_calls_count
  from {{ ref('llm_usage_by_tenant_feature_model_day') }}
  where operation_name = 'chat' and {{ days_of_rule('usage_date', 'output_drift') }}
  group by usage_date, feature
),

compared as (
  {{ with_earlier_days('days', 'feature', ['output_tokens', 'answered_calls_count'], 'output_drift') }}
),

measured as (
  select
    usage_date,
    'feature' as scope_kind,
    feature as scope_id,
    '' as plan_id,
    {{ ratio('output_tokens', 'answered_calls_count') }} as observed,
    {{ ratio('earlier_output_tokens', 'earlier_answered_calls_count') }} as baseline,
    answered_calls_count as floor_value,
    earlier_days_count as history_days_count,
    cast(null as varchar) as detail
  from compared
  where {{ between_built_days('usage_date', 0, days_after()) }}
)

{{ breaches('measured', 'output_drift') }}
