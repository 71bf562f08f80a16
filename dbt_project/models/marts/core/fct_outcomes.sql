-- One row per verdict on an operation, on the day on which it was given; it never moves, and what it says of the
-- operation's own day is in operation_date. A reversal is a row of its own that takes the acceptance back, as a credit
-- note does. The same event, or the same verdict on the same operation, counts once.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
{%- set lookback = var('outcome_lookback_days') %}
with landed as (
  select *
  from {{ ref('stg_product__outcomes') }}
  where {{ between_built_days('usage_date', -lookback, 0) }}
),

-- A verdict is judged by what its own day and the days of the look-back say. Which other days a run builds beside it
-- makes no difference.
offsets as (
  {%- for days in range(lookback + 1) %}
  select {{ days }} as days_before
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

days as (
  select distinct usage_date as seen_on
  from landed
  where {{ on_built_days() }}
),

reach as (
  select
    days.seen_on,
    cast(days.seen_on - offsets.days_before * interval '1 day' as date) as usage_date
  from days
  cross join offsets
),

seen as (
  select
    landed.*,
    reach.seen_on,
    row_number() over (
      partition by reach.seen_on, landed.event_id
      order by landed.occurred_at, landed.pull_id, landed.verdict
    ) as arrival
  from landed
  inner join reach on landed.usage_date = reach.usage_date
),

events as (
  select * from seen
  where arrival = 1
),

-- A reversal is matched through the event that it takes back.
reversals as (
  select
    reversal.seen_on,
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
  from events as original
  inner join events as reversal
    on original.event_id = reversal.reverses_event_id and original.seen_on = reversal.seen_on
  where reversal.verdict = 'reversed'
),

addressed as (
  select
    events.seen_on,
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
  left join reversals on events.event_id = reversals.event_id and events.seen_on = reversals.seen_on
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
    started_at,
    answered_cost_usd
  from {{ ref('fct_operations') }}
  where {{ between_built_days('usage_date', -lookback, 0) }}
),

judged_requests as (
  select
    addressed.*,
    requests.operation_key,
    requests.started_at as request_started_at
  from {{ ref('int_llm_requests__attributed') }} as requests
  inner join addressed
    on
      requests.request_id = addressed.request_id
      and requests.started_at <= addressed.occurred_at
      and requests.usage_date >= addressed.seen_on - interval '{{ lookback }} days'
      and requests.usage_date <= addressed.seen_on
  where {{ between_built_days('requests.usage_date', -lookback, 0) }}
),

-- Ids of conversations and operations need not be unique across tenants: a verdict judges its own tenant's operations.
candidates as (
  {%- for rank, method, relation, conditions in [
    (1, 'operation_id', 'addressed', ['operations.operation_id = addressed.operation_id']),
    (2, 'request_id', 'judged_requests', [
      'operations.operation_key = addressed.operation_key', 'operations.started_at <= addressed.request_started_at'
    ]),
    (3, 'trace_id', 'addressed', ['operations.trace_id = addressed.trace_id']),
    (4, 'conversation_id', 'addressed', ['operations.conversation_id = addressed.conversation_id']),
  ] %}
  select
    addressed.seen_on,
    addressed.event_id,
    {{ rank }} as method_rank,
    '{{ method }}' as match_method,
    operations.operation_key,
    operations.usage_date as operation_date,
    operations.tenant_id,
    operations.feature,
    operations.started_at,
    operations.answered_cost_usd
  from operations
  inner join {{ relation }} as addressed
    on
      {{ conditions | join(' and ') }}
      and operations.started_at <= addressed.occurred_at
      and operations.usage_date >= addressed.seen_on - interval '{{ lookback }} days'
      and operations.usage_date <= addressed.seen_on
      and operations.tenant_id in (coalesce(addressed.tenant_id, operations.tenant_id), 'unattributed')
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

ranked as (
  select
    *,
    row_number() over (
      partition by seen_on, event_id
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
    ranked.answered_cost_usd,
    coalesce(ranked.match_method, 'unmatched') as match_method,
    coalesce(ranked.tenant_id, addressed.tenant_id, 'unattributed') as known_tenant_id,
    coalesce(ranked.feature, addressed.feature, 'unattributed') as known_feature
  from addressed
  left join ranked
    on addressed.event_id = ranked.event_id and addressed.seen_on = ranked.seen_on and ranked.choice = 1
),

counted as (
  select
    *,
    -- The verdict that stands already says nothing new; one that came back after a reversal does.
    operation_key is not null
    and coalesce(
      lag(verdict) over (
        partition by seen_on, operation_key, outcome_name, track
        order by occurred_at, event_id
      ) = verdict,
      false
    ) as is_duplicate,
    -- An operation may be judged under several names; its cost is in vain once.
    row_number() over (
      partition by seen_on, operation_key, operation_date, verdict, coalesce(original_verdict, '')
      order by occurred_at, event_id
    ) as verdict_number
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
  value_usd,
  cast(
    case
      when is_duplicate or verdict_number > 1 then {{ zero_usd() }}
      when verdict = 'rejected' or verdict = 'reversed' and original_verdict = 'accepted' then answered_cost_usd
      when verdict = 'reversed' and original_verdict = 'rejected' then -answered_cost_usd
      else {{ zero_usd() }}
    end as decimal(38, 12)
  ) as cost_in_vain_usd
from counted
where usage_date = seen_on
