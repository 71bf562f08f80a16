-- One row per tenant or feature and day of which this day and the day before are all but silent, where the same two days of
-- every one of the weeks before were busy. Compared weekday by weekday, so that a quiet weekend is no silence.
with attempts as (
  {%- for kind, column, days in [
    ('tenant', 'tenant_id', ref('unit_economics_by_tenant_day')), ('feature', 'feature', ref('unit_economics_by_feature_day')),
  ] %}
  select
    '{{ kind }}' as scope_kind,
    {{ column }} as scope_id,
    usage_date,
    attempts_count
  from {{ days }}
  where {{ column }} <> 'unattributed' and attempts_count > 0
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

bounds as (
  select max(usage_date) as last_date
  from attempts
),

-- Each day speaks for itself and the next, and one and more weeks later as what was usual for those two.
moved as (
  select
    attempts.scope_kind,
    attempts.scope_id,
    cast(attempts.usage_date + steps.step_days * interval '1 day' as date) as usage_date,
    steps.weeks_ago,
    sum(attempts.attempts_count) as attempts_count
  from attempts
  cross join (
    select
      numbers.step_days - 1 as step_days,
      {{ whole_division('numbers.step_days - 1', '7') }} as weeks_ago
    from ({{ numbers_to(62) }}) as numbers
    cross join {{ ref('stg_alert_rules__rules') }} as rules
    where rules.alert_rule = 'gone_silent' and numbers.step_days <= rules.window_days + 2
  ) as steps
  where steps.step_days - 7 * steps.weeks_ago <= 1
  group by 1, 2, 3, 4
),

compared as (
  -- The quietest of the weeks before: who is silent now and then is not silent now.
  select
    moved.scope_kind,
    moved.scope_id,
    moved.usage_date,
    sum(case when moved.weeks_ago = 0 then moved.attempts_count else 0 end) as attempts_count,
    count(case when moved.weeks_ago > 0 then 1 end) as weeks_count,
    min(case when moved.weeks_ago > 0 then moved.attempts_count end) as least_attempts_count
  from moved
  group by 1, 2, 3
),

measured as (
  select
    compared.usage_date,
    compared.scope_kind,
    compared.scope_id,
    '' as plan_id,
    compared.attempts_count as observed,
    compared.least_attempts_count as baseline,
    compared.least_attempts_count as floor_value,
    7 * compared.weeks_count as history_days_count,
    null as detail
  from compared
  inner join bounds on compared.usage_date <= bounds.last_date
)

{{ breaches('measured', 'gone_silent') }}
