-- One row per organisation budget and day of a month's first week on which 80 % of the month's budget was already used.
{%- set limit_share = 0.8 %}
with spend as (
  select
    usage_date,
    cast(sum(effective_cost_usd) as decimal(38, 12)) as effective_cost_usd
  from {{ ref('unit_economics_by_feature_day') }}
  group by usage_date
),

burned as (
  select
    today.usage_date,
    budgets.scope_id,
    budgets.budget_usd,
    cast(sum(earlier.effective_cost_usd) as decimal(38, 12)) as month_to_date_cost_usd
  from spend as today
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
  where extract(day from today.usage_date) <= 7
  group by today.usage_date, budgets.scope_id, budgets.budget_usd
)

select
  'budget_burned_in_first_week' as alert_rule,
  'warn' as severity,
  usage_date,
  'org' as scope_kind,
  scope_id,
  cast(month_to_date_cost_usd as double) as observed,
  {{ limit_share }} * cast(budget_usd as double) as threshold,
  'USD this month' as unit
from burned
where month_to_date_cost_usd > cast({{ limit_share }} as decimal(4, 3)) * budget_usd
