-- Budgets by scope and period, half-open by day.
select
  scope as scope_kind,
  coalesce(scope_id, '') as scope_id,
  period as budget_period,
  amount_usd as budget_usd,
  valid_from,
  coalesce(valid_to, cast('9999-01-01' as date)) as valid_to
from {{ landed_state('budgets') }} as landed
