{#-
What all alert rules share: the days before, and the comparison. A rule is a model that measures; the numbers that it is
compared with are rows of alert_rules.csv and alert_rule_overrides.csv.
-#}

{#-
Each row of `days` (usage_date, one row a day of `key`) with the sums of `columns` over the window_days of `rule` before it,
as earlier_<column>. The day is never in its own baseline, and a day without a row adds nothing.
earlier_days_count counts the rows that were there. With `is_window`, the row is not the day but its own window, the day
included, as recent_<column>, and the earlier window is the one before that.
-#}
{%- macro with_earlier_days(days, key, columns, rule, is_window=false) -%}
{%- set spans = ['recent', 'earlier'] if is_window else ['earlier'] -%}
select
  today.*,
  coalesce(moved.earlier_days_count, 0) as earlier_days_count,
  {%- for span in spans %}{% set last_span = loop.last %}
  {%- for column in columns %}
  moved.{{ span }}_{{ column }}{% if not (last_span and loop.last) %},{% endif %}
  {%- endfor %}
  {%- endfor %}
from {{ days }} as today
left join (
  -- Every day speaks for each of the days after it that it is in a window of: one hash join, whatever the window.
  select
    days.{{ key }},
    cast(days.usage_date + steps.step_days * interval '1 day' as date) as usage_date,
    sum(case when steps.is_earlier then 1 else 0 end) as earlier_days_count,
    {%- for span in spans %}{% set last_span = loop.last %}
    {%- for column in columns %}
    sum(case when {{ '' if span == 'earlier' else 'not ' }}steps.is_earlier then days.{{ column }} end) as {{ span }}_{{ column }}{% if not (last_span and loop.last) %},{% endif %}
    {%- endfor %}
    {%- endfor %}
  from {{ days }} as days
  cross join (
    select
      {%- if is_window %}
      numbers.step_days - 1 as step_days,
      numbers.step_days > rules.window_days as is_earlier
      {%- else %}
      numbers.step_days,
      true as is_earlier
      {%- endif %}
    from ({{ numbers_to(120) }}) as numbers
    cross join {{ ref('stg_alert_rules__rules') }} as rules
    where rules.alert_rule = '{{ rule }}' and numbers.step_days <= rules.window_days{{ ' * 2' if is_window }}
  ) as steps
  group by 1, 2
) as moved
  on today.{{ key }} = moved.{{ key }} and today.usage_date = moved.usage_date
{%- endmacro -%}

{#-
The rows of `measured` that break `rule`: columns of every alert model.

measured: usage_date, scope_kind, scope_id, plan_id ('' where a scope has none), observed, baseline (what a relative rule
compares with; NULL compares with nothing and breaks no rule), floor_value (compared with the floor; NULL is above it),
history_days_count (NULL is enough), detail (text for people, or NULL).
-#}
{%- macro breaches(measured, rule) -%}
select
  alert_rule,
  severity,
  usage_date,
  scope_kind,
  scope_id,
  observed,
  limit_value as threshold,
  unit,
  baseline,
  detail
from (
  select
    rules.alert_rule,
    rules.severity,
    rules.unit,
    rules.comparator,
    measured.usage_date,
    measured.scope_kind,
    measured.scope_id,
    cast(measured.observed as double) as observed,
    cast(measured.baseline as double) as baseline,
    cast(measured.detail as varchar) as detail,
    case rules.comparator
      when 'above' then coalesce(own.threshold, of_plan.threshold, rules.threshold)
      when 'below' then coalesce(own.threshold, of_plan.threshold, rules.threshold)
      when 'above_times' then coalesce(own.threshold, of_plan.threshold, rules.threshold) * cast(measured.baseline as double)
      when 'below_times' then coalesce(own.threshold, of_plan.threshold, rules.threshold) * cast(measured.baseline as double)
      when 'above_by' then cast(measured.baseline as double) + coalesce(own.threshold, of_plan.threshold, rules.threshold)
      when 'below_by' then cast(measured.baseline as double) - coalesce(own.threshold, of_plan.threshold, rules.threshold)
    end as limit_value
  from {{ measured }} as measured
  inner join {{ ref('stg_alert_rules__rules') }} as rules on rules.alert_rule = '{{ rule }}'
  left join {{ ref('stg_alert_rules__overrides') }} as own
    on
      rules.alert_rule = own.alert_rule
      and measured.scope_kind = own.scope_kind
      and measured.scope_id = own.scope_id
      and measured.usage_date >= own.valid_from
      and measured.usage_date < own.valid_to
  left join (select * from {{ ref('stg_alert_rules__overrides') }} where scope_kind = 'plan') as of_plan
    on
      rules.alert_rule = of_plan.alert_rule
      and measured.plan_id = of_plan.scope_id
      and measured.usage_date >= of_plan.valid_from
      and measured.usage_date < of_plan.valid_to
  where
    -- Where a rule has an override of its own, that of the plan is not asked.
    not coalesce(own.is_exempt, of_plan.is_exempt, false)
    and (
      measured.floor_value is null
      or cast(measured.floor_value as double) >= coalesce(own.floor_value, of_plan.floor_value, rules.floor_value)
    )
    and coalesce(measured.history_days_count >= rules.min_history_days, true)
) as compared
where
  (comparator in ('above', 'above_times', 'above_by') and observed > limit_value)
  or (comparator in ('below', 'below_times', 'below_by') and observed < limit_value)
{%- endmacro -%}
