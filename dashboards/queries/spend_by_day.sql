-- One row per UTC day.
select
  usage_date,
  sum(cost_usd) as cost_usd,
  sum(attempts_count) as attempts_count,
  sum(unpriced_attempts_count) as unpriced_attempts_count
from usage
group by usage_date
order by usage_date
