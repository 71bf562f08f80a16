-- What a provider's FOCUS export bills. A line that names no model and meter stays what its words say, and visible.
{{ config(event_time='usage_date') }}
select
  source_name,
  pull_id,
  usage_date,
  provider,
  billing_account_id as provider_account,
  sub_account_id as provider_project,
  cast(null as varchar) as provider_api_key_id,
  invoice_id,
  charge_description,
  case
    when charge_category = 'Tax' then 'tax'
    when charge_category = 'Credit' then 'credit'
    when charge_category = 'Adjustment' and billed_cost_usd < 0 then 'credit'
    when charge_category = 'Purchase' then 'priority_or_commitment'
    when usage_class is not null and (model is not null or usage_class = 'web_search') then 'usage'
    else {{ charge_category("coalesce(charge_description, '')", 'cast(null as varchar)') }}
  end as charge_category,
  model,
  case when model is not null or usage_class = 'web_search' then usage_class end as usage_class,
  case when model is not null and usage_class is not null then coalesce(tier_in_words, stated_tier) end as service_tier,
  cast(null as varchar) as inference_geo,
  cast(null as varchar) as context_window,
  billed_cost_usd,
  billing_currency as currency,
  coalesce(tokens, requests) as quantity,
  case when tokens is not null then 'tokens' when requests is not null then 'requests' end as quantity_unit
from {{ ref('stg_focus__lines') }}
