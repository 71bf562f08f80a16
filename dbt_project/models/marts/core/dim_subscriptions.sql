-- One row per tenant and span of days on one plan, with the plan's terms.
{{ config(tags=['rollup']) }}
select
  subscriptions.tenant_id,
  subscriptions.plan_id,
  coalesce(plans.plan_name, subscriptions.plan_id) as plan_name,
  plans.ai_tier,
  subscriptions.valid_from,
  subscriptions.valid_to,
  subscriptions.seats_count,
  subscriptions.monthly_recurring_revenue_usd,
  plans.monthly_price_usd,
  plans.daily_ai_budget_usd,
  plans.monthly_ai_budget_usd,
  plans.included_operations_count
from {{ ref('stg_company__subscriptions') }} as subscriptions
left join {{ ref('stg_company__plans') }} as plans on subscriptions.plan_id = plans.plan_id
