-- One row per tenant and day above 50 dollars on a plan that has no enterprise AI tier.
{%- set limit_usd = 50 %}
select
  'tenant_without_enterprise_tier' as alert_rule,
  'warn' as severity,
  usage_date,
  'tenant' as scope_kind,
  tenant_id as scope_id,
  cast(effective_cost_usd as double) as observed,
  cast({{ limit_usd }} as double) as threshold,
  'USD a day' as unit,
  plan_id
from {{ ref('unit_economics_by_tenant_day') }}
where
  tenant_id <> 'unattributed'
  and coalesce(ai_tier, 'none') <> 'enterprise'
  and effective_cost_usd > {{ limit_usd }}
