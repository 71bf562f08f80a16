-- One row per source and table that is far behind the newest day on which any source delivered rows, or that was last heard
-- of long before the newest pull of all. Nobody's clock is asked, so the same landing always gives the same answer.
with tables as (
  select
    source_name,
    table_name,
    max(case when row_count > 0 and slice_key is not null then usage_date end) as newest_date,
    max(pulled_at) as newest_pulled_at,
    max(window_end) as has_windows
  from {{ source('landing', 'manifest') }}
  where pull_id < {{ as_known_pull_id() }}
  group by source_name, table_name
),

newest as (
  select
    max(usage_date) as last_date,
    (select max(tables.newest_pulled_at) from tables) as last_pulled_at
  from {{ ref('unit_economics_by_model_day') }}
),

measured as (
  select
    newest.last_date as usage_date,
    'source' as scope_kind,
    tables.source_name || '/' || tables.table_name as scope_id,
    '' as plan_id,
    greatest(
      date_diff('day', tables.newest_date, newest.last_date),
      date_diff('day', cast(tables.newest_pulled_at as date), cast(newest.last_pulled_at as date))
    ) as observed,
    null as baseline,
    null as floor_value,
    null as history_days_count,
    'newest day ' || cast(tables.newest_date as varchar) || ', last pull ' || cast(tables.newest_pulled_at as varchar) as detail
  from tables
  cross join newest
  where tables.newest_date is not null and newest.last_date is not null
)

{{ breaches('measured', 'source_late') }}
