-- One row per day, provider, model, tier and usage class of which the error of our estimate has moved away from its own mean
-- of the billed days before. A steady error is a discount that the price book does not know; a drift is news.
with days as (
  select
    usage_date,
    concat_ws('/', provider, model, service_tier, usage_class) as sku,
    contracted_cost_usd + usage_gap_usd as expected_cost_usd,
    price_gap_usd
  from {{ ref('recon_estimated_vs_billed_by_sku_day') }}
  where billed_cost_usd is not null and logged_quantity > 0
),

compared as (
  {{ with_earlier_days('days', 'sku', ['expected_cost_usd', 'price_gap_usd'], 'estimate_drift') }}
),

measured as (
  select
    usage_date,
    'sku' as scope_kind,
    sku as scope_id,
    '' as plan_id,
    abs(
      {{ ratio('price_gap_usd', 'expected_cost_usd') }}
      - {{ ratio('earlier_price_gap_usd', 'earlier_expected_cost_usd') }}
    ) as observed,
    null as baseline,
    expected_cost_usd as floor_value,
    earlier_days_count as history_days_count,
    null as detail
  from compared
)

{{ breaches('measured', 'estimate_drift') }}
