-- One row per UTC day and rule: how many scopes were in breach.
select
  usage_date,
  alert_rule,
  count(*) as breaches_count
from alerts
where usage_date between $first_date and $last_date
group by usage_date, alert_rule
order by alert_rule, usage_date
