-- One row per operation, the thing a user asked for, with all cost of its attempts, embeddings, reranks and retries.
-- Its day is that of its first attempt: attempts in the first hours of a day belong to the day before when the same
-- operation was running in the last hours of it. An operation that pauses longer across midnight is two rows, so
-- every attempt is in exactly one operation and one more day never touches an older one.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
{%- set overlap = var('operation_overlap_hours') %}
with running_before_midnight as (
  select distinct
    usage_date,
    cast(usage_date + interval '1 day' as date) as next_date,
    operation_key
  from {{ ref('fct_llm_requests') }}
  where
    {{ between_built_days('usage_date', -1, 0) }}
    and started_at >= cast(usage_date as timestamp with time zone) + interval '{{ 24 - overlap }} hours'
),

begun_today as (
  select requests.*
  from {{ ref('fct_llm_requests') }} as requests
  left join running_before_midnight
    on
      requests.operation_key = running_before_midnight.operation_key
      and requests.usage_date = running_before_midnight.next_date
  where
    {{ on_built_days('requests.usage_date') }}
    and not (
      running_before_midnight.operation_key is not null
      and requests.started_at < cast(requests.usage_date as timestamp with time zone) + interval '{{ overlap }} hours'
    )
),

carried_over as (
  select
    requests.*,
    running_before_midnight.usage_date as operation_date
  from {{ ref('fct_llm_requests') }} as requests
  inner join running_before_midnight
    on
      requests.operation_key = running_before_midnight.operation_key
      and requests.usage_date = running_before_midnight.next_date
  where
    {{ on_built_days('requests.usage_date', 1) }}
    and requests.started_at < cast(requests.usage_date as timestamp with time zone) + interval '{{ overlap }} hours'
),

attempts as (
  {%- for relation, day in [('begun_today', 'usage_date'), ('carried_over', 'operation_date')] %}
  select
    {{ day }} as usage_date,
    operation_key,
    operation_id,
    trace_id,
    conversation_id,
    started_at,
    {{ moment_order('started_at', 'request_key') }} as attempt_order,
    nullif(tenant_id, 'unattributed') as tenant_id,
    nullif(feature, 'unattributed') as feature,
    release,
    environment,
    outcome,
    is_retry,
    is_fallback,
    operation_name,
    input_tokens,
    output_tokens,
    cache_read_class_tokens,
    list_cost_usd,
    contracted_cost_usd,
    billed_cost_usd,
    effective_cost_usd,
    cost_basis
  from {{ relation }}
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
)

select
  usage_date,
  operation_key,
  max(operation_id) as operation_id,
  max(trace_id) as trace_id,
  max(conversation_id) as conversation_id,
  coalesce({{ first_known_value('tenant_id', 'attempt_order') }}, 'unattributed') as tenant_id,
  coalesce({{ first_known_value('feature', 'attempt_order') }}, 'unattributed') as feature,
  {{ first_known_value('release', 'attempt_order') }} as release,
  {{ first_known_value('environment', 'attempt_order') }} as environment,
  min(started_at) as started_at,
  max(started_at) as last_attempt_at,
  count(*) as attempts_count,
  sum(case when is_retry then 1 else 0 end) as retries_count,
  sum(case when is_fallback then 1 else 0 end) as fallbacks_count,
  sum(case when outcome = 'success' then 1 else 0 end) as succeeded_attempts_count,
  sum(case when outcome in ('error', 'timeout', 'rate_limited') then 1 else 0 end) as failed_attempts_count,
  sum(case when cost_basis = 'unpriced' then 1 else 0 end) as unpriced_attempts_count,
  max(case when outcome = 'success' then 1 else 0 end) = 1 as is_answered,
  sum(input_tokens) as input_tokens,
  sum(output_tokens) as output_tokens,
  sum(cache_read_class_tokens) as cache_read_tokens,
  sum(case when operation_name = 'embeddings' then input_tokens else 0 end) as embedding_tokens,
  cast(sum(list_cost_usd) as decimal(38, 12)) as list_cost_usd,
  cast(sum(contracted_cost_usd) as decimal(38, 12)) as contracted_cost_usd,
  cast(sum(billed_cost_usd) as decimal(38, 12)) as billed_cost_usd,
  cast(sum(effective_cost_usd) as decimal(38, 12)) as effective_cost_usd,
  cast(sum(case when outcome = 'success' then effective_cost_usd else 0 end) as decimal(38, 12)) as answered_cost_usd
from attempts
group by usage_date, operation_key
