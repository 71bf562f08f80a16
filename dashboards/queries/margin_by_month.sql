-- One row per calendar month: revenue earned, what it cost, and the margin.
select
  usage_month,
  sum(revenue_usd) as revenue_usd,
  sum(llm_cost_usd) as llm_cost_usd,
  sum(gross_margin_usd) as gross_margin_usd,
  sum(unpriced_attempts_count) as unpriced_attempts_count
from gross_margin_by_tenant_month
where
  ($tenant_id is null or list_contains($tenant_id, tenant_id))
  and ($plan_name is null or list_contains($plan_name, plan_name))
group by usage_month
order by usage_month desc
