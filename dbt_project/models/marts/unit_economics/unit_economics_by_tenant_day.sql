-- One row per day and tenant, summed from the tenants' features, so every roll-up has the same total.
{{ config(materialized='incremental', incremental_strategy='window') }}
with summed as (
  select
    usage_date,
    tenant_id,
    {{ sum_of_unit_measures() }}
  from {{ ref('unit_economics_by_tenant_feature_day') }}
  where {{ on_built_days() }}
  group by usage_date, tenant_id
)

select
  summed.*,
  coalesce(customers.customer_name, summed.tenant_id) as customer_name,
  subscriptions.plan_id,
  subscriptions.plan_name,
  subscriptions.ai_tier,
  subscriptions.daily_ai_budget_usd,
  subscriptions.monthly_ai_budget_usd,
  {{ unit_ratios('summed.', 'summed.operations_count', 'summed.accepted_outcomes_count') }}
from summed
left join {{ ref('dim_customers') }} as customers
  on
    summed.tenant_id = customers.tenant_id
    and summed.usage_date >= customers.valid_from
    and summed.usage_date < customers.valid_to
left join {{ ref('dim_subscriptions') }} as subscriptions
  on
    summed.tenant_id = subscriptions.tenant_id
    and summed.usage_date >= subscriptions.valid_from
    and summed.usage_date < subscriptions.valid_to
