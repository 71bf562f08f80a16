-- One row per alert and driver, for alerts that a change of cost explains: by what the cost of the alert's scope moved against
-- the days before. Most alerts compare their day with the mean of the seven days before it; one about a release with the week
-- before that release, one about settled days with as many before them, one about a budget the month so far with as many days
-- before the month, and what moved the budget itself is a driver beside the others. How much a feature was used, and by whom,
-- explains no rate. Kept from run to run: an alert is explained again only when a day that it is compared with has changed.
{{ config(
  materialized='incremental',
  incremental_strategy='window',
  meta={'days_after': 2 * longest_baseline_days() + var('outcome_grace_days')}
) }}
with alerts as (
  select
    breaches.alert_rule,
    breaches.scope_kind,
    breaches.scope_id,
    breaches.usage_date,
    rules.window_days,
    rules.explained_by,
    breaches.alert_rule = 'outcome_cost_regression' as is_of_settled_days,
    -- Traffic that lost its tags is seen in what has none.
    case when breaches.scope_id = 'requests without a tenant' then 'tenant' else breaches.scope_kind end as cell_scope_kind,
    case
      when breaches.scope_id = 'requests without a tenant' then 'unattributed'
      when breaches.scope_kind = 'org' then ''
      else breaches.scope_id
    end as cell_scope_id
  from {{ ref('int_alerts__unioned') }} as breaches
  inner join {{ ref('stg_alert_rules__rules') }} as rules on breaches.alert_rule = rules.alert_rule
  where
    (
      rules.explained_by in ('cost', 'rate', 'budget')
      or (rules.explained_by = 'bill' and breaches.scope_kind = 'org')
    )
    and {{ between_built_days('breaches.usage_date', 0, days_after()) }}
    and breaches.usage_date > (
      select max(days.usage_date) - interval '{{ var('explained_days') }} days'
      from {{ ref('unit_economics_by_model_day') }} as days
    )
),

-- The newest release of the alert's feature in the week up to its day.
regressions as (
  select
    alerts.alert_rule,
    alerts.usage_date,
    alerts.scope_id,
    releases.release_id,
    releases.deployed_date,
    row_number() over (
      partition by alerts.usage_date, alerts.scope_id
      order by releases.deployed_date desc, releases.release_id desc
    ) as choice
  from alerts
  inner join {{ ref('dim_releases') }} as releases
    on
      alerts.scope_id = releases.feature
      and releases.deployed_date <= alerts.usage_date
      and releases.deployed_date > alerts.usage_date - interval '8 days'
  where alerts.alert_rule = 'feature_token_regression'
),

first_days as (
  {%- for kind, column, days in [
    ('tenant', 'tenant_id', ref('unit_economics_by_tenant_day')),
    ('feature', 'feature', ref('unit_economics_by_feature_day')),
    ('provider', 'provider', ref('unit_economics_by_model_day')),
    ('model', "provider || '/' || model", ref('unit_economics_by_model_day')),
    ('org', "''", ref('unit_economics_by_model_day')),
  ] %}
  select
    '{{ kind }}' as scope_kind,
    {{ column }} as scope_id,
    min(usage_date) as first_date
  from {{ days }}
  where attempts_count > 0
  group by 2
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

wanted as (
  select
    alerts.*,
    regressions.release_id as regressed_release_id,
    first_days.first_date,
    case
      when alerts.is_of_settled_days
        then cast(alerts.usage_date - interval '{{ var("outcome_grace_days") }} days' as date)
      else alerts.usage_date
    end as current_last_date,
    case
      when alerts.is_of_settled_days then alerts.window_days
      when alerts.explained_by = 'budget' then cast(extract(day from alerts.usage_date) as bigint)
      else 1
    end as wanted_current_days,
    case
      when alerts.is_of_settled_days then alerts.window_days
      when alerts.explained_by = 'budget' then cast(extract(day from alerts.usage_date) as bigint)
      else 7
    end as wanted_baseline_days,
    -- The first day that is no longer of the baseline.
    cast(
      case
        when alerts.is_of_settled_days
          then
            alerts.usage_date
            - interval '{{ var("outcome_grace_days") - 1 }} days'
            - alerts.window_days * interval '1 day'
        when alerts.explained_by = 'budget' then date_trunc('month', alerts.usage_date)
        else coalesce(regressions.deployed_date, alerts.usage_date)
      end as date
    ) as baseline_end_date
  from alerts
  inner join first_days
    on alerts.cell_scope_kind = first_days.scope_kind and alerts.cell_scope_id = first_days.scope_id
  left join regressions
    on
      alerts.alert_rule = regressions.alert_rule
      and alerts.usage_date = regressions.usage_date
      and alerts.scope_id = regressions.scope_id
      and regressions.choice = 1
),

known as (
  -- Quiet days count as 0; days before the scope was first seen do not count.
  select
    *,
    greatest(least(date_diff('day', first_date, baseline_end_date), wanted_baseline_days), 0) as known_days
  from wanted
),

spans as (
  -- A budget is of a sum and not of a mean day: both of its sides have as many days.
  select
    *,
    case
      when explained_by = 'budget' and known_days > 0 then least(known_days, wanted_current_days)
      else wanted_current_days
    end as current_days,
    greatest(known_days, 1) as baseline_days
  from known
),

-- Several rules fire on one scope and day: it is compared once.
compared as (
  select
    *,
    cast(current_last_date - (current_days - 1) * interval '1 day' as date) as current_first_date,
    cast(baseline_end_date - baseline_days * interval '1 day' as date) as baseline_first_date,
    case when baseline_days = current_days then 1 else baseline_days end as baseline_divisor,
    case when baseline_days = current_days then 1 else current_days end as current_divisor,
    row_number() over (
      order by current_last_date, cell_scope_kind, cell_scope_id, current_days, baseline_end_date, baseline_days
    ) as comparison_key
  from (
    select distinct
      cell_scope_kind,
      cell_scope_id,
      current_last_date,
      current_days,
      baseline_end_date,
      baseline_days
    from spans
  ) as distinct_spans
),

releases as (
  select
    comparison_key,
    feature,
    release_id
  from (
    select
      compared.comparison_key,
      releases.feature,
      releases.release_id,
      row_number() over (
        partition by compared.comparison_key, releases.feature
        order by releases.deployed_date desc, releases.release_id desc
      ) as choice
    from compared
    inner join {{ ref('dim_releases') }} as releases
      on
        releases.deployed_date <= compared.current_last_date
        and releases.deployed_date >= compared.baseline_first_date
  ) as ranked
  where choice = 1
),

periods as (
  select
    compared.comparison_key,
    compared.cell_scope_kind,
    compared.cell_scope_id,
    days.usage_date,
    days.usage_date >= compared.current_first_date as is_current
  from (select distinct usage_date from {{ ref('unit_economics_by_model_day') }}) as days
  inner join compared
    on
      days.usage_date between compared.baseline_first_date and compared.current_last_date
      and (days.usage_date < compared.baseline_end_date or days.usage_date >= compared.current_first_date)
),

usage as (
  select
    periods.comparison_key,
    periods.is_current,
    cube.*
  from {{ ref('llm_usage_by_tenant_feature_model_day') }} as cube
  inner join periods on cube.usage_date = periods.usage_date
  where
    cube.usage_date >= (select min(compared.baseline_first_date) from compared)
    and periods.cell_scope_id = case periods.cell_scope_kind
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
    operations.usage_date >= (select min(compared.baseline_first_date) from compared)
    and periods.cell_scope_id = case periods.cell_scope_kind
      when 'tenant' then operations.tenant_id
      when 'feature' then operations.feature
      else periods.cell_scope_id
    end
),

decomposed as (
  {{ decomposed_change('usage', 'operations', 'compared') }}
),

drivers as (
  {{ change_drivers('decomposed', 'releases') }}
),

budgets as (
  select
    spans.alert_rule,
    spans.scope_kind,
    spans.scope_id,
    spans.usage_date,
    cast(before.budget_usd - now.budget_usd as decimal(38, 12)) as effect_usd
  from spans
  inner join {{ ref('dim_budgets') }} as now
    on
      spans.scope_kind = now.scope_kind
      and spans.scope_id = now.scope_id
      and now.budget_period = 'month'
      and spans.usage_date >= now.valid_from
      and spans.usage_date < now.valid_to
  inner join {{ ref('dim_budgets') }} as before
    on
      spans.scope_kind = before.scope_kind
      and spans.scope_id = before.scope_id
      and before.budget_period = 'month'
      and spans.baseline_end_date > before.valid_from
      and spans.baseline_end_date <= before.valid_to
  where spans.explained_by = 'budget'
),

told as (
  select
    alert_rule,
    scope_kind,
    scope_id,
    usage_date,
    explained_by,
    cell_scope_kind,
    cell_scope_id,
    current_last_date,
    current_days,
    baseline_end_date,
    baseline_days,
    case scope_kind when 'org' then coalesce(nullif(scope_id, ''), 'all requests') else scope_id end
    || case
      when explained_by = 'budget' then ' against the budget'
      when is_of_settled_days then ' at equal use in ' || current_days || ' settled days'
      when explained_by = 'rate' then ' at equal use'
      else ''
    end as scope_words,
    case
      when regressed_release_id is not null then 'the week before release ' || regressed_release_id
      when known_days = 0 then 'nothing before'
      when is_of_settled_days then 'the ' || baseline_days || ' days before'
      when explained_by = 'budget' then 'the ' || baseline_days || ' days before the month'
      else 'its ' || baseline_days || '-day mean'
    end as baseline_words
  from spans
)

select
  told.alert_rule,
  told.scope_kind,
  told.scope_id,
  told.usage_date,
  told.scope_words,
  told.baseline_words,
  drivers.driver,
  drivers.tenant_id,
  drivers.feature,
  drivers.provider,
  drivers.model,
  drivers.release_id,
  drivers.effect_usd,
  drivers.driver_words
from drivers
inner join compared on drivers.comparison_key = compared.comparison_key
inner join told
  on
    compared.cell_scope_kind = told.cell_scope_kind
    and compared.cell_scope_id = told.cell_scope_id
    and compared.current_last_date = told.current_last_date
    and compared.current_days = told.current_days
    and compared.baseline_end_date = told.baseline_end_date
    and compared.baseline_days = told.baseline_days
where
  told.explained_by <> 'rate'
  or drivers.driver not in ('operations_volume', 'tenant_mix', 'feature_mix', 'tenant_turnover', 'feature_turnover')
union all
select
  told.alert_rule,
  told.scope_kind,
  told.scope_id,
  told.usage_date,
  told.scope_words,
  told.baseline_words,
  'budget' as driver,
  '' as tenant_id,
  '' as feature,
  '' as provider,
  '' as model,
  '' as release_id,
  budgets.effect_usd,
  'budget $' || {{ money_text('abs(budgets.effect_usd)') }}
  || case when budgets.effect_usd > 0 then ' below' else ' above' end || ' that of the month before' as driver_words
from told
inner join budgets
  on
    told.alert_rule = budgets.alert_rule
    and told.scope_kind = budgets.scope_kind
    and told.scope_id = budgets.scope_id
    and told.usage_date = budgets.usage_date
where budgets.effect_usd <> 0
