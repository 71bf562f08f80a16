select usage_date, model, sum(effective_cost_usd) as effective_cost_usd
from llm_usage_by_tenant_feature_model_day
group by usage_date, model
