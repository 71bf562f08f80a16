-- What each rule compares with what, who is told, and which switch they may pull.
{{ config(materialized='table') }}
select
  rule as alert_rule,
  metric,
  unit,
  grain,
  comparator,
  cast(threshold as double) as threshold,
  cast(coalesce(nullif(floor, ''), '0') as double) as floor_value,
  cast(coalesce(nullif(window_days, ''), '0') as integer) as window_days,
  cast(coalesce(nullif(min_history_days, ''), '0') as integer) as min_history_days,
  cast(coalesce(nullif(noise_days, ''), '0') as integer) as noise_days,
  cast(nullif(noise_deviations, '') as double) as noise_deviations,
  coalesce(explained_by, '') as explained_by,
  severity,
  cast(nullif(escalate_after_days, '') as integer) as escalate_after_days,
  owner,
  channel,
  action,
  lower(automatic) = 'true' as is_automatic,
  runbook
from {{ source('alert_rules', 'alert_rules') }}
