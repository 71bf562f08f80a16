-- One row: the month's cost so far and at its end, of everything.
select
  usage_month,
  known_to_date,
  month_end_date,
  month_to_date_cost_usd,
  month_end_cost_usd,
  month_end_low_usd,
  month_end_high_usd,
  forecast_error_rate,
  budget_usd,
  budget_used_share,
  budget_exhausted_date,
  is_over_budget
from spend_forecasts
where scope_kind = 'org'
