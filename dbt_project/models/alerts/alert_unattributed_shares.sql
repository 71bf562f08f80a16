-- One row per day and provider of which much of the bill belongs to no logged request (credits and taxes apart), and one
-- per day on which much of the spend has no tenant.
with by_provider as (
  select
    usage_date,
    provider,
    cast(sum(case when reason in ('credit', 'tax') then 0 else amount_usd end) as decimal(38, 12)) as amount_usd,
    max(billed_cost_usd) as total_usd
  from {{ ref('unattributed_cost_by_provider_day') }}
  group by usage_date, provider
),

by_tenant as (
  select
    usage_date,
    cast(sum(case when tenant_id = 'unattributed' then effective_cost_usd else 0 end) as decimal(38, 12)) as amount_usd,
    cast(sum(effective_cost_usd) as decimal(38, 12)) as total_usd
  from {{ ref('unit_economics_by_tenant_day') }}
  group by usage_date
),

shares as (
  select
    usage_date,
    'provider' as scope_kind,
    provider as scope_id,
    amount_usd,
    total_usd
  from by_provider
  union all
  select
    usage_date,
    'org' as scope_kind,
    'requests without a tenant' as scope_id,
    amount_usd,
    total_usd
  from by_tenant
),

measured as (
  select
    usage_date,
    scope_kind,
    scope_id,
    '' as plan_id,
    {{ ratio('amount_usd', 'total_usd') }} as observed,
    null as baseline,
    amount_usd as floor_value,
    null as history_days_count,
    '$' || {{ money_text('amount_usd') }} as detail
  from shares
)

{{ breaches('measured', 'unattributed_share') }}
