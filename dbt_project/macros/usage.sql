{#-
How each provider's own usage object is read. One row per API: where a count stands, and what the total includes.
Sources: the providers' API references as of 2026-11 (OpenAI chat, responses, realtime, images and transcriptions, Anthropic
messages, Gemini generateContent, Bedrock Converse, Cohere, Mistral OCR). `usage_classes` is ours: an object of the price
book's own disjoint classes, for what no other shape can say. A path that is absent yields NULL: unknown, not zero.

A count is a path, a list of paths that are added, or one modality of a list. `others` are the classes without a column
of their own; they are read only where the text holds `others_mark`, because reading JSON costs more than pricing.
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
    'openai.realtime': {
      'input_includes_cache': true,
      'input': '$.input_tokens', 'output': '$.output_tokens',
      'cache_read': '$.input_token_details.cached_tokens',
      'input_audio': '$.input_token_details.audio_tokens',
      'input_image': '$.input_token_details.image_tokens',
      'output_audio': '$.output_token_details.audio_tokens',
      'total': '$.total_tokens',
      'others': {
        'cache_read_audio': '$.input_token_details.cached_tokens_details.audio_tokens',
        'cache_read_image': '$.input_token_details.cached_tokens_details.image_tokens',
      },
      'others_mark': 'cached_tokens_details',
    },
    'openai.images': {
      'input_includes_cache': true,
      'input': '$.input_tokens', 'output': '$.output_tokens',
      'input_image': '$.input_tokens_details.image_tokens',
      'total': '$.total_tokens',
      'others': {'output_image': '$.output_tokens'},
      'others_mark': 'output_tokens',
    },
    'openai.transcriptions': {
      'input_includes_cache': true,
      'input': '$.input_tokens', 'output': '$.output_tokens',
      'input_audio': '$.input_token_details.audio_tokens',
      'total': '$.total_tokens',
      'second': '$.seconds',
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
      'input': ['$.promptTokenCount', '$.toolUsePromptTokenCount'],
      'output': ['$.candidatesTokenCount', '$.thoughtsTokenCount'],
      'cache_read': '$.cachedContentTokenCount',
      'reasoning': '$.thoughtsTokenCount',
      'total': '$.totalTokenCount',
      'input_audio': {'list': '$.promptTokensDetails', 'modality': 'AUDIO'},
      'input_image': {'list': '$.promptTokensDetails', 'modality': 'IMAGE'},
      'output_audio': {'list': '$.candidatesTokensDetails', 'modality': 'AUDIO'},
      'others': {
        'input_video': {'list': '$.promptTokensDetails', 'modality': 'VIDEO'},
        'cache_read_audio': {'list': '$.cacheTokensDetails', 'modality': 'AUDIO'},
        'cache_read_image': {'list': '$.cacheTokensDetails', 'modality': 'IMAGE'},
        'output_image': {'list': '$.candidatesTokensDetails', 'modality': 'IMAGE'},
        'output_video': {'list': '$.candidatesTokensDetails', 'modality': 'VIDEO'},
      },
      'others_mark': 'TokensDetails',
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
    'mistral.ocr': {
      'input_includes_cache': true,
      'others': {'page': '$.pages_processed'},
      'others_mark': 'pages_processed',
    },
    'usage_classes': {
      'input_includes_cache': true,
      'input': [
        '$.input', '$.cache_read', '$.cache_write_5m', '$.cache_write_30m', '$.cache_write_1h', '$.cache_write_12h',
        '$.input_audio', '$.cache_read_audio', '$.input_image', '$.cache_read_image', '$.input_video',
      ],
      'output': [
        '$.output', '$.reasoning', '$.citation', '$.output_audio', '$.output_image', '$.output_video',
      ],
      'cache_read': ['$.cache_read', '$.cache_read_audio', '$.cache_read_image'],
      'cache_write_5m': '$.cache_write_5m', 'cache_write_30m': '$.cache_write_30m',
      'cache_write_1h': '$.cache_write_1h', 'cache_write_12h': '$.cache_write_12h',
      'reasoning': '$.reasoning',
      'input_audio': ['$.input_audio', '$.cache_read_audio'], 'output_audio': '$.output_audio',
      'input_image': ['$.input_image', '$.cache_read_image'],
      'web_search': '$.web_search', 'rerank_units': '$.rerank_search', 'image': '$.image', 'second': '$.second',
      'character': '$.character',
      'others': 'usage',
    },
  }) }}
{%- endmacro -%}

{#- The count `field` of the usage object, by API; falls back to the flat column when the line has no usage object. -#}
{%- macro usage_count(field, flat_column=none, type='bigint') -%}
  case
    when usage is null or usage_api is null then {{ flat_column or 'cast(null as ' ~ type ~ ')' }}
    {%- for api, paths in usage_apis().items() if field in paths %}
    when usage_api = '{{ api }}' then {{ path_count(paths[field], paths.get('others_mark'), type) }}
    {%- endfor %}
    {%- if flat_column %}
    when usage_api not in ({% for api in usage_apis() %}'{{ api }}'{% if not loop.last %}, {% endif %}{% endfor %}) then {{ flat_column }}
    {%- endif %}
  end
{%- endmacro -%}

{#- A part that is absent is none of it, as long as another is there: an answer may hold nothing but thoughts. -#}
{%- macro path_count(path, mark=none, type='bigint') -%}
  {%- if path is string -%}
    try_cast({{ json_text('usage', path) }} as {{ type }})
  {%- elif path is mapping -%}
    case when usage like '%{{ mark }}%' then {{ json_modality_count('usage', path['list'], path['modality']) }} end
  {%- else -%}
    {{ json_bigint_sum('usage', path) }}
  {%- endif -%}
{%- endmacro -%}

{#- The classes that have no column of their own, as JSON: class to count. NULL on nearly every line. -#}
{%- macro other_usage() -%}
  case
    when usage is null or usage_api is null then cast(null as varchar)
    {%- for api, paths in usage_apis().items() if 'others' in paths %}
    when usage_api = '{{ api }}'
      then
        {%- if paths['others'] is string %} {{ paths['others'] }}
        {%- else %}
        {%- set counts = {} %}
        {%- for class, path in paths['others'].items() %}
        {%- do counts.update({class: path_count(path, paths['others_mark'])}) %}
        {%- endfor %}
        case when usage like '%{{ paths['others_mark'] }}%' then {{ json_object_text(counts) }} end
        {%- endif %}
    {%- endfor %}
  end
{%- endmacro -%}

{#-
The tier that was served, where the usage object says it: Anthropic states it there, and its speed, which is an axis of its
own; the book prices the speed. Most lines hold neither word, and their JSON is not read.
-#}
{%- macro usage_service_tier(flat_column) -%}
  case
    when usage_api = 'anthropic.messages' and usage like '%"fast"%' and {{ json_text('usage', '$.speed') }} = 'fast' then 'fast'
    else
      coalesce(
        {{ served_tier_name(flat_column) }},
        case
          when usage_api = 'anthropic.messages' and usage like '%"service_tier"%'
            then {{ served_tier_name(json_text('usage', '$.service_tier')) }}
        end
      )
  end
{%- endmacro -%}

{#- The place that served the call, where the usage object says it; `not_available` is what Anthropic says of old models. -#}
{%- macro usage_inference_geo(flat_column) -%}
  coalesce(
    {{ flat_column }},
    case
      when usage_api = 'anthropic.messages' and usage like '%"inference_geo"%'
        then nullif({{ json_text('usage', '$.inference_geo') }}, 'not_available')
    end
  )
{%- endmacro -%}

{#- The input of one modality that was not read from a cache. -#}
{%- macro uncached_modality_tokens(kind) -%}
  greatest(
      coalesce(input_{{ kind }}_tokens, 0)
      - case when other_usage is null then 0 else coalesce({{ other_count('cache_read_' ~ kind) }}, 0) end, 0
    )
{%- endmacro -%}

{#- Every code that usage_warning may have. They are stable: dashboards and alerts name them. -#}
{%- macro usage_warnings() -%}
  {{ return([
    'impossible_count',
    'cache_inclusion_unknown',
    'cache_exceeds_input',
    'reasoning_exceeds_output',
    'modalities_exceed_input',
    'total_differs_from_classes',
    'total_exceeds_parts',
    'usage_from_ancestor',
    'usage_missing',
    'unknown_usage_api',
  ]) }}
{%- endmacro -%}
