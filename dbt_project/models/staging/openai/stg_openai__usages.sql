-- OpenAI's own count, one row per bucket, group and usage class. Its input is the total; the classes are disjoint.
-- A class that the report does not state is absent here, not 0.
{{ config(event_time='usage_date') }}
with completions as (
  select
    source_name,
    usage_date,
    project_id,
    api_key_id,
    model,
    case when batch then 'batch' else {{ service_tier_name('service_tier') }} end as service_tier,
    'completions' as endpoint,
    num_model_requests,
    coalesce(
      input_uncached_tokens,
      input_tokens - coalesce(input_cached_tokens, 0) - coalesce(input_cache_write_tokens, 0)
    ) as input_tokens,
    input_cached_tokens as cache_read_tokens,
    coalesce(
      input_cache_write_30m_tokens, input_cache_write_tokens - coalesce(input_cache_write_12h_tokens, 0)
    ) as cache_write_30m_tokens,
    input_cache_write_12h_tokens as cache_write_12h_tokens,
    output_tokens
  from {{ landed_window('openai_usage_completions') }} as landed
),

embeddings as (
  select
    source_name,
    usage_date,
    project_id,
    api_key_id,
    model,
    'standard' as service_tier,
    'embeddings' as endpoint,
    num_model_requests,
    input_tokens
  from {{ landed_window('openai_usage_embeddings') }} as landed
),

other as (
  select
    source_name,
    usage_date,
    project_id,
    api_key_id,
    model,
    'standard' as service_tier,
    endpoint,
    num_model_requests,
    quantity,
    quantity_unit
  from {{ landed_window('openai_usage_other') }} as landed
),

classes as (
  {%- for class in ['input', 'cache_read', 'cache_write_30m', 'cache_write_12h', 'output'] %}
  select
    source_name,
    usage_date,
    project_id,
    api_key_id,
    model,
    service_tier,
    endpoint,
    '{{ class }}' as usage_class,
    'tokens' as quantity_unit,
    cast({{ class }}_tokens as decimal(38, 6)) as quantity,
    {% if class == 'input' %}num_model_requests{% else %}cast(null as bigint){% endif %} as model_requests_count
  from completions
  where {{ class }}_tokens is not null
  union all
  {%- endfor %}
  select
    source_name,
    usage_date,
    project_id,
    api_key_id,
    model,
    service_tier,
    endpoint,
    'input' as usage_class,
    'tokens' as quantity_unit,
    cast(input_tokens as decimal(38, 6)) as quantity,
    num_model_requests as model_requests_count
  from embeddings
  union all
  select
    source_name,
    usage_date,
    project_id,
    api_key_id,
    model,
    service_tier,
    endpoint,
    case endpoint
      when 'web_search_calls' then 'web_search'
      when 'file_search_calls' then 'file_search'
      when 'code_interpreter_sessions' then 'code_execution'
      when 'images' then 'image'
      when 'audio_speeches' then 'character'
      when 'audio_transcriptions' then 'second'
      when 'moderations' then 'input'
      else endpoint
    end as usage_class,
    quantity_unit,
    cast(quantity as decimal(38, 6)) as quantity,
    num_model_requests as model_requests_count
  from other
)

select
  source_name,
  usage_date,
  'openai' as provider,
  source_name as provider_account,
  project_id as provider_project,
  api_key_id as provider_api_key_id,
  model,
  service_tier,
  cast(null as varchar) as inference_geo,
  cast(null as varchar) as context_window,
  endpoint,
  usage_class,
  quantity_unit,
  quantity,
  model_requests_count
from classes
