-- One row per feature and day on which more tokens were embedded than generation read and wrote: an indexing job run amok.
{%- set floor_tokens = 1000000 %}
select
  'embedding_overrun' as alert_rule,
  'warn' as severity,
  usage_date,
  'feature' as scope_kind,
  feature as scope_id,
  cast(embedding_tokens as double) as observed,
  cast(input_tokens + output_tokens - embedding_tokens as double) as threshold,
  'tokens' as unit
from {{ ref('unit_economics_by_feature_day') }}
where
  embedding_tokens >= {{ floor_tokens }}
  and embedding_tokens > input_tokens + output_tokens - embedding_tokens
