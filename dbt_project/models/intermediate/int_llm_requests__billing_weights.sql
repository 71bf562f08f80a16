-- What each billable request weighs in each class, and the keys on which a bill can be matched to it. Answers from our
-- own cache and refused calls weigh nothing: no provider billed them.
{{ config(event_time='usage_date', tags=['daily']) }}
{%- for class, column in billed_classes().items() %}
select
  usage_date,
  request_key,
  provider,
  coalesce(provider_project, '') as provider_project,
  {% if class == 'web_search' %}''{% else %}priced_model{% endif %} as priced_model,
  {% if class == 'web_search' %}''{% else %}service_tier{% endif %} as service_tier,
  '{{ class }}' as usage_class,
  cast({{ column }} as bigint) as weight
from {{ ref('int_llm_requests__attributed') }}
where {{ column }} > 0 and price_status not in ('response_cache_hit', 'refused_by_provider')
{% if not loop.last %}union all{% endif %}
{%- endfor %}
