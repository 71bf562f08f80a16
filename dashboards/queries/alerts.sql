-- One row per rule, scope and day in breach, newest first; breaches of one rule and scope on end share a first day.
with breaches as (
  select
    *,
    usage_date - cast(row_number() over (partition by alert_rule, scope_kind, scope_id order by usage_date) as integer)
      as run_key
  from alerts
  where
    ($rule is null or alert_rule = $rule)
    and ($scope_kind is null or scope_kind = $scope_kind)
    and ($scope_id is null or scope_id = $scope_id)
)

select
  alert_rule,
  severity,
  scope_kind,
  scope_id,
  min(usage_date) as first_date,
  max(usage_date) as last_date,
  count(*) as days_count,
  arg_max(observed, usage_date) as observed,
  arg_max(threshold, usage_date) as threshold,
  any_value(unit) as unit,
  arg_max(top_drivers, usage_date) as top_drivers
from breaches
group by alert_rule, severity, scope_kind, scope_id, run_key
having max(usage_date) between $first_date and $last_date
order by last_date desc, severity, alert_rule, scope_kind, scope_id
limit 200
