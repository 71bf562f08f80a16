-- Every observation of every attempt, whoever saw it, in one shape. `request_key` names the call: the provider's
-- response id, else the span, else the observer's own id of the attempt.
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
)

select
  *,
  case
    when response_id is not null then 'response:' || response_id
    when trace_id is not null and span_id is not null then 'span:' || trace_id || ':' || span_id
    else 'request:' || source_name || ':' || request_id || ':' || coalesce(cast(attempt_number as varchar), '')
  end as request_key
from observations
