-- One row per scope of the month of the newest day: what it has cost, what it will have cost at the end of the month, between
-- which bounds, and how that stands with its budget. A day to come costs what its weekday did on average in the last four
-- weeks. The bounds (90 %, normal) hold the noise of the days to come and that of the mean; the error is that of the same
-- forecast for seven days, made on each day of the last three weeks.
with daily as (
  {%- for kind, scope, days in [
    ('org', "''", ref('unit_economics_by_model_day')),
    ('provider', 'provider', ref('unit_economics_by_model_day')),
    ('tenant', 'tenant_id', ref('unit_economics_by_tenant_day')),
    ('feature', 'feature', ref('unit_economics_by_feature_day')),
  ] %}
  select
    '{{ kind }}' as scope_kind,
    {{ scope }} as scope_id,
    usage_date,
    cast(coalesce(sum(effective_cost_usd), 0) as decimal(38, 12)) as effective_cost_usd
  from {{ days }}
  where attempts_count > 0
  group by 1, 2, 3
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

bounds as (
  select
    max(usage_date) as last_date,
    greatest(min(usage_date), cast(max(usage_date) - interval '55 days' as date)) as first_date,
    cast(date_trunc('month', max(usage_date)) as date) as usage_month,
    cast(date_trunc('month', max(usage_date)) + interval '1 month' - interval '1 day' as date) as month_end_date
  from daily
),

calendar as (
  select cast(days.usage_date as date) as usage_date
  from bounds
  cross join lateral ({{ days_between('bounds.first_date', 'bounds.last_date') }}) as days
),

scopes as (
  select
    scope_kind,
    scope_id,
    min(usage_date) as first_seen_date
  from daily
  group by scope_kind, scope_id
),

-- Days on which a scope was silent cost 0.
history as (
  select
    scopes.scope_kind,
    scopes.scope_id,
    calendar.usage_date,
    coalesce(daily.effective_cost_usd, {{ zero_usd() }}) as cost_usd
  from calendar
  inner join scopes on calendar.usage_date >= scopes.first_seen_date
  left join daily
    on
      scopes.scope_kind = daily.scope_kind
      and scopes.scope_id = daily.scope_id
      and calendar.usage_date = daily.usage_date
),

weekday_means as (
  select
    history.scope_kind,
    history.scope_id,
    extract(dow from history.usage_date) as weekday,
    {{ ratio('sum(history.cost_usd)', 'count(*)') }} as cost_usd
  from history
  cross join bounds
  where history.usage_date > bounds.last_date - interval '28 days'
  group by 1, 2, 3
),

noise as (
  -- Around the weekday's mean; with fewer than a week there is none to speak of.
  select
    history.scope_kind,
    history.scope_id,
    count(*) as history_days_count,
    {{ ratio('sum(history.cost_usd)', 'count(*)') }} as mean_cost_usd,
    sqrt(
      {{ steady_sum('pow(cast(history.cost_usd as double) - weekday_means.cost_usd, 2)') }}
      / nullif(count(*) - count(distinct weekday_means.weekday), 0)
    ) as deviation_usd
  from history
  cross join bounds
  inner join weekday_means
    on
      history.scope_kind = weekday_means.scope_kind
      and history.scope_id = weekday_means.scope_id
      and extract(dow from history.usage_date) = weekday_means.weekday
  where history.usage_date > bounds.last_date - interval '28 days'
  group by history.scope_kind, history.scope_id
),

-- Four weeks have each weekday four times: the forecast of seven days is a quarter of their sum.
backtests as (
  select
    scope_kind,
    scope_id,
    usage_date,
    cast(sum(cost_usd) over four_weeks as decimal(38, 12)) * 0.25 as forecast_usd,
    count(*) over four_weeks as days_before,
    sum(cost_usd) over next_week as actual_usd,
    count(*) over next_week as days_after
  from history
  window
    four_weeks as (partition by scope_kind, scope_id order by usage_date rows between 27 preceding and current row),
    next_week as (partition by scope_kind, scope_id order by usage_date rows between 1 following and 7 following)
),

errors as (
  select
    scope_kind,
    scope_id,
    count(*) as backtests_count,
    {{ ratio('sum(abs(forecast_usd - actual_usd))', 'sum(actual_usd)') }} as forecast_error_rate
  from backtests
  where days_before = 28 and days_after = 7
  group by scope_kind, scope_id
),

spent as (
  select
    daily.scope_kind,
    daily.scope_id,
    cast(sum(daily.effective_cost_usd) as decimal(38, 12)) as month_to_date_cost_usd
  from daily
  cross join bounds
  where daily.usage_date >= bounds.usage_month
  group by daily.scope_kind, daily.scope_id
),

days_to_come as (
  select cast(days.usage_date as date) as usage_date
  from bounds
  cross join lateral ({{ days_between('bounds.last_date', 'bounds.month_end_date') }}) as days
  where cast(days.usage_date as date) > bounds.last_date
),

to_come as (
  select
    noise.scope_kind,
    noise.scope_id,
    days_to_come.usage_date,
    -- A weekday that the scope has not lived through yet costs its mean day.
    coalesce(weekday_means.cost_usd, noise.mean_cost_usd) as cost_usd
  from noise
  cross join days_to_come
  left join weekday_means
    on
      noise.scope_kind = weekday_means.scope_kind
      and noise.scope_id = weekday_means.scope_id
      and extract(dow from days_to_come.usage_date) = weekday_means.weekday
),

budgets as (
  select
    budgets.scope_kind,
    budgets.scope_id,
    cast(max(budgets.budget_usd) as decimal(38, 12)) as budget_usd
  from {{ ref('dim_budgets') }} as budgets
  cross join bounds
  where
    budgets.budget_period = 'month'
    and bounds.last_date >= budgets.valid_from
    and bounds.last_date < budgets.valid_to
  group by budgets.scope_kind, budgets.scope_id
),

projected as (
  select
    noise.scope_kind,
    noise.scope_id,
    bounds.usage_month,
    bounds.last_date,
    bounds.month_end_date,
    noise.history_days_count,
    noise.deviation_usd,
    coalesce(spent.month_to_date_cost_usd, {{ zero_usd() }}) as month_to_date_cost_usd,
    coalesce(rest.cost_usd, 0) as cost_to_come_usd,
    coalesce(rest.days_count, 0) as days_to_come_count,
    budgets.budget_usd,
    errors.forecast_error_rate,
    coalesce(errors.backtests_count, 0) as backtests_count
  from noise
  cross join bounds
  left join spent on noise.scope_kind = spent.scope_kind and noise.scope_id = spent.scope_id
  left join (
    select
      scope_kind,
      scope_id,
      {{ steady_sum('cost_usd') }} as cost_usd,
      count(*) as days_count
    from to_come
    group by scope_kind, scope_id
  ) as rest on noise.scope_kind = rest.scope_kind and noise.scope_id = rest.scope_id
  left join budgets on noise.scope_kind = budgets.scope_kind and noise.scope_id = budgets.scope_id
  left join errors on noise.scope_kind = errors.scope_kind and noise.scope_id = errors.scope_id
),

burn_down as (
  -- Every day of the month, spent or to come, and what the month has cost by its end.
  select
    scope_kind,
    scope_id,
    usage_date,
    sum(cost_usd) over (partition by scope_kind, scope_id order by usage_date) as month_cost_usd
  from (
    select
      history.scope_kind,
      history.scope_id,
      history.usage_date,
      cast(history.cost_usd as double) as cost_usd
    from history
    cross join bounds
    where history.usage_date >= bounds.usage_month
    union all
    select
      scope_kind,
      scope_id,
      usage_date,
      cost_usd
    from to_come
  ) as month_days
),

exhausted as (
  select
    burn_down.scope_kind,
    burn_down.scope_id,
    min(burn_down.usage_date) as budget_exhausted_date
  from burn_down
  inner join budgets on burn_down.scope_kind = budgets.scope_kind and burn_down.scope_id = budgets.scope_id
  where burn_down.month_cost_usd >= cast(budgets.budget_usd as double)
  group by burn_down.scope_kind, burn_down.scope_id
),

widened as (
  -- To a millionth of a dollar: an estimate has no more to say.
  select
    *,
    round(cost_to_come_usd, 6) as to_come_usd,
    round(
      1.645 * deviation_usd
      * sqrt(days_to_come_count + pow(days_to_come_count, 2) / nullif(history_days_count, 0)),
      6
    ) as half_width_usd
  from projected
)

select
  widened.usage_month,
  widened.scope_kind,
  widened.scope_id,
  widened.last_date as known_to_date,
  widened.month_end_date,
  widened.month_to_date_cost_usd,
  cast(widened.month_to_date_cost_usd + cast(widened.to_come_usd as decimal(38, 12)) as decimal(38, 12))
    as month_end_cost_usd,
  cast(
    widened.month_to_date_cost_usd + cast(greatest(widened.to_come_usd - widened.half_width_usd, 0) as decimal(38, 12))
    as decimal(38, 12)
  ) as month_end_low_usd,
  cast(
    widened.month_to_date_cost_usd + cast(widened.to_come_usd + widened.half_width_usd as decimal(38, 12))
    as decimal(38, 12)
  ) as month_end_high_usd,
  widened.history_days_count,
  widened.backtests_count,
  round(widened.forecast_error_rate, 9) as forecast_error_rate,
  widened.budget_usd,
  {{ ratio('widened.month_to_date_cost_usd', 'widened.budget_usd') }} as budget_used_share,
  exhausted.budget_exhausted_date,
  coalesce(
    widened.month_to_date_cost_usd + cast(widened.to_come_usd as decimal(38, 12)) > widened.budget_usd, false
  ) as is_over_budget
from widened
left join exhausted on widened.scope_kind = exhausted.scope_kind and widened.scope_id = exhausted.scope_id
