{#-
How each provider's own usage object is read. One row per API: where a count stands, and what the total includes.
Sources: the providers' API references as of 2026-11 (OpenAI chat and responses, Anthropic messages, Gemini
generateContent, Bedrock Converse, Cohere). A path that is absent yields NULL: unknown, not zero.
-#}

{%- macro usage_apis() -%}
  {{ return({
    'openai.chat': {
      'input_includes_cache': true,
      'input': '$.prompt_tokens', 'output': '$.completion_tokens',
      'cache_read': '$.prompt_tokens_details.cached_tokens',
      'cache_write': '$.prompt_tokens_details.cache_write_tokens',
      'reasoning': '$.completion_tokens_details.reasoning_tokens',
      'input_audio': '$.prompt_tokens_details.audio_tokens',
      'output_audio': '$.completion_tokens_details.audio_tokens',
      'input_image': '$.prompt_tokens_details.image_tokens',
      'total': '$.total_tokens',
    },
    'openai.responses': {
      'input_includes_cache': true,
      'input': '$.input_tokens', 'output': '$.output_tokens',
      'cache_read': '$.input_tokens_details.cached_tokens',
      'cache_write': '$.input_tokens_details.cache_write_tokens',
      'cache_write_30m': '$.input_tokens_details.cache_write_tokens_details.ttl_30m_tokens',
      'cache_write_12h': '$.input_tokens_details.cache_write_tokens_details.ttl_12h_tokens',
      'reasoning': '$.output_tokens_details.reasoning_tokens',
      'total': '$.total_tokens',
    },
    'openai.embeddings': {
      'input_includes_cache': true,
      'input': '$.prompt_tokens',
      'total': '$.total_tokens',
    },
    'anthropic.messages': {
      'input_includes_cache': false,
      'input': '$.input_tokens', 'output': '$.output_tokens',
      'cache_read': '$.cache_read_input_tokens',
      'cache_write': '$.cache_creation_input_tokens',
      'cache_write_5m': '$.cache_creation.ephemeral_5m_input_tokens',
      'cache_write_1h': '$.cache_creation.ephemeral_1h_input_tokens',
      'web_search': '$.server_tool_use.web_search_requests',
    },
    'gemini.generate_content': {
      'input_includes_cache': true,
      'input': '$.promptTokenCount', 'output': '$.candidatesTokenCount',
      'input_extra': '$.toolUsePromptTokenCount', 'output_extra': '$.thoughtsTokenCount',
      'cache_read': '$.cachedContentTokenCount',
      'reasoning': '$.thoughtsTokenCount',
      'total': '$.totalTokenCount',
    },
    'bedrock.converse': {
      'input_includes_cache': false,
      'input': '$.inputTokens', 'output': '$.outputTokens',
      'cache_read': '$.cacheReadInputTokens',
      'cache_write': '$.cacheWriteInputTokens',
      'total': '$.totalTokens',
    },
    'cohere': {
      'input_includes_cache': true,
      'input': '$.billed_units.input_tokens', 'output': '$.billed_units.output_tokens',
      'rerank_units': '$.billed_units.search_units',
    },
  }) }}
{%- endmacro -%}

{#- The count `field` of the usage object, by API; falls back to the flat column when the line has no usage object. -#}
{%- macro usage_count(field, flat_column=none) -%}
  case
    when usage is null or usage_api is null then {{ flat_column or 'cast(null as bigint)' }}
    {%- for api, paths in usage_apis().items() if field in paths %}
    when usage_api = '{{ api }}'{% if (field ~ '_extra') in paths %} and {{ json_text('usage', paths[field]) }} is not null{% endif %} then {{ json_bigint('usage', paths[field]) }}
    {%- if (field ~ '_extra') in paths %}
      {#- A part that is absent is none of it, as long as the other is there: an answer may hold nothing but thoughts. #}
      + coalesce({{ json_bigint('usage', paths[field ~ '_extra']) }}, 0)
    when usage_api = '{{ api }}' then {{ json_bigint('usage', paths[field ~ '_extra']) }}
    {%- endif %}
    {%- endfor %}
    {%- if flat_column %}
    when usage_api not in ({% for api in usage_apis() %}'{{ api }}'{% if not loop.last %}, {% endif %}{% endfor %}) then {{ flat_column }}
    {%- endif %}
  end
{%- endmacro -%}
