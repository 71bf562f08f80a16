-- One row per tenant of the period, dearest first, at most $tenants_shown; budget and margin are of the newest month.
with spent as (
  select
    tenant_id,
    arg_max(plan_name, usage_date) as plan_name,
    sum(cost_usd) as cost_usd,
    sum(unpriced_attempts_count) as unpriced_attempts_count,
    sum(operations_count) as operations_count,
    sum(accepted_outcomes_count) as accepted_outcomes_count
  from usage
  group by tenant_id
),

named as (
  select
    spent.*,
    dim_customers.customer_name,
    sum(spent.cost_usd) over () as total_cost_usd
  from spent
  left join dim_customers on spent.tenant_id = dim_customers.tenant_id and dim_customers.is_current
),

margins as (
  select
    tenant_id,
    arg_max(gross_margin_usd, usage_month) as gross_margin_usd,
    arg_max(gross_margin_rate, usage_month) as gross_margin_rate,
    arg_max(revenue_usd, usage_month) as revenue_usd
  from gross_margin_by_tenant_month
  group by tenant_id
),

found as (
  select *
  from named
  where
    contains(lower(tenant_id), lower($search))
    or contains(lower(coalesce(customer_name, '')), lower($search))
  order by cost_usd desc nulls last, tenant_id
  limit $tenants_shown
)

select
  found.*,
  margins.revenue_usd,
  margins.gross_margin_usd,
  margins.gross_margin_rate,
  spend_forecasts.budget_usd,
  spend_forecasts.budget_used_share
from found
left join margins on found.tenant_id = margins.tenant_id
left join spend_forecasts on found.tenant_id = spend_forecasts.scope_id and spend_forecasts.scope_kind = 'tenant'
order by found.cost_usd desc nulls last, found.tenant_id
