-- One row per tenant and day of which the cost up to some hour was a multiple of its usual cost up to that hour: the first
-- such hour beyond the noise of that hour in its own weeks. A runaway agent is caught on its day, before the day is over and
-- before a bill comes.
{{ config(materialized='incremental', incremental_strategy='window', meta={'days_after': longest_baseline_days()}) }}
with hours as (
  select seen.*
  from {{ ref('int_tenant_hours__summed') }} as seen
  where
    seen.tenant_id <> 'unattributed'
    and {{ days_of_rule('seen.usage_date', 'tenant_hour_spike') }}
),

-- An hour without a request has the sum of the hour before it.
filled as (
  select
    days.usage_date,
    days.tenant_id,
    clock.step_days - 1 as utc_hour,
    days.tenant_id || ' ' || cast(clock.step_days - 1 as varchar) as tenant_hour,
    sum(coalesce(busy.contracted_cost_usd, {{ zero_usd() }})) over (
      partition by days.usage_date, days.tenant_id order by clock.step_days
      rows between unbounded preceding and current row
    ) as cost_usd
  from (
    select distinct
      usage_date,
      tenant_id
    from hours
  ) as days
  cross join ({{ numbers_to(24) }}) as clock
  left join hours as busy
    on
      days.usage_date = busy.usage_date
      and days.tenant_id = busy.tenant_id
      and clock.step_days - 1 = busy.utc_hour
),

first_days as (
  select
    tenant_id,
    min(usage_date) as first_date
  from {{ ref('int_tenant_hours__summed') }}
  group by tenant_id
),

compared as (
  {{ with_earlier_days('filled', 'tenant_hour', ['cost_usd'], 'tenant_hour_spike') }}
),

measured as (
  select
    compared.usage_date,
    compared.tenant_hour,
    'tenant' as scope_kind,
    compared.tenant_id as scope_id,
    coalesce(plans.plan_id, '') as plan_id,
    compared.cost_usd as observed,
    {{ ratio(
      'coalesce(compared.earlier_cost_usd, ' ~ zero_usd() ~ ')',
      "least(date_diff('day', first_days.first_date, compared.usage_date), rules.window_days)"
    ) }} as baseline,
    compared.cost_usd as floor_value,
    least(date_diff('day', first_days.first_date, compared.usage_date), rules.window_days) as history_days_count,
    'since ' || lpad(cast(compared.utc_hour as varchar), 2, '0') || ':00 UTC' as detail
  from compared
  inner join first_days on compared.tenant_id = first_days.tenant_id
  inner join {{ ref('stg_alert_rules__rules') }} as rules on rules.alert_rule = 'tenant_hour_spike'
  left join {{ ref('unit_economics_by_tenant_day') }} as plans
    on compared.tenant_id = plans.tenant_id and compared.usage_date = plans.usage_date
  where {{ between_built_days('compared.usage_date', 0, days_after()) }}
),

broken as (
  {{ breaches('measured', 'tenant_hour_spike', kept=['tenant_hour']) }}
),

beyond_noise as (
  {{ beyond_noise('broken', 'filled', 'tenant_hour', 'cost_usd', 'tenant_hour_spike') }}
),

ranked as (
  select
    *,
    row_number() over (partition by usage_date, scope_id order by detail) as choice
  from beyond_noise
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
