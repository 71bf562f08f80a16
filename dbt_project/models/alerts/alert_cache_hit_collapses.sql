-- One row per feature and day on which far less of the input came from the prompt cache than in the days before.
with days as (
  select
    usage_date,
    feature,
    -- No provider caches what is embedded: a job that embeds much would look like a collapse.
    input_tokens - embedding_tokens as input_tokens,
    cache_read_tokens
  from {{ ref('unit_economics_by_feature_day') }}
),

compared as (
  {{ with_earlier_days('days', 'feature', ['input_tokens', 'cache_read_tokens'], 'cache_hit_collapse') }}
),

measured as (
  select
    usage_date,
    'feature' as scope_kind,
    feature as scope_id,
    '' as plan_id,
    {{ ratio('cache_read_tokens', 'input_tokens') }} as observed,
    {{ ratio('earlier_cache_read_tokens', 'earlier_input_tokens') }} as baseline,
    input_tokens * {{ ratio('earlier_cache_read_tokens', 'earlier_input_tokens') }} as floor_value,
    earlier_days_count as history_days_count,
    cast(null as varchar) as detail
  from compared
)

{{ breaches('measured', 'cache_hit_collapse') }}
