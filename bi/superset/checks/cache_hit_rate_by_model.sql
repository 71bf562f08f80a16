select usage_date, model, cast(sum(cache_read_tokens) as double) / nullif(sum(input_tokens), 0) as cache_hit_rate
from llm_usage_by_tenant_feature_model_day
group by usage_date, model
