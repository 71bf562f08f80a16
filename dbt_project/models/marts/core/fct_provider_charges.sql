-- One row per billed line as the provider states it.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
{%- for model_name in ['stg_openai__charges', 'stg_anthropic__charges', 'stg_focus__charges'] %}
select
  charges.usage_date,
  charges.provider,
  charges.provider_account,
  charges.provider_project,
  charges.provider_api_key_id,
  charges.source_name,
  charges.pull_id,
  charges.invoice_id,
  charges.charge_description,
  charges.charge_category,
  charges.model as billed_model,
  coalesce(names.model, lower(charges.model)) as priced_model,
  charges.usage_class,
  charges.service_tier,
  charges.inference_geo,
  charges.context_window,
  charges.billed_cost_usd,
  charges.currency,
  cast(charges.quantity as decimal(38, 6)) as quantity,
  charges.quantity_unit
from {{ ref(model_name) }} as charges
left join {{ ref('stg_pricing__model_names') }} as names
  on charges.provider = names.provider and lower(charges.model) = names.name
where {{ on_built_days('charges.usage_date') }}
{% if not loop.last %}union all{% endif %}
{%- endfor %}
