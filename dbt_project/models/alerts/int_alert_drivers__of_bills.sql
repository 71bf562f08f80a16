-- One row per alert and driver, for alerts that a bill explains: what it holds beyond the requests. Of a provider that is use
-- that no log has, by project, and lines that no request has; of a sku it is how far the bill is off our estimate. Against the
-- mean of the billed days of the week before; where the rule is of a share and not of its change, against nothing, so that
-- what has been missing for weeks is still named.
{{ config(materialized='view') }}
with alerts as (
  select
    breaches.alert_rule,
    breaches.scope_kind,
    breaches.scope_id,
    breaches.usage_date,
    breaches.scope_kind = 'provider' and rules.comparator = 'above' as is_of_share
  from {{ ref('int_alerts__unioned') }} as breaches
  inner join {{ ref('stg_alert_rules__rules') }} as rules on breaches.alert_rule = rules.alert_rule
  where rules.explained_by = 'bill' and breaches.scope_kind in ('provider', 'sku')
),

amounts as (
  select
    usage_date,
    'provider' as scope_kind,
    provider as scope_id,
    'unlogged_usage' as driver,
    provider_project,
    provider,
    '' as model,
    usage_gap_usd as amount_usd
  from {{ ref('recon_estimated_vs_billed_by_project_day') }}
  where billed_cost_usd is not null
  union all
  select
    usage_date,
    'provider' as scope_kind,
    provider as scope_id,
    reason as driver,
    '' as provider_project,
    provider,
    '' as model,
    amount_usd
  from {{ ref('unattributed_cost_by_provider_day') }}
  where reason not in ('unlogged_usage', 'credit', 'tax')
  union all
  select
    usage_date,
    'sku' as scope_kind,
    concat_ws('/', provider, model, service_tier, usage_class) as scope_id,
    'true_up' as driver,
    '' as provider_project,
    provider,
    model,
    price_gap_usd as amount_usd
  from {{ ref('recon_estimated_vs_billed_by_sku_day') }}
  where billed_cost_usd is not null
),

looked_at as (
  select
    alerts.*,
    amounts.usage_date = alerts.usage_date as is_current,
    amounts.usage_date as billed_date,
    amounts.driver,
    amounts.provider_project,
    amounts.provider,
    amounts.model,
    amounts.amount_usd
  from alerts
  inner join amounts
    on
      alerts.scope_kind = amounts.scope_kind
      and alerts.scope_id = amounts.scope_id
      and amounts.usage_date <= alerts.usage_date
      and amounts.usage_date >= alerts.usage_date - case when alerts.is_of_share then 0 else 7 end * interval '1 day'
),

days as (
  select
    alert_rule,
    scope_kind,
    scope_id,
    usage_date,
    is_of_share,
    count(distinct case when not is_current then billed_date end) as baseline_days
  from looked_at
  group by alert_rule, scope_kind, scope_id, usage_date, is_of_share
),

summed as (
  select
    alert_rule,
    scope_kind,
    scope_id,
    usage_date,
    driver,
    provider_project,
    provider,
    model,
    {{ usd_to_units('coalesce(sum(case when is_current then amount_usd end), 0)') }} as current_units,
    {{ usd_to_units('coalesce(sum(case when not is_current then amount_usd end), 0)') }} as earlier_units
  from looked_at
  group by alert_rule, scope_kind, scope_id, usage_date, driver, provider_project, provider, model
),

compared as (
  select
    summed.*,
    days.is_of_share,
    days.baseline_days,
    {{ units_to_usd(
      'summed.current_units - sign(summed.earlier_units) * '
      ~ whole_division('abs(summed.earlier_units)', 'greatest(days.baseline_days, 1)')
    ) }} as effect_usd
  from summed
  inner join days
    on
      summed.alert_rule = days.alert_rule
      and summed.scope_kind = days.scope_kind
      and summed.scope_id = days.scope_id
      and summed.usage_date = days.usage_date
)

select
  alert_rule,
  scope_kind,
  scope_id,
  usage_date,
  scope_id || case scope_kind when 'provider' then ' beyond the requests' else ' off the estimate' end as scope_words,
  case
    when is_of_share then 'nothing'
    when baseline_days = 0 then 'nothing before'
    else 'its ' || baseline_days || '-day mean'
  end as baseline_words,
  driver,
  '' as tenant_id,
  '' as feature,
  provider,
  model,
  '' as release_id,
  effect_usd,
  case
    when driver = 'unlogged_usage'
      then
        case when is_of_share then '' when effect_usd > 0 then 'more ' else 'less ' end
        || case provider_project
          when '' then 'use that names no project and is in no log'
          else 'use of project ' || provider_project || ' that is in no log'
        end
    when driver = 'true_up'
      then 'bill of ' || provider || case when effect_usd > 0 then ' above' else ' below' end || ' the estimate'
    else case when is_of_share then '' when effect_usd > 0 then 'more ' else 'less ' end || replace(driver, '_', ' ')
  end as driver_words
from compared
where effect_usd <> 0
