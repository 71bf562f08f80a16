-- One row per day and feature, summed from the tenants' features, so every roll-up has the same total.
{{ config(materialized='incremental', incremental_strategy='window') }}
with summed as (
  select
    usage_date,
    feature,
    {{ sum_of_unit_measures() }}
  from {{ ref('unit_economics_by_tenant_feature_day') }}
  where {{ on_built_days() }}
  group by usage_date, feature
)

select
  *,
  {{ unit_ratios('', 'operations_count', 'accepted_outcomes_count') }}
from summed
