-- One row per tenant and day above the rule's amount on a plan that has no enterprise AI tier.
with measured as (
  select
    usage_date,
    'tenant' as scope_kind,
    tenant_id as scope_id,
    coalesce(plan_id, '') as plan_id,
    effective_cost_usd as observed,
    null as baseline,
    null as floor_value,
    null as history_days_count,
    'plan ' || plan_id as detail
  from {{ ref('unit_economics_by_tenant_day') }}
  where
    tenant_id <> 'unattributed'
    and coalesce(ai_tier, 'none') <> 'enterprise'
)

{{ breaches('measured', 'tenant_without_enterprise_tier') }}
