-- One row per line of a provider's FOCUS export, with the model, tier and class of tokens that it names. FOCUS has no
-- column for either before 1.5: the model is a property of the price, the class stands in the name of the meter.
{{ config(event_time='usage_date') }}
with landed as (
  select
    *,
    lower(coalesce(sku_meter, charge_description)) as meter,
    lower(concat_ws(' ', sku_price_id, sku_meter)) as sku_words
  from {{ landed_window('focus_charges') }} as current_rows
)

select
  source_name,
  pull_id,
  usage_date,
  {{ focus_provider('service_provider_name', 'service_name') }} as provider,
  billing_account_id,
  sub_account_id,
  invoice_id,
  charge_category,
  charge_description,
  coalesce(
    {{ text_in_json_if_any('sku_price_details', '$.ModelId') }},
    {{ text_in_json_if_any('sku_price_details', '$.x_ModelId') }}
  ) as model,
  case
    when charge_category <> 'Usage' then null
    when meter like '%cache%write%1h%' or meter like '%cache%write%1 hour%' then 'cache_write_1h'
    when meter like '%cache%write%' or meter like '%cache%creation%' then 'cache_write_5m'
    when meter like '%cache%' then 'cache_read'
    when meter like '%search%' then 'web_search'
    when meter like '%input%' or meter like '%prompt%' then 'input'
    when meter like '%output%' or meter like '%completion%' then 'output'
  end as usage_class,
  {{ service_tier_name(text_in_json_if_any('sku_price_details', '$.x_ServiceTier')) }} as stated_tier,
  case
    when sku_words like '%batch%' then 'batch'
    when sku_words like '%flex%' then 'flex'
    when sku_words like '%priority%' then 'priority'
  end as tier_in_words,
  region_id,
  {{ usd('billed_cost') }} as billed_cost_usd,
  billing_currency,
  -- What the provider counts: the consumed quantity, else the priced one.
  coalesce(
    cast(consumed_quantity * {{ focus_tokens_per_unit('consumed_unit') }} as decimal(38, 6)),
    cast(pricing_quantity * {{ focus_tokens_per_unit('pricing_unit') }} as decimal(38, 6))
  ) as tokens,
  case when lower(consumed_unit) in ('requests', 'request', 'searches') then consumed_quantity end as requests
from landed
