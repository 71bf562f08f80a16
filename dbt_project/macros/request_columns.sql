{#- What is known about a call besides its usage and its cost; every step of the request pipeline carries it through. -#}
{%- macro attribution_columns() -%}
  {{ return([
    'request_id', 'response_id', 'trace_id', 'span_id', 'provider', 'model', 'request_model', 'operation_name',
    'feature', 'tenant_id', 'user_hash', 'operation_id', 'conversation_id', 'session_id', 'outcome', 'http_status',
    'error_type', 'latency_ms', 'time_to_first_token_ms', 'service_tier', 'region', 'inference_geo',
    'provider_account', 'provider_project', 'provider_api_key_id', 'attempt_number', 'retry_of', 'is_fallback',
    'response_cache_hit', 'prompt_name', 'prompt_version', 'release', 'environment', 'caller_cost_usd', 'tags',
  ]) }}
{%- endmacro -%}

{#- What holds where no observer said otherwise. Set after the merge: an observer that is silent must not outvote one that knows. -#}
{%- macro attribution_defaults() -%}
  {{ return({
    'provider': "'unknown'",
    'model': "request_model, 'unknown'",
    'request_model': 'model',
    'service_tier': "'standard'",
    'operation_name': "'chat'",
  }) }}
{%- endmacro -%}

{#- Counts of things that are billed apiece. -#}
{%- macro fee_columns() -%}
  {{ return(['web_search_requests', 'tool_calls', 'rerank_units', 'images', 'audio_seconds', 'characters']) }}
{%- endmacro -%}

{#-
Disjoint usage classes: a token is in exactly one. The name of the class is its name in the price book; its column is
`<class>_tokens` in normalised requests.
-#}
{%- macro token_classes() -%}
  {{ return([
    'input', 'cache_read', 'cache_write_5m', 'cache_write_1h', 'cache_write_30m', 'cache_write_12h',
    'input_audio', 'input_image', 'output', 'output_audio',
  ]) }}
{%- endmacro -%}

{#- Every class that has a column in the pivoted price book: the token classes, then what is billed apiece. -#}
{%- macro price_classes() -%}
  {{ return(token_classes() + ['request', 'web_search', 'rerank_search', 'image', 'second', 'character']) }}
{%- endmacro -%}

{#- What a request's cost is made of; on every row they sum to list_cost_usd. -#}
{%- macro cost_components() -%}
  {{ return(['input', 'cache_read', 'cache_write', 'output', 'fee']) }}
{%- endmacro -%}

{#- Classes in which providers bill requests: every token class, and searches. Column of the request that weighs each. -#}
{%- macro billed_classes() -%}
  {%- set weights = {} -%}
  {%- for class in token_classes() -%}
    {%- do weights.update({class: class ~ '_class_tokens'}) -%}
  {%- endfor -%}
  {%- do weights.update({'web_search': 'web_search_requests'}) -%}
  {{ return(weights) }}
{%- endmacro -%}
