-- One row per day, tenant and feature. Costs count on the day of the attempt, operations on the day they began, and an
-- accepted outcome on the day of the operation it judges: numerator and denominator are the same population.
{{ config(materialized='incremental', incremental_strategy='window') }}
with costs as (
  select
    usage_date,
    tenant_id,
    feature,
    {{ sum_of_cube_measures() }}
  from {{ ref('llm_usage_by_tenant_feature_model_day') }}
  where {{ on_built_days() }}
  group by usage_date, tenant_id, feature
),

operations as (
  select
    usage_date,
    tenant_id,
    feature,
    sum(operations_count) as operations_count,
    sum(answered_operations_count) as answered_operations_count
  from {{ ref('operations_by_tenant_feature_day') }}
  where {{ on_built_days() }}
  group by usage_date, tenant_id, feature
),

outcomes as (
  select
    operation_date as usage_date,
    tenant_id,
    feature,
    sum(accepted_outcomes_count) as accepted_outcomes_count,
    sum(rejected_outcomes_count) as rejected_outcomes_count,
    sum(reversed_outcomes_count) as reversed_outcomes_count,
    cast(sum(value_usd) as decimal(38, 12)) as outcome_value_usd
  from {{ ref('outcomes_by_tenant_feature_day') }}
  where {{ on_built_days('operation_date') }}
  group by operation_date, tenant_id, feature
),

cells as (
  select usage_date, tenant_id, feature from costs
  union
  select usage_date, tenant_id, feature from operations
  union
  select usage_date, tenant_id, feature from outcomes
)

select
  cells.usage_date,
  cells.tenant_id,
  cells.feature,
  {{ cube_measures('costs') }},
  coalesce(operations.operations_count, 0) as operations_count,
  coalesce(operations.answered_operations_count, 0) as answered_operations_count,
  coalesce(outcomes.accepted_outcomes_count, 0) as accepted_outcomes_count,
  coalesce(outcomes.rejected_outcomes_count, 0) as rejected_outcomes_count,
  coalesce(outcomes.reversed_outcomes_count, 0) as reversed_outcomes_count,
  coalesce(outcomes.outcome_value_usd, {{ zero_usd() }}) as outcome_value_usd,
  {{ unit_ratios('costs.', 'coalesce(operations.operations_count, 0)', 'coalesce(outcomes.accepted_outcomes_count, 0)') }}
from cells
left join costs
  on
    cells.usage_date = costs.usage_date
    and cells.tenant_id = costs.tenant_id
    and cells.feature = costs.feature
left join operations
  on
    cells.usage_date = operations.usage_date
    and cells.tenant_id = operations.tenant_id
    and cells.feature = operations.feature
left join outcomes
  on
    cells.usage_date = outcomes.usage_date
    and cells.tenant_id = outcomes.tenant_id
    and cells.feature = outcomes.feature
