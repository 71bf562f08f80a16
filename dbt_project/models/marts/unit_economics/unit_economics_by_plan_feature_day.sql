-- One row per day, plan and feature, summed from the tenants' features, so every roll-up has the same total.
{{ config(materialized='incremental', incremental_strategy='window') }}
with cells as (
  {{ with_plan_name(ref('unit_economics_by_tenant_feature_day')) }}
),

summed as (
  select
    usage_date,
    plan_name,
    feature,
    {{ sum_of_unit_measures() }}
  from cells
  group by 1, 2, 3
)

select
  *,
  {{ unit_ratios('', 'operations_count', 'accepted_outcomes_count') }}
from summed
