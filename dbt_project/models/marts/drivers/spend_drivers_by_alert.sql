-- One row per alert and driver: by what the cost of the alert's scope moved against its usual day, largest first. A rule about
-- a release is compared with the week before that release, every other with the mean of the seven days before it.
with alerts as (
  select
    breaches.*,
    row_number() over (
      order by breaches.usage_date, breaches.alert_rule, breaches.scope_kind, breaches.scope_id
    ) as comparison_key
  from {{ ref('int_alerts__unioned') }} as breaches
  where breaches.usage_date > (
    select max(cube.usage_date) - interval '{{ var('explained_days') }} days'
    from {{ ref('llm_usage_by_tenant_feature_model_day') }} as cube
  )
),

releases_within_a_week as (
  select
    alerts.comparison_key,
    releases.feature,
    releases.release_id,
    releases.deployed_date,
    row_number() over (
      partition by alerts.comparison_key, releases.feature
      order by releases.deployed_date desc, releases.release_id desc
    ) as choice
  from alerts
  inner join {{ ref('dim_releases') }} as releases
    on
      releases.deployed_date <= alerts.usage_date
      and releases.deployed_date > alerts.usage_date - interval '8 days'
),

releases as (
  select
    comparison_key,
    feature,
    release_id,
    deployed_date
  from releases_within_a_week
  where choice = 1
),

baselines as (
  select
    alerts.*,
    -- Traffic that lost its tags is seen in what has none.
    case when alerts.scope_id = 'requests without a tenant' then 'tenant' else alerts.scope_kind end as cell_scope_kind,
    case
      when alerts.scope_id = 'requests without a tenant' then 'unattributed'
      when alerts.scope_kind = 'org' then ''
      else alerts.scope_id
    end as cell_scope_id,
    case
      when alerts.alert_rule = 'feature_token_regression' then coalesce(releases.deployed_date, alerts.usage_date)
      else alerts.usage_date
    end as baseline_end_date,
    case
      when alerts.alert_rule = 'feature_token_regression' and releases.deployed_date is not null
        then 'the week before release ' || releases.release_id
    end as release_words
  from alerts
  left join releases on alerts.comparison_key = releases.comparison_key and alerts.scope_id = releases.feature
),

cube as (
  select
    *,
    provider || '/' || model as model_id
  from {{ ref('llm_usage_by_tenant_feature_model_day') }}
),

periods as (
  select
    baselines.comparison_key,
    baselines.cell_scope_kind,
    baselines.cell_scope_id,
    days.usage_date,
    days.usage_date = baselines.usage_date as is_current
  from (select distinct usage_date from cube) as days
  inner join baselines
    on
      days.usage_date = baselines.usage_date
      or (
        days.usage_date < baselines.baseline_end_date
        and days.usage_date >= baselines.baseline_end_date - interval '7 days'
      )
),

usage as (
  select
    periods.comparison_key,
    periods.is_current,
    cube.*
  from cube
  inner join periods on cube.usage_date = periods.usage_date
  where
    periods.cell_scope_id = case periods.cell_scope_kind
      when 'tenant' then cube.tenant_id
      when 'feature' then cube.feature
      when 'provider' then cube.provider
      when 'model' then cube.model_id
      else ''
    end
),

operations as (
  select
    periods.comparison_key,
    periods.is_current,
    operations.*
  from {{ ref('operations_by_tenant_feature_day') }} as operations
  inner join periods on operations.usage_date = periods.usage_date
  where
    periods.cell_scope_id = case periods.cell_scope_kind
      when 'tenant' then operations.tenant_id
      when 'feature' then operations.feature
      else periods.cell_scope_id
    end
),

first_days as (
  {%- for kind, column in {
    'tenant': 'tenant_id', 'feature': 'feature', 'provider': 'provider', 'model': 'model_id', 'org': "''"
  }.items() %}
  select
    '{{ kind }}' as scope_kind,
    {{ column }} as scope_id,
    min(usage_date) as first_date
  from cube
  group by 2
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

measured_baselines as (
  select
    baselines.*,
    greatest(least(date_diff('day', first_days.first_date, baselines.baseline_end_date), 7), 1) as history_days_count
  from baselines
  inner join first_days
    on baselines.cell_scope_kind = first_days.scope_kind and baselines.cell_scope_id = first_days.scope_id
),

comparisons as (
  -- Quiet days count as 0; days before the scope was first seen do not count.
  select
    baselines.comparison_key,
    baselines.alert_rule,
    baselines.scope_kind,
    baselines.scope_id,
    baselines.usage_date,
    case when baselines.cell_scope_kind = 'org' then 'all requests' else baselines.cell_scope_id end as scope_words,
    coalesce(baselines.release_words, 'its ' || baselines.history_days_count || '-day mean') as baseline_words,
    baselines.history_days_count as baseline_divisor,
    1 as current_divisor
  from measured_baselines as baselines
),

decomposed as (
  {{ decomposed_change('usage', 'operations', 'comparisons') }}
),

drivers as (
  {{ change_drivers('decomposed', 'releases') }}
),

sentences as (
  {{ driver_sentences('drivers', 'comparisons') }}
)

select
  comparisons.alert_rule,
  comparisons.scope_kind,
  comparisons.scope_id,
  comparisons.usage_date,
  drivers.driver_rank,
  drivers.driver,
  drivers.tenant_id,
  drivers.feature,
  drivers.provider,
  drivers.model,
  drivers.release_id,
  drivers.effect_usd,
  drivers.change_usd,
  drivers.share_of_change,
  drivers.driver_words,
  sentences.sentence
from drivers
inner join comparisons on drivers.comparison_key = comparisons.comparison_key
inner join sentences on drivers.comparison_key = sentences.comparison_key
