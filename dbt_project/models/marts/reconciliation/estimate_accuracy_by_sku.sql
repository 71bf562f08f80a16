-- One row per provider, model, service tier and usage class: how far our price of what the provider counted is from what it
-- billed, over every billed day, over the newest seven of them and over the 28 before those.
with billed as (
  select
    usage_date,
    provider,
    model,
    service_tier,
    usage_class,
    contracted_cost_usd + usage_gap_usd as expected_cost_usd,
    billed_cost_usd,
    price_gap_usd,
    row_number() over (partition by provider, model, service_tier, usage_class order by usage_date desc) as age
  from {{ ref('recon_estimated_vs_billed_by_sku_day') }}
  -- Where nothing was logged there is no estimate to judge.
  where billed_cost_usd is not null and logged_quantity > 0
),

summed as (
  select
    provider,
    model,
    service_tier,
    usage_class,
    count(*) as billed_days_count,
    max(usage_date) as last_billed_date,
    cast(sum(expected_cost_usd) as decimal(38, 12)) as expected_cost_usd,
    cast(sum(billed_cost_usd) as decimal(38, 12)) as billed_cost_usd,
    cast(sum(price_gap_usd) as decimal(38, 12)) as price_gap_usd,
    cast(sum(case when age <= 7 then expected_cost_usd end) as decimal(38, 12)) as recent_expected_cost_usd,
    cast(sum(case when age <= 7 then price_gap_usd end) as decimal(38, 12)) as recent_price_gap_usd,
    cast(sum(case when age > 7 and age <= 35 then expected_cost_usd end) as decimal(38, 12)) as earlier_expected_cost_usd,
    cast(sum(case when age > 7 and age <= 35 then price_gap_usd end) as decimal(38, 12)) as earlier_price_gap_usd
  from billed
  group by provider, model, service_tier, usage_class
)

select
  provider,
  model,
  service_tier,
  usage_class,
  billed_days_count,
  last_billed_date,
  expected_cost_usd,
  billed_cost_usd,
  price_gap_usd,
  recent_expected_cost_usd,
  recent_price_gap_usd,
  earlier_expected_cost_usd,
  earlier_price_gap_usd,
  {{ ratio('price_gap_usd', 'expected_cost_usd') }} as estimate_error,
  {{ ratio('recent_price_gap_usd', 'recent_expected_cost_usd') }} as recent_estimate_error,
  {{ ratio('earlier_price_gap_usd', 'earlier_expected_cost_usd') }} as earlier_estimate_error
from summed
