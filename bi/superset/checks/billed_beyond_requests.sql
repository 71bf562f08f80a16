select usage_date, reason, sum(amount_usd) as amount_usd
from unattributed_cost_by_provider_day
group by usage_date, reason
