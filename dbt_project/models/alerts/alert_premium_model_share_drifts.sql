-- One row per feature and day on which premium models wrote a far larger share of the output than in the days before. A model
-- is premium at premium_output_usd_per_mtok by the list price of the tier that served it: in batch it may not be.
{{ config(materialized='incremental', incremental_strategy='window', meta={'days_after': longest_baseline_days()}) }}
with days as (
  select
    usage_date,
    feature,
    sum(priced_output_tokens) as output_tokens,
    sum(
      case
        when
          output_cost_usd * 1000000 >= cast({{ var('premium_output_usd_per_mtok') }} as decimal(12, 6)) * priced_output_tokens
          then priced_output_tokens
        else 0
      end
    ) as premium_output_tokens,
    {{ value_at_max('model', 'case when priced_output_tokens > 0 then output_cost_usd end') }} as dearest_model
  from {{ ref('llm_usage_by_tenant_feature_model_day') }}
  where {{ days_of_rule('usage_date', 'premium_model_share_drift') }}
  group by usage_date, feature
),

compared as (
  {{ with_earlier_days('days', 'feature', ['output_tokens', 'premium_output_tokens'], 'premium_model_share_drift') }}
),

measured as (
  select
    usage_date,
    'feature' as scope_kind,
    feature as scope_id,
    '' as plan_id,
    {{ ratio('premium_output_tokens', 'output_tokens') }} as observed,
    {{ ratio('earlier_premium_output_tokens', 'earlier_output_tokens') }} as baseline,
    output_tokens as floor_value,
    earlier_days_count as history_days_count,
    'most is spent on ' || dearest_model as detail
  from compared
  where {{ between_built_days('usage_date', 0, days_after()) }}
)

{{ breaches('measured', 'premium_model_share_drift') }}
