-- What the filters offer: tenants, plans, features, models and providers of all days, environments of the newest week.
select distinct 'tenant' as dimension, tenant_id as value
from unit_economics_by_tenant_day
union
select distinct 'plan', plan_name
from unit_economics_by_tenant_day
where plan_name is not null
union
select distinct 'feature', feature
from unit_economics_by_feature_day
union
select distinct 'model', model
from unit_economics_by_model_day
union
select distinct 'provider', provider
from unit_economics_by_model_day
union
select distinct 'environment', environment
from llm_usage_by_tenant_feature_model_day
where usage_date > $newest_date - 7
order by dimension, value
