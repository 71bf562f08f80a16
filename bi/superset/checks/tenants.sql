select
  tenant_id,
  sum(effective_cost_usd) as effective_cost_usd,
  sum(operations_count) as operations_count,
  cast(sum(effective_cost_usd) as double) / nullif(sum(operations_count), 0) as cost_per_operation_usd,
  cast(sum(effective_cost_usd) as double) / nullif(greatest(sum(accepted_outcomes_count), 0), 0)
    as cost_per_accepted_outcome_usd
from unit_economics_by_tenant_feature_day
group by tenant_id
