-- One row per UTC day and feature; the largest features come first.
select
  usage_date,
  feature,
  sum(cost_usd) as cost_usd,
  sum(attempts_count) as attempts_count,
  sum(unpriced_attempts_count) as unpriced_attempts_count
from usage
group by usage_date, feature
order by sum(sum(cost_usd)) over (partition by feature) desc nulls last, feature, usage_date
