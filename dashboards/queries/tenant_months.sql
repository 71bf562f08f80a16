-- One row per calendar month of one tenant: plan, revenue, cost, margin, use of what the plan includes.
select
  usage_month,
  plan_name,
  seats_count,
  revenue_usd,
  llm_cost_usd,
  gross_margin_usd,
  gross_margin_rate,
  operations_count,
  included_operations_count,
  allowance_used_share,
  unpriced_attempts_count
from gross_margin_by_tenant_month
where tenant_id = $tenant
order by usage_month desc
