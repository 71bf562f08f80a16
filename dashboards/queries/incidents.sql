-- One row per incident that is open or was closed in the period, newest first: its state now, and what was seen last.
with seen as (
  select
    incident_id,
    max(event_date) as last_date,
    arg_max(observed, (event_date, recorded_at)) as observed,
    arg_max(threshold, (event_date, recorded_at)) as threshold,
    arg_max(unit, (event_date, recorded_at)) as unit,
    arg_max(top_drivers, (event_date, recorded_at)) as top_drivers
  from fct_alert_events
  group by incident_id
)

select
  newest.incident_id,
  newest.alert_rule,
  newest.severity,
  newest.scope_kind,
  newest.scope_id,
  newest.state,
  newest.opened_date,
  seen.last_date,
  newest.recorded_at,
  seen.observed,
  seen.threshold,
  seen.unit,
  seen.top_drivers,
  newest.owner,
  newest.action,
  newest.is_automatic,
  newest.note
from fct_alert_events as newest
inner join seen on newest.incident_id = seen.incident_id
where
  newest.is_newest
  and (newest.state <> 'resolved') = $is_open
  and ($is_open or seen.last_date between $first_date and $last_date)
  and ($rule is null or newest.alert_rule = $rule)
  and ($scope_kind is null or newest.scope_kind = $scope_kind)
  and ($scope_id is null or newest.scope_id = $scope_id)
order by seen.last_date desc, newest.severity, newest.alert_rule, newest.scope_kind, newest.scope_id
limit 200
