-- One row per feature and day on which one accepted outcome of a window of settled days cost far more than in the window
-- before. Verdicts come days later, so a day counts when it is outcome_grace_days old, with the verdicts of those days
-- alone: otherwise every fresh day would look worse than it is.
with accepted as (
  select
    operation_date,
    feature,
    sum(accepted_outcomes_count) as accepted_outcomes_count
  from {{ ref('outcomes_by_tenant_feature_day') }}
  where
    operation_date is not null
    and usage_date <= operation_date + interval '{{ var("outcome_grace_days") }} days'
  group by operation_date, feature
),

bounds as (
  select max(usage_date) as last_date
  from {{ ref('unit_economics_by_feature_day') }}
),

settled as (
  select
    cast(costs.usage_date + interval '{{ var("outcome_grace_days") }} days' as date) as usage_date,
    costs.feature,
    costs.effective_cost_usd,
    coalesce(accepted.accepted_outcomes_count, 0) as accepted_outcomes_count
  from {{ ref('unit_economics_by_feature_day') }} as costs
  left join accepted on costs.usage_date = accepted.operation_date and costs.feature = accepted.feature
),

compared as (
  {{ with_earlier_days(
    'settled', 'feature', ['effective_cost_usd', 'accepted_outcomes_count'], 'outcome_cost_regression', is_window=true
  ) }}
),

measured as (
  select
    compared.usage_date,
    'feature' as scope_kind,
    compared.feature as scope_id,
    '' as plan_id,
    {{ ratio('compared.recent_effective_cost_usd', 'compared.recent_accepted_outcomes_count') }} as observed,
    {{ ratio('compared.earlier_effective_cost_usd', 'compared.earlier_accepted_outcomes_count') }} as baseline,
    least(compared.recent_accepted_outcomes_count, compared.earlier_accepted_outcomes_count) as floor_value,
    compared.earlier_days_count as history_days_count,
    cast(compared.recent_accepted_outcomes_count as varchar) || ' accepted outcomes' as detail
  from compared
  inner join bounds on compared.usage_date <= bounds.last_date
)

{{ breaches('measured', 'outcome_cost_regression') }}
