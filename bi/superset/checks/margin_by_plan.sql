select
  plan_name,
  sum(revenue_usd) as revenue_usd,
  sum(llm_cost_usd) as llm_cost_usd,
  sum(revenue_usd) - sum(llm_cost_usd) as gross_margin_usd,
  cast(sum(gross_margin_usd) as double) / nullif(sum(revenue_usd), 0) as gross_margin_rate
from gross_margin_by_tenant_month
group by plan_name
