-- One row per budgeted scope, period and span of days.
{{ config(tags=['rollup']) }}
select
  scope_kind,
  scope_id,
  budget_period,
  budget_usd,
  valid_from,
  valid_to
from {{ ref('stg_company__budgets') }}
