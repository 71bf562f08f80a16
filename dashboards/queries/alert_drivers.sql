-- One row per driver of one alert on its last day, largest first.
select
  driver_words,
  effect_usd,
  change_usd,
  sentence
from spend_drivers_by_alert
where
  alert_rule = $alert_rule
  and scope_kind = $scope_kind
  and scope_id = $scope_id
  and usage_date = $alert_date
order by driver_rank
limit 12
