-- One row per calendar month and plan: every day of a tenant counts with the plan that the tenant was on that day. Tenants
-- without a plan, requests without a tenant and what the bills hold beyond any request stand with `none`.
with amounts as (
  select
    usage_date,
    tenant_id,
    {{ zero_usd() }} as revenue_usd,
    {{ zero_usd() }} as credit_usd,
    coalesce(effective_cost_usd, {{ zero_usd() }}) as request_cost_usd,
    {{ zero_usd() }} as unattributed_bill_usd,
    operations_count,
    unpriced_attempts_count
  from {{ ref('unit_economics_by_tenant_day') }}
  union all
  select
    usage_date,
    tenant_id,
    revenue_usd,
    credit_usd,
    {{ zero_usd() }} as request_cost_usd,
    {{ zero_usd() }} as unattributed_bill_usd,
    0 as operations_count,
    0 as unpriced_attempts_count
  from {{ ref('int_revenues__recognised') }}
  union all
  select
    usage_date,
    'unattributed' as tenant_id,
    {{ zero_usd() }} as revenue_usd,
    {{ zero_usd() }} as credit_usd,
    {{ zero_usd() }} as request_cost_usd,
    amount_usd as unattributed_bill_usd,
    0 as operations_count,
    0 as unpriced_attempts_count
  from {{ ref('unattributed_cost_by_provider_day') }}
),

summed as (
  select
    cast(date_trunc('month', amounts.usage_date) as date) as usage_month,
    coalesce(subscriptions.plan_id, 'none') as plan_id,
    max(subscriptions.plan_name) as plan_name,
    count(distinct case when subscriptions.plan_id is not null then amounts.tenant_id end) as tenants_count,
    cast(sum(amounts.revenue_usd) as decimal(38, 12)) as revenue_usd,
    cast(sum(amounts.credit_usd) as decimal(38, 12)) as credit_usd,
    cast(sum(amounts.request_cost_usd) as decimal(38, 12)) as request_cost_usd,
    cast(sum(amounts.unattributed_bill_usd) as decimal(38, 12)) as unattributed_bill_usd,
    cast(sum(amounts.operations_count) as bigint) as operations_count,
    cast(sum(amounts.unpriced_attempts_count) as bigint) as unpriced_attempts_count
  from amounts
  left join {{ ref('dim_subscriptions') }} as subscriptions
    on
      amounts.tenant_id = subscriptions.tenant_id
      and amounts.usage_date >= subscriptions.valid_from
      and amounts.usage_date < subscriptions.valid_to
  group by 1, 2
)

select
  usage_month,
  plan_id,
  plan_name,
  tenants_count,
  revenue_usd,
  credit_usd,
  request_cost_usd,
  unattributed_bill_usd,
  cast(request_cost_usd + unattributed_bill_usd as decimal(38, 12)) as llm_cost_usd,
  cast(revenue_usd - request_cost_usd - unattributed_bill_usd as decimal(38, 12)) as gross_margin_usd,
  operations_count,
  unpriced_attempts_count,
  {{ ratio('revenue_usd - request_cost_usd - unattributed_bill_usd', 'revenue_usd') }} as gross_margin_rate,
  {{ ratio('request_cost_usd + unattributed_bill_usd', 'tenants_count') }} as cost_per_tenant_usd
from summed
