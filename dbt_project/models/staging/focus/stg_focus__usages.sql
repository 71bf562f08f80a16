-- What a provider's FOCUS export counts beside what it bills: without it, logs that cover half would take the whole charge.
{{ config(event_time='usage_date') }}
select
  source_name,
  usage_date,
  provider,
  billing_account_id as provider_account,
  sub_account_id as provider_project,
  cast(null as varchar) as provider_api_key_id,
  model,
  coalesce(tier_in_words, stated_tier) as service_tier,
  cast(null as varchar) as inference_geo,
  cast(null as varchar) as context_window,
  'focus' as endpoint,
  usage_class,
  case when usage_class = 'web_search' then 'requests' else 'tokens' end as quantity_unit,
  cast(case when usage_class = 'web_search' then requests else tokens end as decimal(38, 6)) as quantity,
  cast(null as bigint) as model_requests_count
from {{ ref('stg_focus__lines') }}
where
  usage_class = 'web_search' and requests is not null
  or usage_class <> 'web_search' and model is not null and tokens is not null
