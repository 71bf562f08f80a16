-- One row per call, however many saw it. Most calls were seen once and pass straight through; only the others are
-- merged: attribution field by field from the best observer that knows it, usage as one set from the best observer
-- that has any, so that counts of different meaning never mix in one row. Of sets with the same totals, the one that
-- knows what came from the cache is the better: openai-v2 2.4b0 leaves that off its spans, and a gateway does not.
{{ config(tags=['reference']) }}
{%- set first_known = attribution_columns() %}
{%- set usage_set = [
  'observer', 'input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_tokens', 'cache_write_5m_tokens',
  'cache_write_1h_tokens', 'cache_write_30m_tokens', 'cache_write_12h_tokens', 'reasoning_tokens',
  'input_audio_tokens', 'output_audio_tokens', 'input_image_tokens', 'stated_total_tokens', 'web_search_requests',
  'tool_calls', 'rerank_units', 'images', 'audio_seconds', 'characters', 'other_usage', 'input_includes_cache',
  'output_includes_reasoning', 'usage_warning',
] %}
{#- Two rows that are still alike after these are alike in everything. -#}
{%- set ties = first_known + usage_set + ['source_name'] %}
with seen_more_than_once as (
  -- 64-bit hashes find the candidates cheaply; the merge below groups by the key itself.
  select
    usage_date,
    {{ hash64('request_key') }} as key_hash
  from {{ ref('int_llm_requests__unioned') }}
  group by usage_date, {{ hash64('request_key') }}
  having count(*) > 1
),

seen_once as (
  select observations.*
  from {{ ref('int_llm_requests__unioned') }} as observations
  left join seen_more_than_once
    on
      observations.usage_date = seen_more_than_once.usage_date
      and {{ hash64('observations.request_key') }} = seen_more_than_once.key_hash
  where seen_more_than_once.key_hash is null
),

totals as (
  select
    observations.usage_date as totals_date,
    observations.request_key as totals_key,
    observations.input_tokens as total_input_tokens,
    observations.output_tokens as total_output_tokens,
    min(observations.observer_rank) as totals_rank
  from {{ ref('int_llm_requests__unioned') }} as observations
  inner join seen_more_than_once
    on
      observations.usage_date = seen_more_than_once.usage_date
      and {{ hash64('observations.request_key') }} = seen_more_than_once.key_hash
  where observations.input_tokens is not null and observations.output_tokens is not null
  group by 1, 2, 3, 4
),

ranked as (
  select
    observations.*,
    row_number() over (
      partition by observations.usage_date, observations.request_key
      order by
        observations.observer_rank,
        observations.started_at,
        observations.pull_id desc,
        {{ ties | join(', ') }}
    ) as attribution_rank,
    -- Counts that a stream reports piece by piece are cumulative: the largest is the last.
    row_number() over (
      partition by observations.usage_date, observations.request_key
      order by
        case when observations.input_tokens is null and observations.output_tokens is null then 1 else 0 end,
        coalesce(totals.totals_rank, observations.observer_rank),
        case when totals.totals_rank is null or observations.cache_read_tokens is null then 1 else 0 end,
        observations.observer_rank,
        observations.output_tokens desc,
        observations.input_tokens desc,
        observations.pull_id desc,
        {{ ties | join(', ') }}
    ) as usage_rank
  from {{ ref('int_llm_requests__unioned') }} as observations
  inner join seen_more_than_once
    on
      observations.usage_date = seen_more_than_once.usage_date
      and {{ hash64('observations.request_key') }} = seen_more_than_once.key_hash
  left join totals
    on
      observations.usage_date = totals.totals_date
      and observations.request_key = totals.totals_key
      and observations.input_tokens = totals.total_input_tokens
      and observations.output_tokens = totals.total_output_tokens
),

merged as (
  select
    usage_date,
    request_key,
    min(started_at) as started_at,
    -- Whose counts are taken, so that what is odd about them is laid to the right source.
    max(case when usage_rank = 1 then source_name end) as source_name,
    min(pull_id) as pull_id,
    count(*) as observations_count,
    max(case when observer = 'app_log' then 1 else 0 end) as is_seen_by_app_log,
    max(case when observer = 'otel_span' then 1 else 0 end) as is_seen_by_otel_span,
    max(case when observer = 'gateway' then 1 else 0 end) as is_seen_by_gateway,
    {%- for column in first_known %}
    {{ first_known_value(column, 'attribution_rank') }} as {{ column }},
    {%- endfor %}
    {%- for column in usage_set %}
    max(case when usage_rank = 1 then {{ column }} end) as {{ column }}{% if not loop.last %},{% endif %}
    {%- endfor %}
  from ranked
  group by usage_date, request_key
)

select
  usage_date,
  request_key,
  started_at,
  source_name,
  pull_id,
  1 as observations_count,
  observer as observed_by,
  {%- for column in first_known %}
  {{ column }},
  {%- endfor %}
  {%- for column in usage_set %}
  {{ column }}{% if not loop.last %},{% endif %}
  {%- endfor %}
from seen_once
union all
select
  usage_date,
  request_key,
  started_at,
  source_name,
  pull_id,
  observations_count,
  concat_ws(
    ',',
    case when is_seen_by_app_log = 1 then 'app_log' end,
    case when is_seen_by_gateway = 1 then 'gateway' end,
    case when is_seen_by_otel_span = 1 then 'otel_span' end
  ) as observed_by,
  {%- for column in first_known %}
  {{ column }},
  {%- endfor %}
  {%- for column in usage_set %}
  {{ column }}{% if not loop.last %},{% endif %}
  {%- endfor %}
from merged
