-- One row per organisation budget and day of a month's first week on which most of the month's budget was already used.
with spend as (
  select
    usage_date,
    cast(sum(effective_cost_usd) as decimal(38, 12)) as effective_cost_usd
  from {{ ref('unit_economics_by_feature_day') }}
  group by usage_date
),

measured as (
  select
    today.usage_date,
    'org' as scope_kind,
    budgets.scope_id,
    '' as plan_id,
    cast(sum(earlier.effective_cost_usd) as decimal(38, 12)) as observed,
    budgets.budget_usd as baseline,
    null as floor_value,
    null as history_days_count,
    null as detail
  from spend as today
  inner join {{ ref('stg_alert_rules__rules') }} as rules on rules.alert_rule = 'budget_burned_in_first_week'
  inner join {{ ref('dim_budgets') }} as budgets
    on
      budgets.scope_kind = 'org'
      and budgets.budget_period = 'month'
      and today.usage_date >= budgets.valid_from
      and today.usage_date < budgets.valid_to
  inner join spend as earlier
    on
      earlier.usage_date <= today.usage_date
      and earlier.usage_date >= date_trunc('month', today.usage_date)
  where extract(day from today.usage_date) <= rules.window_days
  group by today.usage_date, budgets.scope_id, budgets.budget_usd
)

{{ breaches('measured', 'budget_burned_in_first_week') }}
