-- Whose call it was, what it was part of, and on which day it counts. The only place where a request is written.
-- A missing tenant or feature becomes the visible name `unattributed`. Two observers may put one call on either side
-- of midnight; it then counts on the day on which it was first seen.
{{ config(
  materialized='incremental',
  incremental_strategy='window',
  event_time='usage_date',
  tags=['daily'],
  meta={'is_unsorted': true}
) }}
{%- set overlap = var('midnight_overlap_minutes') %}
with seen_just_before as (
  select distinct
    request_key,
    cast(usage_date + interval '1 day' as date) as next_date,
    cast(usage_date as timestamp with time zone) + interval '{{ 1440 + overlap }} minutes' as overlap_ends_at
  from {{ ref('int_llm_requests__unioned') }}
  where
    {{ on_built_days('usage_date', -1) }}
    and started_at >= cast(usage_date as timestamp with time zone) + interval '{{ 1440 - overlap }} minutes'
)

select
  requests.usage_date,
  requests.request_key,
  requests.started_at,
  requests.source_name,
  requests.pull_id,
  cast(requests.observations_count as integer) as observations_count,
  requests.observed_by,
  requests.usage_observer,
  case
    when requests.operation_id is not null then 'operation:' || requests.operation_id
    when requests.trace_id is not null then 'trace:' || requests.trace_id
    else requests.request_key
  end as operation_key,
  coalesce(requests.tenant_id, 'unattributed') as tenant_id,
  coalesce(requests.feature, 'unattributed') as feature,
  {%- for column in attribution_columns() if column not in ['tenant_id', 'feature'] %}
  requests.{{ column }},
  {%- endfor %}
  coalesce(requests.attempt_number, 1) > 1 or requests.retry_of is not null as is_retry,
  requests.is_response_cache_hit,
  requests.input_tokens,
  requests.output_tokens,
  requests.reasoning_tokens,
  {%- for class in token_classes() %}
  requests.{{ class }}_class_tokens,
  {%- endfor %}
  {%- for column in fee_columns() %}
  requests.{{ column }},
  {%- endfor %}
  requests.input_includes_cache,
  requests.usage_warning,
  requests.unexplained_tokens,
  requests.priced_model,
  requests.price_id,
  requests.price_source,
  requests.is_tier_inherited,
  requests.price_status,
  {%- for component in cost_components() %}
  requests.{{ component }}_cost_usd,
  {%- endfor %}
  requests.list_cost_usd,
  requests.contracted_cost_usd,
  requests.avoided_cost_usd
from {{ ref('int_llm_requests__priced') }} as requests
left join seen_just_before
  on
    requests.request_key = seen_just_before.request_key
    and requests.usage_date = seen_just_before.next_date
    and requests.started_at < seen_just_before.overlap_ends_at
where {{ on_built_days('requests.usage_date') }} and seen_just_before.request_key is null
