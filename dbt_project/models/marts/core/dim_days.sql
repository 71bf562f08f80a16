-- One row per UTC day of the calendar years that hold costs. BI tools join their dates to it, and MetricFlow its metrics.
{{ config(tags=['rollup']) }}
with known_days as (
  select usage_date from {{ ref('unit_economics_by_model_day') }}
  union
  select usage_date from {{ ref('fct_provider_charges') }}
),

bounds as (
  select
    cast(date_trunc('year', min(usage_date)) as date) as first_date,
    cast(date_trunc('year', max(usage_date)) + interval '1 year' - interval '1 day' as date) as last_date
  from known_days
),

days as (
  select cast(days.usage_date as date) as calendar_date
  from bounds
  cross join lateral ({{ days_between('bounds.first_date', 'bounds.last_date') }}) as days
)

select
  calendar_date,
  cast(date_trunc('week', calendar_date) as date) as week_start_date,
  cast(date_trunc('month', calendar_date) as date) as month_start_date,
  cast(date_trunc('quarter', calendar_date) as date) as quarter_start_date,
  cast(date_trunc('year', calendar_date) as date) as year_start_date
from days
