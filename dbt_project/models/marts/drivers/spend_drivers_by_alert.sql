-- One row per alert and driver: by what the cost of the alert's scope moved, largest first. What cost is compared, and with
-- what, is the rule's (`explained_by`); where it is unknown for want of a price, attempts stand for dollars in the order of the
-- drivers, and no amount is stated.
{%- set alert = ['alert_rule', 'scope_kind', 'scope_id', 'usage_date'] %}
with drivers as (
  -- What is kept may be of an alert that is none any more, or that is explained no longer.
  select of_cost.*
  from {{ ref('int_alert_drivers__of_cost') }} as of_cost
  inner join {{ ref('int_alerts__unioned') }} as breaches
    on
      of_cost.alert_rule = breaches.alert_rule
      and of_cost.scope_kind = breaches.scope_kind
      and of_cost.scope_id = breaches.scope_id
      and of_cost.usage_date = breaches.usage_date
  where
    of_cost.usage_date > (
      select max(days.usage_date) - interval '{{ var('explained_days') }} days'
      from {{ ref('unit_economics_by_model_day') }} as days
    )
  union all
  select * from {{ ref('int_alert_drivers__of_bills') }}
),

ranked as (
  {{ ranked_drivers('drivers', alert) }}
),

sentences as (
  {{ driver_sentences('ranked', alert) }}
),

unpriced_use as (
  select
    breaches.alert_rule,
    breaches.scope_kind,
    breaches.scope_id,
    breaches.usage_date,
    cube.feature,
    cube.provider,
    cube.model,
    sum(cube.unpriced_attempts_count) as attempts_count
  from {{ ref('int_alerts__unioned') }} as breaches
  inner join {{ ref('stg_alert_rules__rules') }} as rules on breaches.alert_rule = rules.alert_rule
  inner join {{ ref('llm_usage_by_tenant_feature_model_day') }} as cube
    on breaches.usage_date = cube.usage_date and breaches.scope_id = cube.provider || '/' || cube.model
  where rules.explained_by = 'usage' and cube.unpriced_attempts_count > 0
  group by 1, 2, 3, 4, 5, 6, 7
),

releases as (
  -- The newest of a feature in the week up to a day.
  select
    days.usage_date,
    days.feature,
    {{ value_at_max('releases.release_id', 'releases.deployed_date') }} as release_id
  from (select distinct usage_date, feature from unpriced_use) as days
  inner join {{ ref('dim_releases') }} as releases
    on
      days.feature = releases.feature
      and releases.deployed_date <= days.usage_date
      and releases.deployed_date >= days.usage_date - interval '7 days'
  group by days.usage_date, days.feature
),

unpriced_words as (
  select
    unpriced_use.*,
    coalesce(releases.release_id, '') as release_id,
    'use without a price in ' || unpriced_use.feature || coalesce(' since release ' || releases.release_id, '') as driver_words
  from unpriced_use
  left join releases on unpriced_use.usage_date = releases.usage_date and unpriced_use.feature = releases.feature
),

unpriced as (
  select
    *,
    row_number() over (partition by {{ alert | join(', ') }} order by attempts_count desc, feature) as driver_rank,
    sum(attempts_count) over (partition by {{ alert | join(', ') }}) as all_attempts_count
  from unpriced_words
),

unpriced_sentences as (
  select
    {{ alert | join(',\n    ') }},
    scope_id || ': cost of ' || cast(max(all_attempts_count) as varchar) || ' attempts unknown: '
    || {{ text_list(
      "cast(cast(round(100 * " ~ ratio('attempts_count', 'all_attempts_count') ~ ") as bigint) as varchar) || ' % ' || driver_words",
      'driver_rank',
      'driver_rank <= 3'
    ) }} as sentence
  from unpriced
  group by {{ alert | join(', ') }}
)

select
  ranked.alert_rule,
  ranked.scope_kind,
  ranked.scope_id,
  ranked.usage_date,
  ranked.driver_rank,
  ranked.driver,
  ranked.tenant_id,
  ranked.feature,
  ranked.provider,
  ranked.model,
  ranked.release_id,
  ranked.effect_usd,
  ranked.change_usd,
  ranked.share_of_change,
  ranked.driver_words,
  sentences.sentence
from ranked
inner join sentences
  on
    ranked.alert_rule = sentences.alert_rule
    and ranked.scope_kind = sentences.scope_kind
    and ranked.scope_id = sentences.scope_id
    and ranked.usage_date = sentences.usage_date
union all
select
  unpriced.alert_rule,
  unpriced.scope_kind,
  unpriced.scope_id,
  unpriced.usage_date,
  unpriced.driver_rank,
  'unpriced_model' as driver,
  '' as tenant_id,
  unpriced.feature,
  unpriced.provider,
  unpriced.model,
  unpriced.release_id,
  cast(null as decimal(38, 12)) as effect_usd,
  cast(null as decimal(38, 12)) as change_usd,
  {{ ratio('unpriced.attempts_count', 'unpriced.all_attempts_count') }} as share_of_change,
  unpriced.driver_words,
  unpriced_sentences.sentence
from unpriced
inner join unpriced_sentences
  on
    unpriced.alert_rule = unpriced_sentences.alert_rule
    and unpriced.scope_kind = unpriced_sentences.scope_kind
    and unpriced.scope_id = unpriced_sentences.scope_id
    and unpriced.usage_date = unpriced_sentences.usage_date
