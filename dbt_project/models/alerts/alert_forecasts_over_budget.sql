-- One row per scope whose month will end above its budget even at the lower bound of its forecast on the newest day.
with measured as (
  select
    known_to_date as usage_date,
    scope_kind,
    scope_id,
    '' as plan_id,
    month_end_low_usd as observed,
    budget_usd as baseline,
    history_days_count as floor_value,
    null as history_days_count,
    'reached on ' || cast(budget_exhausted_date as varchar) as detail
  from {{ ref('spend_forecasts') }}
  where budget_usd is not null
)

{{ breaches('measured', 'forecast_over_budget') }}
