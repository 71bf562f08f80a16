-- One row per comparison of two periods (kind, last day, release), tenant, feature, model, service tier and usage class: how
-- far its cost moved, and by what. The newest days; `make explain` does the same for any two periods.
{%- set kept_days = var('change_days') %}
with calendar as (
  select distinct usage_date
  from {{ ref('unit_economics_by_model_day') }}
),

known_days as (
  select
    min(usage_date) as first_date,
    max(usage_date) as last_date
  from calendar
),

spans as (
  {%- for kind, current_days, baseline_days in [
    ('day_on_day', 1, 1), ('week_on_week', 7, 7), ('day_vs_trailing_week', 1, 7),
  ] %}
  select
    '{{ kind }}' as comparison,
    calendar.usage_date,
    '' as release_id,
    '' as only_feature,
    cast(calendar.usage_date - interval '{{ current_days + baseline_days - 1 }} days' as date) as baseline_first_date,
    cast(calendar.usage_date - interval '{{ current_days }} days' as date) as baseline_last_date,
    cast(calendar.usage_date - interval '{{ current_days - 1 }} days' as date) as current_first_date
  from calendar
  cross join known_days
  where calendar.usage_date > known_days.last_date - interval '{{ kept_days }} days'
  union all
  {%- endfor %}
  -- As many days after the release as before it, at most seven; its own day is in neither.
  select
    'before_after_release' as comparison,
    cast(releases.deployed_date + interval '1 day' * releases.days_count as date) as usage_date,
    releases.release_id,
    releases.feature as only_feature,
    cast(releases.deployed_date - interval '1 day' * releases.days_count as date) as baseline_first_date,
    cast(releases.deployed_date - interval '1 day' as date) as baseline_last_date,
    cast(releases.deployed_date + interval '1 day' as date) as current_first_date
  from (
    select
      dim_releases.*,
      least(
        7,
        date_diff('day', dim_releases.deployed_date, known_days.last_date),
        date_diff('day', known_days.first_date, dim_releases.deployed_date)
      ) as days_count
    from {{ ref('dim_releases') }} as dim_releases
    cross join known_days
    where dim_releases.deployed_date > known_days.last_date - interval '{{ var('explained_days') }} days'
  ) as releases
  where releases.days_count > 0
),

comparisons as (
  select
    spans.*,
    row_number() over (order by spans.comparison, spans.usage_date, spans.release_id, spans.only_feature) as comparison_key,
    -- Days of a baseline before the first known one are no days of zero cost.
    case
      when spans.comparison = 'day_vs_trailing_week'
        then date_diff('day', greatest(spans.baseline_first_date, known_days.first_date), spans.usage_date)
      else 1
    end as baseline_divisor,
    1 as current_divisor
  from spans
  cross join known_days
  where
    spans.baseline_first_date >= known_days.first_date
    or (spans.comparison = 'day_vs_trailing_week' and spans.baseline_last_date >= known_days.first_date)
),

periods as (
  select
    comparisons.comparison_key,
    comparisons.only_feature,
    calendar.usage_date,
    calendar.usage_date >= comparisons.current_first_date as is_current
  from calendar
  inner join comparisons
    on
      calendar.usage_date between comparisons.baseline_first_date and comparisons.usage_date
      and (calendar.usage_date <= comparisons.baseline_last_date or calendar.usage_date >= comparisons.current_first_date)
),

-- The cube is named here and nowhere else, so that DuckDB reads the days of `periods` and no others.
usage as (
  select
    periods.comparison_key,
    periods.is_current,
    cube.*
  from {{ ref('llm_usage_by_tenant_feature_model_day') }} as cube
  inner join periods on cube.usage_date = periods.usage_date
  where periods.only_feature in ('', cube.feature)
),

operations as (
  select
    periods.comparison_key,
    periods.is_current,
    operations.*
  from {{ ref('operations_by_tenant_feature_day') }} as operations
  inner join periods on operations.usage_date = periods.usage_date
  where periods.only_feature in ('', operations.feature)
),

decomposed as (
  {{ decomposed_change('usage', 'operations', 'comparisons') }}
)

select
  comparisons.comparison,
  comparisons.usage_date,
  comparisons.release_id,
  comparisons.baseline_first_date,
  comparisons.baseline_last_date,
  comparisons.current_first_date,
  decomposed.tenant_id,
  decomposed.feature,
  decomposed.provider,
  decomposed.model,
  decomposed.service_tier,
  decomposed.usage_class,
  decomposed.baseline_cost_usd,
  decomposed.current_cost_usd,
  decomposed.change_usd,
  {%- for effect in change_effects() %}
  decomposed.{{ effect }}{% if not loop.last %},{% endif %}
  {%- endfor %}
from decomposed
inner join comparisons on decomposed.comparison_key = comparisons.comparison_key
