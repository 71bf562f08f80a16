-- One row per UTC day of the newest month: effective cost so far. Not narrowed: budget and forecast are of everything.
select
  usage_date,
  sum(sum(effective_cost_usd)) over (order by usage_date) as cost_to_date_usd
from unit_economics_by_feature_day
where usage_date >= date_trunc('month', $newest_date)
group by usage_date
order by usage_date
