-- Which tenant was on which plan, half-open by day.
select
  tenant_id,
  plan_id,
  valid_from,
  coalesce(valid_to, cast('9999-01-01' as date)) as valid_to,
  seats as seats_count,
  monthly_recurring_revenue_usd
from {{ landed_state('subscriptions') }} as landed
