select
  feature,
  sum(effective_cost_usd) - sum(useful_cost_usd) as waste_cost_usd,
  cast(sum(waste_cost_usd) as double) / nullif(sum(effective_cost_usd), 0) as waste_share
from waste_by_feature_day
group by feature
