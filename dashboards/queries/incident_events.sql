-- One row per change of the incidents of one rule and scope, newest first.
select
  recorded_at,
  event_date,
  event_kind,
  state,
  severity,
  observed,
  threshold,
  unit,
  note
from fct_alert_events
where
  alert_rule = $alert_rule
  and scope_kind = $scope_kind
  and scope_id = $scope_id
  and event_kind <> 'still_firing'
order by recorded_at desc, length(event_id) desc, event_id desc
limit 50
