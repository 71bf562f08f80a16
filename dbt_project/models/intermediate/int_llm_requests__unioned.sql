-- Every observation of every attempt, whoever saw it, in one shape. `request_key` names the call: the provider's
-- response id, else the inference span, else the observer's own id of the attempt. Another span that an application
-- names is only where the call was made: several calls share it.
{{ config(tags=['reference']) }}
{%- set observers = [
  ('stg_llm_request_log__requests', 1),
  ('stg_otel_genai__spans', 2),
  ('stg_litellm__requests', 3),
] %}
with observations as (
  {%- for model_name, observer_rank in observers %}
  select
    {{ observer_rank }} as observer_rank,
    *
  from {{ ref(model_name) }}
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

-- An application often knows the span of a call and not what the provider called its answer; the span itself knows both.
spans as (
  select
    usage_date,
    trace_id,
    span_id,
    max(response_id) as response_id
  from {{ ref('stg_otel_genai__spans') }}
  where trace_id is not null and span_id is not null
  group by usage_date, trace_id, span_id
)

select
  observations.*,
  case
    -- Our own cache answers with the id of the answer that it keeps: another call than the one that was paid.
    when observations.response_id is not null and not coalesce(observations.response_cache_hit, false)
      then 'response:' || observations.response_id
    when spans.response_id is not null then 'response:' || spans.response_id
    when spans.span_id is not null then 'span:' || spans.trace_id || ':' || spans.span_id
    else
      'request:' || observations.source_name || ':' || observations.request_id || ':'
      || coalesce(cast(observations.attempt_number as varchar), '')
  end as request_key
from observations
left join spans
  on
    observations.usage_date = spans.usage_date
    and observations.trace_id = spans.trace_id
    -- One side of an equality, not a condition of its own: DuckDB compares every pair of rows for the latter (67 s for
    -- 250,000 requests, 10 s this way).
    and case when observations.response_id is null then observations.span_id end = spans.span_id
