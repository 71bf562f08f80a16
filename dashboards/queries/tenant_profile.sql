-- One row for one tenant: who it is, and how far it is in its budget of the newest month; none when nobody knows it.
select
  dim_customers.customer_name,
  dim_subscriptions.plan_name,
  dim_subscriptions.ai_tier,
  dim_subscriptions.seats_count,
  spend_forecasts.month_to_date_cost_usd,
  spend_forecasts.month_end_cost_usd,
  spend_forecasts.budget_usd,
  spend_forecasts.budget_used_share
from (select $tenant as tenant_id) as asked
left join dim_customers on asked.tenant_id = dim_customers.tenant_id and dim_customers.is_current
left join dim_subscriptions
  on
    asked.tenant_id = dim_subscriptions.tenant_id
    and dim_subscriptions.valid_from <= $newest_date
    and dim_subscriptions.valid_to > $newest_date
left join spend_forecasts on asked.tenant_id = spend_forecasts.scope_id and spend_forecasts.scope_kind = 'tenant'
