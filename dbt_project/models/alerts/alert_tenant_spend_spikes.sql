-- One row per tenant and day on which it spent a multiple of its trailing mean. The evaluated day is not part of its own
-- baseline, a tenant needs some days of history, and small money and the noise of its own weeks are left alone.
with spend as (
  select
    usage_date,
    tenant_id,
    coalesce(plan_id, '') as plan_id,
    coalesce(effective_cost_usd, {{ zero_usd() }}) as effective_cost_usd,
    date_diff('day', min(usage_date) over (partition by tenant_id), usage_date) as days_since_first
  from {{ ref('unit_economics_by_tenant_day') }}
  where tenant_id <> 'unattributed'
),

compared as (
  {{ with_earlier_days('spend', 'tenant_id', ['effective_cost_usd'], 'tenant_spend_spike') }}
),

baselines as (
  -- Quiet days count as 0: the sum is divided by the days since the tenant first came, at most those of the window.
  select
    compared.*,
    least(cast(compared.days_since_first as bigint), rules.window_days) as history_days_count
  from compared
  inner join {{ ref('stg_alert_rules__rules') }} as rules on rules.alert_rule = 'tenant_spend_spike'
),

measured as (
  select
    usage_date,
    tenant_id,
    'tenant' as scope_kind,
    tenant_id as scope_id,
    plan_id,
    effective_cost_usd as observed,
    {{ ratio('coalesce(earlier_effective_cost_usd, ' ~ zero_usd() ~ ')', 'history_days_count') }} as baseline,
    effective_cost_usd as floor_value,
    history_days_count,
    cast(history_days_count as varchar) || ' days of history' as detail
  from baselines
),

broken as (
  {{ breaches('measured', 'tenant_spend_spike', kept=['tenant_id']) }}
),

beyond_noise as (
  {{ beyond_noise('broken', 'spend', 'tenant_id', 'effective_cost_usd', 'tenant_spend_spike') }}
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
from beyond_noise
