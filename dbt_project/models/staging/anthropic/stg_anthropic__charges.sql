-- Anthropic's cost report. The amount is a decimal text in cents, also in fractions of a cent; here it is in dollars.
{{ config(event_time='usage_date') }}
with landed as (
  select
    *,
    case
      when cost_type = 'web_search' then 'web_search'
      when token_type = 'uncached_input_tokens' then 'input'
      when token_type = 'cache_read_input_tokens' then 'cache_read'
      when token_type = 'cache_creation.ephemeral_5m_input_tokens' then 'cache_write_5m'
      when token_type = 'cache_creation.ephemeral_1h_input_tokens' then 'cache_write_1h'
      when token_type = 'output_tokens' then 'output'
    end as usage_class
  from {{ landed_window('anthropic_cost_report') }} as current_rows
)

select
  source_name,
  pull_id,
  usage_date,
  'anthropic' as provider,
  source_name as provider_account,
  workspace_id as provider_project,
  cast(null as varchar) as provider_api_key_id,
  cast(null as varchar) as invoice_id,
  description as charge_description,
  case
    when cost_type in ('code_execution', 'session_usage') then 'not_request_scoped'
    else {{ charge_category('description', 'usage_class') }}
  end as charge_category,
  model,
  usage_class,
  case when usage_class <> 'web_search' then {{ service_tier_name('service_tier') }} end as service_tier,
  inference_geo,
  context_window,
  {{ usd_of_cents('amount_cents') }} as billed_cost_usd,
  upper(currency) as currency,
  cast(null as decimal(38, 12)) as quantity,
  cast(null as varchar) as quantity_unit
from landed
