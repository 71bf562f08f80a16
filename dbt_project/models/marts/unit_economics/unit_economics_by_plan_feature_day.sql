-- One row per day, plan and feature, summed from the tenants' features, so every roll-up has the same total.
{{ config(materialized='incremental', incremental_strategy='window') }}
with plans as (
  select
    usage_date,
    tenant_id,
    plan_name
  from {{ ref('unit_economics_by_tenant_day') }}
  where {{ on_built_days() }}
),

tenants as (
  select *
  from {{ ref('unit_economics_by_tenant_feature_day') }}
  where {{ on_built_days() }}
),

cells as (
  select
    tenants.*,
    coalesce(plans.plan_name, '') as plan_name
  from tenants
  left join plans on tenants.usage_date = plans.usage_date and tenants.tenant_id = plans.tenant_id
),

summed as (
  select
    usage_date,
    plan_name,
    feature,
    {{ sum_of_cube_measures() }},
    cast(sum(operations_count) as bigint) as operations_count,
    cast(sum(answered_operations_count) as bigint) as answered_operations_count,
    cast(sum(accepted_outcomes_count) as bigint) as accepted_outcomes_count,
    cast(sum(rejected_outcomes_count) as bigint) as rejected_outcomes_count,
    cast(sum(reversed_outcomes_count) as bigint) as reversed_outcomes_count,
    cast(sum(outcome_value_usd) as decimal(38, 12)) as outcome_value_usd
  from cells
  group by 1, 2, 3
)

select
  *,
  {{ unit_ratios('', 'operations_count', 'accepted_outcomes_count') }}
from summed
