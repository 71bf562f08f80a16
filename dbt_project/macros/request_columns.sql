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

{#-
Counts of things that are billed apiece. `other_usage` holds, as JSON, the counts of every class that has no column of its
own; it is NULL on nearly every request.
-#}
{%- macro fee_columns() -%}
  {{ return([
    'web_search_requests', 'tool_calls', 'rerank_units', 'images', 'audio_seconds', 'characters', 'other_usage',
  ]) }}
{%- endmacro -%}

{#-
Disjoint usage classes: a token is in exactly one. The name of the class is its name in the price book; its column is
`<class>_class_tokens` in normalised requests.
-#}
{%- macro token_classes() -%}
  {{ return([
    'input', 'cache_read', 'cache_write_5m', 'cache_write_1h', 'cache_write_30m', 'cache_write_12h',
    'input_audio', 'input_image', 'output', 'output_audio',
  ]) }}
{%- endmacro -%}

{#-
Classes that few models price apart: a part of the tokens of another class, charged at the difference of the two prices.
So reasoning stays in `output`, where every bill has it, and costs what the book says where the book says it.
-#}
{%- macro part_classes() -%}
  {{ return({
    'reasoning': 'output', 'citation': 'output', 'output_image': 'output', 'output_video': 'output',
    'cache_read_audio': 'cache_read', 'cache_read_image': 'cache_read', 'input_video': 'input',
  }) }}
{%- endmacro -%}

{#- Things that cost extra, beside the tokens; and things that are billed instead of tokens. Class: its count. -#}
{%- macro extra_classes() -%}
  {{ return({
    'web_search': 'web_search_requests', 'social_search': none, 'file_search': none, 'code_execution': none,
  }) }}
{%- endmacro -%}

{%- macro apiece_classes() -%}
  {{ return({
    'rerank_search': 'rerank_units', 'image': 'images', 'second': 'audio_seconds', 'character': 'characters',
    'message': none, 'pixel': none, 'page': none, 'annotated_page': none,
  }) }}
{%- endmacro -%}

{#- Every class of the price book (`orchestration/pricebook/vocabulary.py`); each has a column in the pivoted book. -#}
{%- macro price_classes() -%}
  {{ return(
    token_classes() + (part_classes() | list) + ['request'] + (extra_classes() | list) + (apiece_classes() | list)
  ) }}
{%- endmacro -%}

{#- Where a class has no price of its own, the next of its chain is charged. A part without one costs what its class does. -#}
{%- macro fallback_classes() -%}
  {{ return({
    'cache_read': ['input'],
    'cache_write_5m': ['input'],
    'cache_write_30m': ['cache_write_5m', 'input'],
    'cache_write_1h': ['cache_write_5m', 'input'],
    'cache_write_12h': ['cache_write_30m', 'cache_write_5m', 'input'],
    'reasoning': ['output'],
    'citation': ['output'],
    'input_audio': ['input'],
    'cache_read_audio': ['cache_read', 'input_audio', 'input'],
    'output_audio': ['output'],
    'input_image': ['input'],
    'cache_read_image': ['cache_read', 'input_image', 'input'],
    'output_image': ['output'],
    'input_video': ['input'],
    'output_video': ['output'],
  }) }}
{%- endmacro -%}

{#-
A tier that has prices, by the token; NULL otherwise. A model that lists none for it charges its standard price in it. A
tier that nobody knows is unpriced, and so is `scale`: it is bought as capacity, and its tokens have no price.
-#}
{%- macro priced_tier(column) -%}
  case when {{ column }} in ('standard', 'batch', 'flex', 'priority', 'fast', 'ultrafast', 'balanced') then {{ column }} end
{%- endmacro -%}

{#- What a request's cost is made of; on every row they sum to list_cost_usd. -#}
{%- macro cost_components() -%}
  {{ return(['input', 'cache_read', 'cache_write', 'output', 'fee']) }}
{%- endmacro -%}

{#-
Classes in which providers bill requests, and what a request weighs in each: every token class, searches, and what a line
pays for that names no class (`model_total`) or not even a model (`account_total`). A total is shared by the estimate,
in 10^-9 dollars: it is the one measure in which tokens of different price add up.
-#}
{%- macro billed_classes() -%}
  {%- set weights = {} -%}
  {%- for class in token_classes() -%}
    {%- do weights.update({class: class ~ '_class_tokens'}) -%}
  {%- endfor -%}
  {%- do weights.update({'web_search': 'web_search_requests'}) -%}
  {%- for class in total_classes() -%}
    {%- do weights.update({class: estimate_in_nano_usd('contracted_cost_usd')}) -%}
  {%- endfor -%}
  {{ return(weights) }}
{%- endmacro -%}

{%- macro total_classes() -%}
  {{ return(['model_total', 'account_total']) }}
{%- endmacro -%}

{#- Classes that no bill prices by model and tier: they are matched without. -#}
{%- macro modelless_classes() -%}
  {{ return(['web_search', 'account_total']) }}
{%- endmacro -%}

{#- Answers from our own cache and refused calls: no provider billed them, they weigh nothing. -#}
{%- macro is_billable() -%}
  price_status not in ('response_cache_hit', 'refused_by_provider')
{%- endmacro -%}

{#- What a request says of where it will be billed, '' where it does not say. Column of the request, name of the key. -#}
{%- macro billing_keys() -%}
  {{ return([
    'provider_account', 'provider_api_key_id', 'provider_project', 'priced_model', 'service_tier',
  ]) }}
{%- endmacro -%}
