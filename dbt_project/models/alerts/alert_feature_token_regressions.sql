-- One row per feature and day on which the tokens of one answered operation, over seven days, were more than 40 % above
-- the seven days before, within a week of a release of that feature; of several releases the one with the largest rise.
{%- set factor = 1.4 %}
{%- set floor_operations = 50 %}
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
  -- After: the release's day and on, up to seven days; before: the seven days ahead of it.
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
      and today.usage_date <= releases.deployed_date + interval '7 days'
  inner join days
    on
      today.feature = days.feature
      and days.usage_date <= today.usage_date
      and days.usage_date >= releases.deployed_date - interval '7 days'
  group by today.usage_date, today.feature, releases.release_id
),

ratios as (
  select
    *,
    {{ ratio('tokens_after', 'operations_after') }} as tokens_per_operation_after,
    {{ ratio('tokens_before', 'operations_before') }} as tokens_per_operation_before
  from weeks
  where operations_after >= {{ floor_operations }} and operations_before >= {{ floor_operations }}
),

risen as (
  select
    *,
    row_number() over (
      partition by usage_date, feature
      order by tokens_per_operation_after / nullif(tokens_per_operation_before, 0) desc, release_id desc
    ) as choice
  from ratios
  where tokens_per_operation_after > {{ factor }} * tokens_per_operation_before
)

select
  'feature_token_regression' as alert_rule,
  'warn' as severity,
  usage_date,
  'feature' as scope_kind,
  feature as scope_id,
  tokens_per_operation_after as observed,
  {{ factor }} * tokens_per_operation_before as threshold,
  'tokens per answered operation' as unit,
  release_id
from risen
where choice = 1
