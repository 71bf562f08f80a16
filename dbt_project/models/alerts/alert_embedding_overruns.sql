-- One row per feature and day on which more tokens were embedded than generation read and wrote: an indexing job run amok.
with measured as (
  select
    usage_date,
    'feature' as scope_kind,
    feature as scope_id,
    '' as plan_id,
    embedding_tokens as observed,
    input_tokens + output_tokens - embedding_tokens as baseline,
    embedding_tokens as floor_value,
    null as history_days_count,
    null as detail
  from {{ ref('unit_economics_by_feature_day') }}
)

{{ breaches('measured', 'embedding_overrun') }}
