-- One row per rule, scope and day in breach, over all rules, with what moved the cost of its scope.
select
  breaches.alert_rule,
  breaches.severity,
  breaches.usage_date,
  breaches.scope_kind,
  breaches.scope_id,
  breaches.observed,
  breaches.threshold,
  breaches.unit,
  breaches.baseline,
  breaches.detail,
  rules.owner,
  rules.channel,
  rules.action,
  rules.is_automatic,
  rules.runbook,
  drivers.sentence as top_drivers
from {{ ref('int_alerts__unioned') }} as breaches
inner join {{ ref('stg_alert_rules__rules') }} as rules on breaches.alert_rule = rules.alert_rule
left join {{ ref('spend_drivers_by_alert') }} as drivers
  on
    breaches.alert_rule = drivers.alert_rule
    and breaches.scope_kind = drivers.scope_kind
    and breaches.scope_id = drivers.scope_id
    and breaches.usage_date = drivers.usage_date
    and drivers.driver_rank = 1
