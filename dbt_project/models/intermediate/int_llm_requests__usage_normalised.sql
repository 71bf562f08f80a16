-- Disjoint usage classes whose sum is the total, whatever the source meant by its fields. A subset that is missing
-- beside a known total counts as 0; a missing total stays unknown. Contradictions get a stable warning code and are
-- priced at the dearer reading.
{{ config(tags=['reference']) }}
{%- set counts = [
  'input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_tokens', 'cache_write_5m_tokens',
  'cache_write_1h_tokens', 'cache_write_30m_tokens', 'cache_write_12h_tokens', 'reasoning_tokens',
  'input_audio_tokens', 'output_audio_tokens', 'input_image_tokens', 'stated_total_tokens',
] %}
-- A call cannot take this many tokens: a count beyond it, or below zero, is unknown. One such row must not overflow a
-- day, and a million rows at the limit still sum within 64 bits.
{%- set limit_tokens = 1000000000000 %}
with plausible as (
  select
    usage_date,
    request_key,
    started_at,
    source_name,
    pull_id,
    observations_count,
    observed_by,
    observer,
    {%- for column in attribution_columns() + fee_columns() %}
    {%- if column in attribution_defaults() %}
    coalesce({{ column }}, {{ attribution_defaults()[column] }}) as {{ column }},
    {%- else %}
    {{ column }},
    {%- endif %}
    {%- endfor %}
    {%- for column in counts %}
    case when {{ column }} between 0 and {{ limit_tokens }} then {{ column }} end as {{ column }},
    {%- endfor %}
    input_includes_cache,
    output_includes_reasoning,
    usage_warning,
    {%- for column in counts %}
    coalesce({{ column }} not between 0 and {{ limit_tokens }}, false){% if not loop.last %} or{% endif %}
    {%- endfor %} as has_impossible_count
  from {{ ref('int_llm_requests__deduplicated') }}
),

without_output as (
  -- Embeddings and moderations have no output: 0, not unknown.
  select
    *,
    input_tokens as counted_input_tokens,
    case
      when operation_name in ('embeddings', 'moderation') and input_tokens is not null then coalesce(output_tokens, 0)
      when not coalesce(output_includes_reasoning, true) then output_tokens + coalesce(reasoning_tokens, 0)
      else output_tokens
    end as counted_output_tokens,
    -- A cached second of speech is a cached token first: what its source counts as audio holds it too.
    {{ uncached_modality_tokens('audio') }} as uncached_audio_tokens,
    {{ uncached_modality_tokens('image') }} as uncached_image_tokens
  from plausible
),

stated as (
  select
    *,
    coalesce(cache_read_tokens, 0) as stated_cache_read_tokens,
    coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)
    + coalesce(cache_write_30m_tokens, 0) + coalesce(cache_write_12h_tokens, 0) as split_cache_write_tokens,
    uncached_audio_tokens as stated_input_audio_tokens,
    uncached_image_tokens as stated_input_image_tokens,
    coalesce(output_audio_tokens, 0) as stated_output_audio_tokens
  from without_output
),

writes as (
  select
    *,
    -- The sum and its breakdown by retention name the same tokens: the larger is the whole, never both.
    greatest(coalesce(cache_write_tokens, 0), split_cache_write_tokens) as stated_cache_write_tokens
  from stated
),

semantics as (
  select
    *,
    -- More cache than input can only mean that the input excludes it, whatever the source's convention says.
    coalesce(input_includes_cache, true)
    and stated_cache_read_tokens + stated_cache_write_tokens <= coalesce(counted_input_tokens, 0) as is_input_inclusive
  from writes
),

classes as (
  select
    *,
    case
      when is_input_inclusive then counted_input_tokens
      else counted_input_tokens + stated_cache_read_tokens + stated_cache_write_tokens
    end as total_input_tokens,
    case
      when is_input_inclusive then counted_input_tokens - stated_cache_read_tokens - stated_cache_write_tokens
      else counted_input_tokens
    end as uncached_input_tokens,
    stated_cache_write_tokens - split_cache_write_tokens as unsplit_cache_write_tokens
  from semantics
)

select
  usage_date,
  request_key,
  started_at,
  source_name,
  pull_id,
  observations_count,
  observed_by,
  observer as usage_observer,
  {%- for column in attribution_columns() %}
  {{ column }},
  {%- endfor %}
  total_input_tokens as input_tokens,
  counted_output_tokens as output_tokens,
  reasoning_tokens,
  case
    when uncached_input_tokens is null then null
    else greatest(uncached_input_tokens - stated_input_audio_tokens - stated_input_image_tokens, 0)
  end as input_class_tokens,
  case when counted_input_tokens is not null then stated_cache_read_tokens end as cache_read_class_tokens,
  -- A write whose retention is not stated: thirty minutes at OpenAI, five elsewhere, the providers' own defaults.
  case
    when counted_input_tokens is not null
      then
        coalesce(cache_write_5m_tokens, 0)
        + case when provider in ('openai', 'azure.ai.openai') then 0 else unsplit_cache_write_tokens end
  end as cache_write_5m_class_tokens,
  case when counted_input_tokens is not null then coalesce(cache_write_1h_tokens, 0) end as cache_write_1h_class_tokens,
  case
    when counted_input_tokens is not null
      then
        coalesce(cache_write_30m_tokens, 0)
        + case when provider in ('openai', 'azure.ai.openai') then unsplit_cache_write_tokens else 0 end
  end as cache_write_30m_class_tokens,
  case when counted_input_tokens is not null then coalesce(cache_write_12h_tokens, 0) end as cache_write_12h_class_tokens,
  case
    when counted_input_tokens is not null then least(stated_input_audio_tokens, uncached_input_tokens)
  end as input_audio_class_tokens,
  case
    when counted_input_tokens is not null
      then least(stated_input_image_tokens, greatest(uncached_input_tokens - stated_input_audio_tokens, 0))
  end as input_image_class_tokens,
  case
    when counted_output_tokens is null then null
    else greatest(counted_output_tokens - stated_output_audio_tokens, 0)
  end as output_class_tokens,
  case
    when counted_output_tokens is not null then least(stated_output_audio_tokens, counted_output_tokens)
  end as output_audio_class_tokens,
  {%- for column in fee_columns() %}
  {{ column }},
  {%- endfor %}
  coalesce(input_includes_cache, true) as input_includes_cache,
  output_includes_reasoning,
  -- What a stated total has above both ways of adding up its parts. It is reported and never priced.
  greatest(
    stated_total_tokens - coalesce(total_input_tokens, 0) - coalesce(counted_output_tokens, 0), 0
  ) as unexplained_tokens,
  case
    when usage_warning is not null then usage_warning
    when has_impossible_count then 'impossible_count'
    when input_includes_cache is null then 'cache_inclusion_unknown'
    when input_includes_cache and not is_input_inclusive and counted_input_tokens is not null then 'cache_exceeds_input'
    when reasoning_tokens > counted_output_tokens then 'reasoning_exceeds_output'
    when stated_input_audio_tokens + stated_input_image_tokens > uncached_input_tokens then 'modalities_exceed_input'
    when
      -- Some APIs state a total of what they bill as tokens, others one that holds the cached input too.
      stated_total_tokens <> coalesce(counted_input_tokens, 0) + coalesce(counted_output_tokens, 0)
      and stated_total_tokens <> coalesce(total_input_tokens, 0) + coalesce(counted_output_tokens, 0)
      then 'total_differs_from_classes'
    when
      outcome = 'success'
      and (counted_input_tokens is null or counted_output_tokens is null)
      and coalesce(rerank_units, images, audio_seconds, characters) is null and other_usage is null
      then 'usage_missing'
  end as usage_warning
from classes
