-- One row per change of an incident, and per further day of it, in the order in which they were noticed. A view: the file
-- under it is written after the alerts of a run were evaluated and before they are published.
{{ config(materialized='view') }}
select
  events.event_id,
  events.incident_id,
  events.alert_rule,
  events.scope_kind,
  events.scope_id,
  events.event_kind,
  events.state,
  events.severity,
  events.event_date,
  events.recorded_at,
  events.opened_date,
  row_number() over (
    partition by events.incident_id
    order by events.recorded_at desc, length(events.event_id) desc, events.event_id desc
  ) = 1 as is_newest,
  events.observed,
  events.threshold,
  events.baseline,
  events.unit,
  events.detail,
  events.top_drivers,
  events.note,
  rules.owner,
  rules.channel,
  rules.action,
  coalesce(rules.is_automatic, false) as is_automatic,
  rules.runbook
from {{ source('alerting', 'alert_events') }} as events
left join {{ ref('stg_alert_rules__rules') }} as rules on events.alert_rule = rules.alert_rule
