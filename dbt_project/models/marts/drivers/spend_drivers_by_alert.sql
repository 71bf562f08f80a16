-- One row per alert and driver: by what the cost of the alert's scope moved against its usual day, largest first. A rule about
-- a release is compared with the week before that release, every other with the mean of the seven days before it.
with alerts as (
  select breaches.*
  from {{ ref('int_alerts__unioned') }} as breaches
  where breaches.usage_date > (
    select max(cube.usage_date) - interval '{{ var('explained_days') }} days'
    from {{ ref('llm_usage_by_tenant_feature_model_day') }} as cube
  )
),

-- The newest release of each feature in the week up to a day.
releases_of_days as (
  select
    days.usage_date,
    releases.feature,
    releases.release_id,
    releases.deployed_date,
    row_number() over (
      partition by days.usage_date, releases.feature
      order by releases.deployed_date desc, releases.release_id desc
    ) as choice
  from (select distinct usage_date from alerts) as days
  inner join {{ ref('dim_releases') }} as releases
    on
      releases.deployed_date <= days.usage_date
      and releases.deployed_date > days.usage_date - interval '8 days'
),

baselines as (
  select
    alerts.alert_rule,
    alerts.scope_kind,
    alerts.scope_id,
    alerts.usage_date,
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
      else ''
    end as release_words
  from alerts
  left join releases_of_days as releases
    on
      alerts.usage_date = releases.usage_date
      and alerts.scope_id = releases.feature
      and releases.choice = 1
),

-- Several rules fire on one scope and day: it is compared once.
compared as (
  select
    *,
    row_number() over (
      order by usage_date, cell_scope_kind, cell_scope_id, baseline_end_date, release_words
    ) as comparison_key
  from (
    select distinct
      cell_scope_kind,
      cell_scope_id,
      usage_date,
      baseline_end_date,
      release_words
    from baselines
  ) as wanted
),

releases as (
  select
    compared.comparison_key,
    releases_of_days.feature,
    releases_of_days.release_id,
    releases_of_days.deployed_date
  from compared
  inner join releases_of_days on compared.usage_date = releases_of_days.usage_date
  where releases_of_days.choice = 1
),

scopes as (
  select
    tenant_id,
    feature,
    provider,
    provider || '/' || model as model_id,
    min(usage_date) as first_date
  from {{ ref('llm_usage_by_tenant_feature_model_day') }}
  group by 1, 2, 3, 4
),

periods as (
  select
    compared.comparison_key,
    compared.cell_scope_kind,
    compared.cell_scope_id,
    days.usage_date,
    days.usage_date = compared.usage_date as is_current
  from (select distinct usage_date from {{ ref('llm_usage_by_tenant_feature_model_day') }}) as days
  inner join compared
    on
      days.usage_date = compared.usage_date
      or (
        days.usage_date < compared.baseline_end_date
        and days.usage_date >= compared.baseline_end_date - interval '7 days'
      )
),

usage as (
  select
    periods.comparison_key,
    periods.is_current,
    cube.*
  from {{ ref('llm_usage_by_tenant_feature_model_day') }} as cube
  inner join periods on cube.usage_date = periods.usage_date
  where
    periods.cell_scope_id = case periods.cell_scope_kind
      when 'tenant' then cube.tenant_id
      when 'feature' then cube.feature
      when 'provider' then cube.provider
      when 'model' then cube.provider || '/' || cube.model
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
    min(first_date) as first_date
  from scopes
  group by 2
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

measured as (
  select
    compared.*,
    greatest(least(date_diff('day', first_days.first_date, compared.baseline_end_date), 7), 1) as history_days_count
  from compared
  inner join first_days
    on compared.cell_scope_kind = first_days.scope_kind and compared.cell_scope_id = first_days.scope_id
),

comparisons as (
  -- Quiet days count as 0; days before the scope was first seen do not count.
  select
    comparison_key,
    cell_scope_kind,
    cell_scope_id,
    usage_date,
    baseline_end_date,
    release_words,
    case when cell_scope_kind = 'org' then 'all requests' else cell_scope_id end as scope_words,
    coalesce(nullif(release_words, ''), 'its ' || history_days_count || '-day mean') as baseline_words,
    history_days_count as baseline_divisor,
    1 as current_divisor
  from measured
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
  baselines.alert_rule,
  baselines.scope_kind,
  baselines.scope_id,
  baselines.usage_date,
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
inner join baselines
  on
    comparisons.cell_scope_kind = baselines.cell_scope_kind
    and comparisons.cell_scope_id = baselines.cell_scope_id
    and comparisons.usage_date = baselines.usage_date
    and comparisons.baseline_end_date = baselines.baseline_end_date
    and comparisons.release_words = baselines.release_words
inner join sentences on drivers.comparison_key = sentences.comparison_key
