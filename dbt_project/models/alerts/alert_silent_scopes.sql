-- One row per tenant or feature and day of which this day and the day before are all but silent, where the same two days of
-- the week before were busy. Compared weekday by weekday, so that a quiet weekend is no silence.
with attempts as (
  {%- for kind, column in {'tenant': 'tenant_id', 'feature': 'feature'}.items() %}
  select
    '{{ kind }}' as scope_kind,
    {{ column }} as scope_id,
    usage_date,
    sum(attempts_count) as attempts_count
  from {{ ref('llm_usage_by_tenant_feature_model_day') }}
  where {{ column }} <> 'unattributed'
  group by 1, 2, 3
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

bounds as (
  select max(usage_date) as last_date
  from attempts
),

-- Each day speaks for itself and the next, and a week later as what was usual for those two.
moved as (
  select
    attempts.scope_kind,
    attempts.scope_id,
    cast(attempts.usage_date + steps.step_days * interval '1 day' as date) as usage_date,
    sum(case when steps.step_days <= 1 then attempts.attempts_count else 0 end) as attempts_count,
    sum(case when steps.step_days > 1 then attempts.attempts_count else 0 end) as usual_attempts_count
  from attempts
  cross join (
    select step_days - 1 as step_days
    from ({{ numbers_to(9) }}) as numbers
    where step_days in (1, 2, 8, 9)
  ) as steps
  group by 1, 2, 3
),

measured as (
  select
    moved.usage_date,
    moved.scope_kind,
    moved.scope_id,
    '' as plan_id,
    moved.attempts_count as observed,
    moved.usual_attempts_count as baseline,
    moved.usual_attempts_count as floor_value,
    null as history_days_count,
    null as detail
  from moved
  inner join bounds on moved.usage_date <= bounds.last_date
)

{{ breaches('measured', 'gone_silent') }}
