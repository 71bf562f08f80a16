-- The application's own log of its calls. The flat token fields count all input and all output; a provider's usage
-- object is read by its `usage_api`, and what its input includes is stored beside the numbers.
select
  source_name,
  'app_log' as observer,
  pull_id,
  usage_date,
  started_at,
  request_id,
  response_id,
  trace_id,
  span_id,
  {{ provider_name('provider') }} as provider,
  model,
  request_model,
  coalesce(operation_name, case when usage_api = 'openai.embeddings' then 'embeddings' end) as operation_name,
  feature,
  tenant_id,
  user_hash,
  operation_id,
  conversation_id,
  session_id,
  outcome,
  cast(http_status as integer) as http_status,
  error_type,
  latency_ms,
  time_to_first_token_ms,
  {{ usage_count('input', 'input_tokens') }} as input_tokens,
  {{ usage_count('output', 'output_tokens') }} as output_tokens,
  {{ usage_count('cache_read', 'cache_read_tokens') }} as cache_read_tokens,
  {{ usage_count('cache_write', 'cache_write_tokens') }} as cache_write_tokens,
  {{ usage_count('cache_write_5m', 'cache_write_5m_tokens') }} as cache_write_5m_tokens,
  {{ usage_count('cache_write_1h', 'cache_write_1h_tokens') }} as cache_write_1h_tokens,
  {{ usage_count('cache_write_30m') }} as cache_write_30m_tokens,
  {{ usage_count('cache_write_12h') }} as cache_write_12h_tokens,
  {{ usage_count('reasoning', 'reasoning_tokens') }} as reasoning_tokens,
  {{ usage_count('input_audio', 'input_audio_tokens') }} as input_audio_tokens,
  {{ usage_count('output_audio', 'output_audio_tokens') }} as output_audio_tokens,
  {{ usage_count('input_image', 'input_image_tokens') }} as input_image_tokens,
  {{ usage_count('total') }} as stated_total_tokens,
  coalesce({{ usage_count('web_search') }}, web_search_requests) as web_search_requests,
  tool_calls,
  coalesce({{ usage_count('rerank_units') }}, rerank_units) as rerank_units,
  coalesce({{ usage_count('image', type='decimal(18, 6)') }}, images) as images,
  coalesce({{ usage_count('second', type='decimal(18, 6)') }}, audio_seconds) as audio_seconds,
  coalesce({{ usage_count('character', type='decimal(18, 6)') }}, characters) as characters,
  {{ other_usage() }} as other_usage,
  case
    when usage is null or usage_api is null then true
    {%- for api, paths in usage_apis().items() if not paths['input_includes_cache'] %}
    when usage_api = '{{ api }}' then false
    {%- endfor %}
    else true
  end as input_includes_cache,
  true as output_includes_reasoning,
  case
    when
      usage is not null and usage_api is not null
      and usage_api not in ('{{ usage_apis() | join("', '") }}')
      then 'unknown_usage_api'
  end as usage_warning,
  {{ usage_service_tier('service_tier') }} as service_tier,
  region,
  {{ usage_inference_geo('inference_geo') }} as inference_geo,
  provider_account,
  provider_project,
  provider_api_key_id,
  cast(attempt_number as integer) as attempt_number,
  retry_of,
  is_fallback,
  response_cache_hit,
  prompt_name,
  prompt_version,
  release,
  environment,
  cost_usd as caller_cost_usd,
  tags
from {{ landed_log('llm_requests') }} as landed
