-- One row per feature and day on which the tokens of one answered operation, since a release, were far above the days before
-- it, within a window of that release; of several releases the one with the largest rise.
with days as (
  select
    usage_date,
    feature,
    input_tokens + output_tokens as tokens,
    answered_operations_count
  from {{ ref('unit_economics_by_feature_day') }}
  where feature <> 'unattributed'
),

releases as (
  select
    feature,
    release_id,
    deployed_date
  from {{ ref('dim_releases') }}
),

weeks as (
  -- After: the days after the release's own, up to the window; before: as many days ahead of it.
  select
    today.usage_date,
    today.feature,
    releases.release_id,
    sum(case when days.usage_date > releases.deployed_date then days.tokens else 0 end) as tokens_after,
    sum(case when days.usage_date > releases.deployed_date then days.answered_operations_count else 0 end)
      as operations_after,
    sum(case when days.usage_date < releases.deployed_date then days.tokens else 0 end) as tokens_before,
    sum(case when days.usage_date < releases.deployed_date then days.answered_operations_count else 0 end)
      as operations_before
  from days as today
  inner join releases
    on
      today.feature = releases.feature
      and today.usage_date > releases.deployed_date
  inner join {{ ref('stg_alert_rules__rules') }} as rules on rules.alert_rule = 'feature_token_regression'
  inner join days
    on
      today.feature = days.feature
      and days.usage_date <= today.usage_date
      and days.usage_date >= releases.deployed_date - rules.window_days * interval '1 day'
  where today.usage_date <= releases.deployed_date + rules.window_days * interval '1 day'
  group by today.usage_date, today.feature, releases.release_id
),

ratios as (
  select
    *,
    {{ ratio('tokens_after', 'operations_after') }} as tokens_per_operation_after,
    {{ ratio('tokens_before', 'operations_before') }} as tokens_per_operation_before
  from weeks
),

measured as (
  select
    usage_date,
    'feature' as scope_kind,
    feature as scope_id,
    '' as plan_id,
    tokens_per_operation_after as observed,
    tokens_per_operation_before as baseline,
    least(operations_after, operations_before) as floor_value,
    null as history_days_count,
    'release ' || release_id as detail
  from ratios
),

broken as (
  {{ breaches('measured', 'feature_token_regression') }}
),

ranked as (
  select
    *,
    row_number() over (
      partition by usage_date, scope_id
      order by observed / nullif(baseline, 0) desc, detail desc
    ) as choice
  from broken
)

select
  alert_rule,
  severity,
  usage_date,
  scope_kind,
  scope_id,
  observed,
  threshold,
  unit,
  baseline,
  detail
from ranked
where choice = 1
