-- One row per calendar month and feature. No customer pays by feature: a tenant's revenue of the month is shared by its
-- operations, in whole units, and the rest of it goes to its busiest feature. Revenue of tenants that asked for nothing, and
-- what the bills hold beyond any request, stand with `unattributed`, so the features are the company.
with usages as (
  select
    cast(date_trunc('month', usage_date) as date) as usage_month,
    tenant_id,
    feature,
    cast(sum(effective_cost_usd) as decimal(38, 12)) as request_cost_usd,
    cast(sum(operations_count) as bigint) as operations_count,
    cast(sum(accepted_outcomes_count) as bigint) as accepted_outcomes_count,
    cast(sum(unpriced_attempts_count) as bigint) as unpriced_attempts_count
  from {{ ref('unit_economics_by_tenant_feature_day') }}
  group by 1, 2, 3
),

ranked as (
  select
    *,
    sum(operations_count) over (partition by usage_month, tenant_id) as tenant_operations_count,
    row_number() over (partition by usage_month, tenant_id order by operations_count desc, feature) as place
  from usages
),

revenues as (
  select
    usage_month,
    tenant_id,
    {{ usd_to_units('revenue_usd') }} as revenue_units
  from {{ ref('gross_margin_by_tenant_month') }}
),

shares as (
  select
    ranked.*,
    sign(revenues.revenue_units)
    * {{ share_of_units('abs(revenues.revenue_units)', 'ranked.operations_count', 'ranked.tenant_operations_count') }}
      as share_units,
    revenues.revenue_units
  from ranked
  inner join revenues on ranked.usage_month = revenues.usage_month and ranked.tenant_id = revenues.tenant_id
),

shared as (
  select
    usage_month,
    feature,
    share_units + case
      when place = 1 then revenue_units - sum(share_units) over (partition by usage_month, tenant_id)
      else 0
    end as revenue_units,
    coalesce(request_cost_usd, {{ zero_usd() }}) as request_cost_usd,
    {{ zero_usd() }} as unattributed_bill_usd,
    operations_count,
    accepted_outcomes_count,
    unpriced_attempts_count
  from shares
  union all
  select
    revenues.usage_month,
    'unattributed' as feature,
    revenues.revenue_units,
    {{ zero_usd() }} as request_cost_usd,
    {{ zero_usd() }} as unattributed_bill_usd,
    0 as operations_count,
    0 as accepted_outcomes_count,
    0 as unpriced_attempts_count
  from revenues
  left join ranked
    on revenues.usage_month = ranked.usage_month and revenues.tenant_id = ranked.tenant_id and ranked.place = 1
  where ranked.tenant_id is null
  union all
  select
    usage_month,
    'unattributed' as feature,
    0 as revenue_units,
    {{ zero_usd() }} as request_cost_usd,
    unattributed_bill_usd,
    0 as operations_count,
    0 as accepted_outcomes_count,
    0 as unpriced_attempts_count
  from {{ ref('gross_margin_by_tenant_month') }}
  where unattributed_bill_usd <> 0
),

summed as (
  select
    usage_month,
    feature,
    {{ units_to_usd('sum(revenue_units)') }} as revenue_usd,
    cast(sum(request_cost_usd) as decimal(38, 12)) as request_cost_usd,
    cast(sum(unattributed_bill_usd) as decimal(38, 12)) as unattributed_bill_usd,
    cast(sum(operations_count) as bigint) as operations_count,
    cast(sum(accepted_outcomes_count) as bigint) as accepted_outcomes_count,
    cast(sum(unpriced_attempts_count) as bigint) as unpriced_attempts_count
  from shared
  group by usage_month, feature
)

select
  usage_month,
  feature,
  revenue_usd,
  request_cost_usd,
  unattributed_bill_usd,
  cast(request_cost_usd + unattributed_bill_usd as decimal(38, 12)) as llm_cost_usd,
  cast(revenue_usd - request_cost_usd - unattributed_bill_usd as decimal(38, 12)) as gross_margin_usd,
  operations_count,
  accepted_outcomes_count,
  unpriced_attempts_count,
  {{ ratio('revenue_usd - request_cost_usd - unattributed_bill_usd', 'revenue_usd') }} as gross_margin_rate
from summed
