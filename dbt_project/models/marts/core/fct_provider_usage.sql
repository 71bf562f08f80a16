-- One row per usage bucket, group and usage class as the provider counts it.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
{%- for model_name in ['stg_openai__usages', 'stg_anthropic__usages', 'stg_focus__usages'] %}
select
  usages.usage_date,
  usages.provider,
  usages.provider_account,
  usages.provider_project,
  usages.provider_api_key_id,
  usages.source_name,
  usages.model as billed_model,
  coalesce(names.model, lower(usages.model)) as priced_model,
  usages.service_tier,
  usages.inference_geo,
  usages.context_window,
  usages.endpoint,
  usages.usage_class,
  usages.quantity_unit,
  usages.quantity,
  usages.model_requests_count
from {{ ref(model_name) }} as usages
left join {{ ref('stg_pricing__model_names') }} as names
  on usages.provider = names.provider and lower(usages.model) = names.name
where {{ on_built_days('usages.usage_date') }}
{% if not loop.last %}union all{% endif %}
{%- endfor %}
