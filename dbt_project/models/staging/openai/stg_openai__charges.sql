-- OpenAI's costs: what the invoice will say, in US dollars, per day, project and line item. The model and the meter
-- stand only in the text of the line item, "<model>, <meter>"; a text of another shape stays unmapped and visible.
{{ config(event_time='usage_date') }}
with landed as (
  select
    *,
    nullif(trim(split_part(line_item, ',', 1)), '') as first_part,
    lower(nullif(trim(split_part(line_item, ',', 2)), '')) as meter
  from {{ landed_window('openai_costs') }} as current_rows
),

metered as (
  select
    *,
    -- The tier is written behind the meter where it is not the standard one: "gpt-5, input_tokens, batch".
    lower(nullif(trim(split_part(line_item, ',', 3)), '')) as tier_part,
    case
      when meter in ('input_tokens', 'input', 'input tokens', 'uncached_input_tokens') then 'input'
      when meter in ('cached_input_tokens', 'input_cached_tokens', 'cached input', 'cached_input') then 'cache_read'
      when meter in ('input_cache_write_tokens', 'cache_write_tokens', 'input_cache_write_30m_tokens') then 'cache_write_30m'
      when meter = 'input_cache_write_12h_tokens' then 'cache_write_12h'
      when meter in ('output_tokens', 'output', 'output tokens') then 'output'
      when meter in ('web_search_calls', 'web_searches', 'web search') then 'web_search'
      when meter in ('code_interpreter_sessions', 'code interpreter') then 'code_execution'
      when meter in ('file_search_calls', 'file searches') then 'file_search'
    end as usage_class
  from landed
)

select
  source_name,
  pull_id,
  usage_date,
  'openai' as provider,
  source_name as provider_account,
  project_id as provider_project,
  api_key_id as provider_api_key_id,
  cast(null as varchar) as invoice_id,
  line_item as charge_description,
  {{ charge_category('line_item', 'usage_class') }} as charge_category,
  case when usage_class is not null then first_part end as model,
  usage_class,
  case
    when usage_class is null then null
    else {{ service_tier_name('tier_part') }}
  end as service_tier,
  cast(null as varchar) as inference_geo,
  cast(null as varchar) as context_window,
  {{ usd('amount_usd') }} as billed_cost_usd,
  upper(currency) as currency,
  quantity,
  quantity_unit
from metered
