-- Anthropic's own count, one row per day, group and usage class. The four input classes are disjoint, and the report
-- has no count of requests.
{{ config(event_time='usage_date') }}
with landed as (
  select *
  from {{ landed_window('anthropic_usage_messages') }} as current_rows
)

{%- set classes = [
  ('input', 'uncached_input_tokens', 'tokens'),
  ('cache_read', 'cache_read_input_tokens', 'tokens'),
  ('cache_write_5m', 'cache_creation_ephemeral_5m_input_tokens', 'tokens'),
  ('cache_write_1h', 'cache_creation_ephemeral_1h_input_tokens', 'tokens'),
  ('output', 'output_tokens', 'tokens'),
  ('web_search', 'web_search_requests', 'requests'),
] %}
{%- for usage_class, column, unit in classes %}

select
  source_name,
  usage_date,
  'anthropic' as provider,
  source_name as provider_account,
  workspace_id as provider_project,
  api_key_id as provider_api_key_id,
  model,
  {{ service_tier_name('service_tier') }} as service_tier,
  inference_geo,
  context_window,
  'messages' as endpoint,
  '{{ usage_class }}' as usage_class,
  '{{ unit }}' as quantity_unit,
  cast({{ column }} as decimal(38, 6)) as quantity,
  cast(null as bigint) as model_requests_count
from landed
where {{ column }} is not null
{% if not loop.last %}union all{% endif %}
{%- endfor %}
