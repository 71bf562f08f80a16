-- One row per budgeted scope, period and span of days. The next budget of a scope ends the one before.
{{ config(tags=['rollup']) }}
with successive as (
  select
    *,
    lead(valid_from) over (partition by scope_kind, scope_id, budget_period order by valid_from) as next_valid_from
  from {{ ref('stg_company__budgets') }}
)

select
  scope_kind,
  scope_id,
  budget_period,
  budget_usd,
  valid_from,
  least(valid_to, coalesce(next_valid_from, valid_to)) as valid_to
from successive
