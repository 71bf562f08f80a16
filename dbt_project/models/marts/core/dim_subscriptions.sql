-- One row per tenant and span of days on one plan, with the plan's terms. A tenant is on one plan at a time: the next
-- one ends the one before, and of two that begin on a day the one that brings in more counts.
{{ config(tags=['rollup']) }}
with ranked as (
  select
    *,
    row_number() over (
      partition by tenant_id, valid_from
      order by coalesce(monthly_recurring_revenue_usd, {{ zero_usd() }}) desc, plan_id, valid_to desc
    ) as choice
  from {{ ref('stg_company__subscriptions') }}
),

subscriptions as (
  select
    *,
    lead(valid_from) over (partition by tenant_id order by valid_from) as next_valid_from
  from ranked
  where choice = 1
),

plans as (
  select
    *,
    row_number() over (partition by plan_id order by monthly_price_usd desc, plan_name, ai_tier) as choice
  from {{ ref('stg_company__plans') }}
)

select
  subscriptions.tenant_id,
  subscriptions.plan_id,
  coalesce(plans.plan_name, subscriptions.plan_id) as plan_name,
  plans.ai_tier,
  subscriptions.valid_from,
  least(subscriptions.valid_to, coalesce(subscriptions.next_valid_from, subscriptions.valid_to)) as valid_to,
  subscriptions.seats_count,
  subscriptions.monthly_recurring_revenue_usd,
  plans.monthly_price_usd,
  plans.daily_ai_budget_usd,
  plans.monthly_ai_budget_usd,
  plans.included_operations_count
from subscriptions
left join plans on subscriptions.plan_id = plans.plan_id and plans.choice = 1
