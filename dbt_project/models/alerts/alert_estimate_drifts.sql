-- One row per day, provider, model, tier and usage class of which the error of our estimate is more than two points off its
-- own mean of the seven billed days before. A steady error is a discount that the price book does not know; a drift is news.
{%- set limit_points = 0.02 %}
{%- set floor_usd = 5 %}
{%- set history_days = 3 %}
with days as (
  select
    usage_date,
    provider,
    model,
    service_tier,
    usage_class,
    contracted_cost_usd + usage_gap_usd as expected_cost_usd,
    price_gap_usd
  from {{ ref('recon_estimated_vs_billed_by_sku_day') }}
  where billed_cost_usd is not null and logged_quantity > 0
),

compared as (
  select
    *,
    {%- for column in ['expected_cost_usd', 'price_gap_usd'] %}
    cast(sum({{ column }}) over earlier as decimal(38, 12)) as earlier_{{ column }},
    {%- endfor %}
    count(*) over earlier as history_days_count
  from days
  window earlier as (
    partition by provider, model, service_tier, usage_class
    order by usage_date
    rows between 7 preceding and 1 preceding
  )
),

errors as (
  select
    *,
    {{ ratio('price_gap_usd', 'expected_cost_usd') }} as estimate_error,
    {{ ratio('earlier_price_gap_usd', 'earlier_expected_cost_usd') }} as earlier_estimate_error
  from compared
  where history_days_count >= {{ history_days }} and expected_cost_usd >= {{ floor_usd }}
)

select
  'estimate_drift' as alert_rule,
  'warn' as severity,
  usage_date,
  'sku' as scope_kind,
  concat_ws('/', provider, model, service_tier, usage_class) as scope_id,
  abs(estimate_error - earlier_estimate_error) as observed,
  cast({{ limit_points }} as double) as threshold,
  'points of error of our estimate' as unit
from errors
where abs(estimate_error - earlier_estimate_error) > {{ limit_points }}
