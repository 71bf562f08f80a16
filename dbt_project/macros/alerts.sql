{#-
What all alert rules share: the days before, and the comparison. A rule is a model that measures; the numbers that it is
compared with are rows of alert_rules.csv and alert_rule_overrides.csv.
-#}

{#- No rule looks further back (orchestration/alerting/rules.py holds alert_rules.csv to it). -#}
{%- macro longest_baseline_days() -%}
  {{ return(60) }}
{%- endmacro -%}

{#- The days that a run builds and those after them that change with them, and before these what `rule` compares them with. -#}
{%- macro days_of_rule(column, rule) -%}
  {{ between_built_days(column, -longest_baseline_days(), days_after()) }}
  and {{ column }} >= (
    -- A date: compared with a timestamp, days are read and thrown away instead of skipped (0.13 s against 0.05 s).
    select
      cast(
        {{ first_built_day() }} - max(greatest(rules.window_days, coalesce(rules.noise_days, 0))) * interval '1 day' as date
      )
    from {{ ref('stg_alert_rules__rules') }} as rules
    where rules.alert_rule = '{{ rule }}'
  )
{%- endmacro -%}

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
    from ({{ numbers_to(2 * longest_baseline_days()) }}) as numbers
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
history_days_count (NULL is enough), detail (text for people, or NULL); the columns of `kept` are handed on.
-#}
{%- macro breaches(measured, rule, kept=[]) -%}
select
  {%- for column in kept %}
  {{ column }},
  {%- endfor %}
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
    {%- for column in kept %}
    measured.{{ column }},
    {%- endfor %}
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

{#-
Those of `broken` that lie beyond the noise of their own past: columns of every alert model, and `key`. What costs twice the
mean may be usual for who spends unevenly. Cost varies by factors, so the band is of its logarithm: the median of the rule's
noise_days, and noise_deviations of 1.4826 x the median distance from it, which is the standard deviation where noise is
normal and which a few days of a spike do not widen. Days without cost say nothing, and under seven of the others make no
band. Over a clean year of 85 tenants (`make bench-alerts`) the band leaves 9 of 110 spikes of a day, and 6 of 69 by the hour.

broken: rows of `breaches`, with `key` kept. days: usage_date, `key`, `value`.
-#}
{%- macro beyond_noise(broken, days, key, value, rule) -%}
select
  broken.{{ key }},
  broken.alert_rule,
  broken.severity,
  broken.usage_date,
  broken.scope_kind,
  broken.scope_id,
  broken.observed,
  greatest(broken.threshold, coalesce(bands.upper_value, broken.threshold)) as threshold,
  broken.unit,
  broken.baseline,
  broken.detail
from {{ broken }} as broken
left join (
  select
    levels.{{ key }},
    levels.usage_date,
    exp(
      max(levels.centre)
      + max(levels.noise_deviations) * 1.4826 * median(abs(levels.level - levels.centre))
    ) as upper_value
  from (
    select
      {{ key }},
      usage_date,
      noise_deviations,
      level,
      median(level) over (partition by {{ key }}, usage_date) as centre
    from (
      select
        broken.{{ key }},
        broken.usage_date,
        rules.noise_deviations,
        ln(cast(days.{{ value }} as double)) as level
      from {{ broken }} as broken
      inner join {{ ref('stg_alert_rules__rules') }} as rules on rules.alert_rule = '{{ rule }}'
      inner join {{ days }} as days
        on
          broken.{{ key }} = days.{{ key }}
          and days.usage_date < broken.usage_date
          and days.usage_date >= broken.usage_date - rules.noise_days * interval '1 day'
      where days.{{ value }} > 0
    ) as logarithms
  ) as levels
  group by levels.{{ key }}, levels.usage_date
  having count(*) >= 7
) as bands
  on broken.{{ key }} = bands.{{ key }} and broken.usage_date = bands.usage_date
where bands.upper_value is null or broken.observed > bands.upper_value
{%- endmacro -%}
