-- One row per verdict on an operation, on the day on which it was given; it never moves, and what it says of the
-- operation's own day is in operation_date. A reversal is a row of its own that takes the acceptance back, as a credit
-- note does. The same event, or the same verdict on the same operation, counts once.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
{%- set lookback = var('outcome_lookback_days') %}
with landed_events as (
  select
    *,
    row_number() over (partition by event_id order by occurred_at, pull_id, verdict) as arrival
  from {{ ref('stg_product__outcomes') }}
  where {{ between_built_days('usage_date', -lookback, 0) }}
),

events as (
  select * from landed_events
  where arrival = 1
),

-- A reversal is matched through the event that it takes back.
reversals as (
  select
    reversal.event_id,
    original.verdict as original_verdict,
    original.value_usd as original_value_usd,
    original.outcome_name,
    original.tenant_id,
    original.feature,
    original.operation_id,
    original.request_id,
    original.trace_id,
    original.conversation_id
  from events as reversal
  inner join events as original on reversal.reverses_event_id = original.event_id
  where reversal.verdict = 'reversed'
),

addressed as (
  select
    events.usage_date,
    events.event_id,
    events.occurred_at,
    events.verdict,
    events.reverses_event_id,
    events.user_hash,
    events.source_name,
    reversals.original_verdict,
    case
      when events.verdict <> 'reversed' then events.value_usd
      when reversals.original_verdict is not null
        then -abs(coalesce(events.value_usd, reversals.original_value_usd))
    end as value_usd,
    -- Acceptances and what takes them back are one track, rejections and what takes those back another.
    case when events.verdict = 'reversed' then coalesce(reversals.original_verdict, 'unknown') else events.verdict end
      as track,
    coalesce(reversals.outcome_name, events.outcome_name) as outcome_name,
    coalesce(events.tenant_id, reversals.tenant_id) as tenant_id,
    coalesce(events.feature, reversals.feature) as feature,
    coalesce(events.operation_id, reversals.operation_id) as operation_id,
    coalesce(events.request_id, reversals.request_id) as request_id,
    coalesce(events.trace_id, reversals.trace_id) as trace_id,
    coalesce(events.conversation_id, reversals.conversation_id) as conversation_id
  from events
  left join reversals on events.event_id = reversals.event_id
),

operations as (
  select
    usage_date,
    operation_key,
    operation_id,
    trace_id,
    conversation_id,
    tenant_id,
    feature,
    started_at
  from {{ ref('fct_operations') }}
  where {{ between_built_days('usage_date', -lookback, 0) }}
),

-- Ids of conversations and operations need not be unique across tenants: a verdict judges its own tenant's operations.
candidates as (
  {%- for rank, method in [(1, 'operation_id'), (3, 'trace_id'), (4, 'conversation_id')] %}
  select
    addressed.event_id,
    {{ rank }} as method_rank,
    '{{ method }}' as match_method,
    operations.operation_key,
    operations.usage_date as operation_date,
    operations.tenant_id,
    operations.feature,
    operations.started_at
  from addressed
  inner join operations
    on
      addressed.{{ method }} = operations.{{ method }}
      and addressed.occurred_at >= operations.started_at
      and operations.tenant_id in (coalesce(addressed.tenant_id, operations.tenant_id), 'unattributed')
  union all
  {%- endfor %}
  select
    addressed.event_id,
    2 as method_rank,
    'request_id' as match_method,
    operations.operation_key,
    operations.usage_date as operation_date,
    operations.tenant_id,
    operations.feature,
    operations.started_at
  from addressed
  inner join {{ ref('int_llm_requests__attributed') }} as requests
    on
      addressed.request_id = requests.request_id
      and addressed.occurred_at >= requests.started_at
      and {{ between_built_days('requests.usage_date', -lookback, 0) }}
  inner join operations
    on
      requests.operation_key = operations.operation_key
      and requests.started_at >= operations.started_at
      and operations.tenant_id in (coalesce(addressed.tenant_id, operations.tenant_id), 'unattributed')
),

ranked as (
  select
    *,
    row_number() over (
      partition by event_id
      order by method_rank, started_at desc, operation_key, operation_date desc
    ) as choice
  from candidates
),

-- Tenant and feature are those of the operation, so that its cost and its outcome stand in the same row of a mart.
matched as (
  select
    addressed.*,
    ranked.operation_key,
    ranked.operation_date,
    ranked.started_at as operation_started_at,
    coalesce(ranked.match_method, 'unmatched') as match_method,
    coalesce(ranked.tenant_id, addressed.tenant_id, 'unattributed') as known_tenant_id,
    coalesce(ranked.feature, addressed.feature, 'unattributed') as known_feature
  from addressed
  left join ranked on addressed.event_id = ranked.event_id and ranked.choice = 1
),

counted as (
  select
    *,
    -- The verdict that stands already says nothing new; one that came back after a reversal does.
    operation_key is not null
    and coalesce(
      lag(verdict) over (partition by operation_key, outcome_name, track order by occurred_at, event_id) = verdict, false
    ) as is_duplicate
  from matched
)

select
  usage_date,
  event_id,
  occurred_at,
  source_name,
  outcome_name,
  verdict,
  reverses_event_id,
  known_tenant_id as tenant_id,
  known_feature as feature,
  user_hash,
  operation_key,
  coalesce(operation_date, usage_date) as operation_date,
  match_method,
  is_duplicate,
  case
    when is_duplicate then 0
    when verdict = 'accepted' then 1
    when verdict = 'reversed' and original_verdict = 'accepted' then -1
    else 0
  end as accepted_outcomes_count,
  case
    when is_duplicate then 0
    when verdict = 'rejected' then 1
    when verdict = 'reversed' and original_verdict = 'rejected' then -1
    else 0
  end as rejected_outcomes_count,
  case
    when not is_duplicate and verdict = 'reversed' and original_verdict = 'accepted' then 1
    else 0
  end as reversed_outcomes_count,
  value_usd
from counted
where {{ on_built_days('usage_date') }}
