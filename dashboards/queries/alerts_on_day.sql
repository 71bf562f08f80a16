-- One row per rule and scope in breach on the newest day.
select
  alert_rule,
  severity,
  scope_kind,
  scope_id,
  observed,
  threshold,
  unit,
  top_drivers
from alerts
where usage_date = $newest_date
order by severity, alert_rule, scope_kind, scope_id
