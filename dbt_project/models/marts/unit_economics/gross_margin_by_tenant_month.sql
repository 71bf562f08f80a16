-- One row per calendar month and tenant: revenue earned and what its requests cost, on the same days. What the bills hold
-- beyond any request stands with `unattributed`, so the tenants are the company.
with costs as (
  select
    cast(date_trunc('month', usage_date) as date) as usage_month,
    tenant_id,
    cast(sum(effective_cost_usd) as decimal(38, 12)) as request_cost_usd,
    cast(sum(estimated_cost_usd) as decimal(38, 12)) as estimated_cost_usd,
    cast(sum(operations_count) as bigint) as operations_count,
    cast(sum(accepted_outcomes_count) as bigint) as accepted_outcomes_count,
    cast(sum(unpriced_attempts_count) as bigint) as unpriced_attempts_count
  from {{ ref('unit_economics_by_tenant_day') }}
  group by 1, 2
),

bills as (
  select
    cast(date_trunc('month', usage_date) as date) as usage_month,
    'unattributed' as tenant_id,
    cast(sum(amount_usd) as decimal(38, 12)) as unattributed_bill_usd
  from {{ ref('unattributed_cost_by_provider_day') }}
  group by 1
),

revenues as (
  select
    cast(date_trunc('month', usage_date) as date) as usage_month,
    tenant_id,
    cast(sum(revenue_usd) as decimal(38, 12)) as revenue_usd,
    cast(sum(usage_revenue_usd) as decimal(38, 12)) as usage_revenue_usd,
    cast(sum(credit_usd) as decimal(38, 12)) as credit_usd
  from {{ ref('int_revenues__recognised') }}
  group by 1, 2
),

cells as (
  select usage_month, tenant_id from costs
  union
  select usage_month, tenant_id from bills
  union
  select usage_month, tenant_id from revenues
),

plans as (
  -- The plan on which the tenant ended the month, of what is known of it.
  select
    cells.usage_month,
    cells.tenant_id,
    {{ value_at_max('subscriptions.plan_id', 'subscriptions.valid_from') }} as plan_id,
    {{ value_at_max('subscriptions.plan_name', 'subscriptions.valid_from') }} as plan_name,
    {{ value_at_max('subscriptions.seats_count', 'subscriptions.valid_from') }} as seats_count,
    {{ value_at_max('subscriptions.included_operations_count', 'subscriptions.valid_from') }} as included_operations_count
  from cells
  inner join {{ ref('dim_subscriptions') }} as subscriptions
    on
      cells.tenant_id = subscriptions.tenant_id
      and subscriptions.valid_from < cells.usage_month + interval '1 month'
      and subscriptions.valid_to > cells.usage_month
  group by cells.usage_month, cells.tenant_id
),

joined as (
  select
    cells.usage_month,
    cells.tenant_id,
    plans.plan_id,
    plans.plan_name,
    plans.seats_count,
    plans.included_operations_count,
    coalesce(revenues.revenue_usd, {{ zero_usd() }}) as revenue_usd,
    coalesce(revenues.usage_revenue_usd, {{ zero_usd() }}) as usage_revenue_usd,
    coalesce(revenues.credit_usd, {{ zero_usd() }}) as credit_usd,
    coalesce(costs.request_cost_usd, {{ zero_usd() }}) as request_cost_usd,
    coalesce(bills.unattributed_bill_usd, {{ zero_usd() }}) as unattributed_bill_usd,
    coalesce(costs.request_cost_usd, {{ zero_usd() }}) + coalesce(bills.unattributed_bill_usd, {{ zero_usd() }}) as llm_cost_usd,
    coalesce(costs.estimated_cost_usd, {{ zero_usd() }}) as estimated_cost_usd,
    coalesce(costs.operations_count, 0) as operations_count,
    coalesce(costs.accepted_outcomes_count, 0) as accepted_outcomes_count,
    coalesce(costs.unpriced_attempts_count, 0) as unpriced_attempts_count
  from cells
  left join costs on cells.usage_month = costs.usage_month and cells.tenant_id = costs.tenant_id
  left join bills on cells.usage_month = bills.usage_month and cells.tenant_id = bills.tenant_id
  left join revenues on cells.usage_month = revenues.usage_month and cells.tenant_id = revenues.tenant_id
  left join plans on cells.usage_month = plans.usage_month and cells.tenant_id = plans.tenant_id
)

select
  usage_month,
  tenant_id,
  plan_id,
  plan_name,
  seats_count,
  revenue_usd,
  usage_revenue_usd,
  credit_usd,
  request_cost_usd,
  unattributed_bill_usd,
  cast(llm_cost_usd as decimal(38, 12)) as llm_cost_usd,
  cast(revenue_usd - llm_cost_usd as decimal(38, 12)) as gross_margin_usd,
  estimated_cost_usd,
  unpriced_attempts_count,
  operations_count,
  accepted_outcomes_count,
  included_operations_count,
  case
    when included_operations_count is null then null
    else greatest(operations_count - included_operations_count, 0)
  end as overage_operations_count,
  {{ ratio('revenue_usd - llm_cost_usd', 'revenue_usd') }} as gross_margin_rate,
  {{ ratio('operations_count', 'included_operations_count') }} as allowance_used_share,
  {{ ratio('llm_cost_usd', 'seats_count') }} as cost_per_seat_usd
from joined
