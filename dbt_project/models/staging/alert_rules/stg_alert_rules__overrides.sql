-- What differs for one tenant, plan, feature or other scope of a rule, half-open in UTC days: another threshold or floor,
-- or no alert at all.
{{ config(materialized='table') }}
select
  rule as alert_rule,
  scope_kind,
  coalesce(scope_id, '') as scope_id,
  cast(nullif(threshold, '') as double) as threshold,
  cast(nullif(floor, '') as double) as floor_value,
  coalesce(lower(exempt) = 'true', false) as is_exempt,
  cast(valid_from as date) as valid_from,
  cast(coalesce(nullif(valid_to, ''), '9999-01-01') as date) as valid_to,
  reason
from {{ source('alert_rules', 'alert_rule_overrides') }}
