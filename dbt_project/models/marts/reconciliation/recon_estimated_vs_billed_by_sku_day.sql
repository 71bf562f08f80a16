-- One row per day, provider, model, service tier and usage class: what we logged and estimated, what the provider counted and
-- billed, and which of the two the difference comes from (macros/reconciliation.sql).
with weighed as (
  select *
  from {{ ref('int_llm_requests__weighed') }}
),

{{ reconciled_cells(['priced_model', 'service_tier'], "''") }}

select
  usage_date,
  provider,
  priced_model as model,
  service_tier,
  usage_class,
  logged_quantity,
  provider_quantity,
  list_cost_usd,
  contracted_cost_usd,
  billed_cost_usd,
  variance_usd,
  usage_gap_usd,
  price_gap_usd,
  lines_count,
  logged_quantity > provider_quantity as is_overlogged,
  {{ ratio('logged_quantity', 'provider_quantity') }} as coverage,
  {{ ratio('price_gap_usd', 'contracted_cost_usd + usage_gap_usd') }} as estimate_error
from reconciled
