-- The plans as they are known now.
select
  plan_id,
  plan_name,
  ai_tier,
  monthly_price_usd,
  daily_ai_budget_usd,
  monthly_ai_budget_usd,
  included_operations as included_operations_count
from {{ landed_state('plans') }} as landed
