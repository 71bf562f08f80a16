-- One row per tenant and day on which it spent more than twice its trailing seven-day average. The evaluated day is not
-- part of its own baseline; a tenant needs three days of history, and small money is left alone.
{%- set factor = 2 %}
{%- set floor_usd = 20 %}
{%- set history_days = 3 %}
with spend as (
  select
    usage_date,
    tenant_id,
    coalesce(effective_cost_usd, {{ zero_usd() }}) as effective_cost_usd
  from {{ ref('unit_economics_by_tenant_day') }}
  where tenant_id <> 'unattributed'
),

first_days as (
  select
    tenant_id,
    min(usage_date) as first_date
  from spend
  group by tenant_id
),

baselines as (
  -- Quiet days count as 0: the sum over seven days is divided by the days since the tenant first came, at most seven.
  select
    today.usage_date,
    today.tenant_id,
    today.effective_cost_usd,
    least(cast(date_diff('day', first_days.first_date, today.usage_date) as bigint), 7) as history_days_count,
    coalesce(sum(earlier.effective_cost_usd), {{ zero_usd() }}) as trailing_cost_usd
  from spend as today
  inner join first_days on today.tenant_id = first_days.tenant_id
  left join spend as earlier
    on
      today.tenant_id = earlier.tenant_id
      and earlier.usage_date < today.usage_date
      and earlier.usage_date >= today.usage_date - interval '7 days'
  group by today.usage_date, today.tenant_id, today.effective_cost_usd, first_days.first_date
)

select
  'tenant_spend_spike' as alert_rule,
  'warn' as severity,
  usage_date,
  'tenant' as scope_kind,
  tenant_id as scope_id,
  cast(effective_cost_usd as double) as observed,
  {{ factor }} * {{ ratio('trailing_cost_usd', 'history_days_count') }} as threshold,
  'USD a day' as unit,
  history_days_count
from baselines
where
  history_days_count >= {{ history_days }}
  and effective_cost_usd >= {{ floor_usd }}
  -- Multiplied out, so that no money is divided: cost x days > factor x sum.
  and effective_cost_usd * cast(history_days_count as decimal(4, 0)) > {{ factor }} * trailing_cost_usd
