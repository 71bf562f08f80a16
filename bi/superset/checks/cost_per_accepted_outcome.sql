select cast(sum(effective_cost_usd) as double) / sum(accepted_outcomes_count) as cost_per_accepted_outcome_usd
from unit_economics_by_tenant_feature_day
