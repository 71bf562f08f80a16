{#-
What a decomposed change is told as: its drivers, and one sentence. As in decomposition.sql, SQL text and nothing else, for
orchestration/explain renders it too.
-#}

{#-
One row per comparison and driver: a link's effect, summed to where people can act on it.

leaves: what decomposed_change returns.
releases: (comparison_key, feature, release_id), at most one a feature; named where behaviour of the feature moved.
-#}
{%- macro change_drivers(leaves, releases) -%}
{#- Link, what it is summed by, words when cost rose and when it fell, whether a release may be behind it. -#}
{%- set drivers = [
  ('tenant_turnover', ['tenant_id'], "case tenant_id when 'unattributed' then 'requests that no longer name a tenant' else 'new tenant ' || tenant_id end", "case tenant_id when 'unattributed' then 'no more requests without a tenant' else 'no more of tenant ' || tenant_id end", false),
  ('feature_turnover', ['feature'], "'new feature ' || feature", "'no more of feature ' || feature", true),
  ('model_turnover', ['provider', 'model'], "'new model ' || model", "'no more of model ' || model", false),
  ('operations_volume', [], "'more operations' || of_tenant", "'fewer operations' || of_tenant", false),
  ('tenant_mix', ['tenant_id'], "'larger share of ' || tenant_id", "'smaller share of ' || tenant_id", false),
  ('feature_mix', ['feature'], "'more use of ' || feature", "'less use of ' || feature", false),
  ('attempts_per_operation', ['feature'], "'more attempts an operation in ' || feature", "'fewer attempts an operation in ' || feature", true),
  ('response_cache_share', ['feature'], "'fewer answers from our own cache in ' || feature", "'more answers from our own cache in ' || feature", true),
  ('model_mix', ['feature'], "'model drift to ' || model || ' in ' || feature", "'model drift to ' || model || ' in ' || feature", true),
  ('service_tier_mix', ['feature'], "'dearer service tiers in ' || feature", "'cheaper service tiers in ' || feature", true),
  ('input_tokens_per_attempt', ['feature'], "'prompt growth in ' || feature", "'shorter prompts in ' || feature", true),
  ('output_tokens_per_attempt', ['feature'], "'longer answers in ' || feature", "'shorter answers in ' || feature", true),
  ('cache_hit_share', ['feature'], "'fewer prompt cache hits in ' || feature", "'more prompt cache hits in ' || feature", true),
  ('fees', ['feature'], "'more fees and tool calls in ' || feature", "'fewer fees and tool calls in ' || feature", true),
  ('list_price', ['provider', 'model'], "'dearer list price of ' || model", "'cheaper list price of ' || model", false),
  ('negotiated_terms', ['provider'], "'worse terms of ' || provider", "'better terms of ' || provider", false),
  ('true_up', ['provider'], "'bill of ' || provider || ' above the estimate'", "'bill of ' || provider || ' below the estimate'", false),
] -%}
{%- set levels = [[], ['tenant_id'], ['feature'], ['provider'], ['provider', 'model']] -%}
with by_model as (
  select
    comparison_key,
    tenant_id,
    feature,
    provider,
    model,
    {%- for link, _, _, _, _ in drivers %}
    cast(sum({{ link }}_effect_usd) as decimal(38, 12)) as {{ link }}_effect_usd{% if not loop.last %},{% endif %}
    {%- endfor %}
  from {{ leaves }}
  group by comparison_key, tenant_id, feature, provider, model
),

drifts as (
  -- The model that gained most names a drift.
  select
    comparison_key,
    feature,
    {{ value_at_max('model', 'effect_usd') }} as model
  from (
    select
      comparison_key,
      feature,
      model,
      sum(model_mix_effect_usd) as effect_usd
    from by_model
    group by comparison_key, feature, model
  ) as gains
  group by comparison_key, feature
),

growth as (
  select
    comparison_key,
    tenant_id,
    cast(sum(operations_volume_effect_usd + tenant_mix_effect_usd) as decimal(38, 12)) as effect_usd
  from by_model
  group by comparison_key, tenant_id
),

ranked_growth as (
  select
    *,
    sum(effect_usd) over (partition by comparison_key) as all_effect_usd,
    sum(abs(effect_usd)) over (partition by comparison_key) as turmoil_usd,
    count(*) over (partition by comparison_key) as tenants_count,
    row_number() over (partition by comparison_key order by abs(effect_usd) desc, tenant_id) as place
  from growth
),

dominant_tenants as (
  -- Where one tenant makes more than half of what volume did, volume is told as that tenant's and the rest's.
  select
    comparison_key,
    tenant_id,
    effect_usd,
    cast(all_effect_usd - effect_usd as decimal(38, 12)) as others_effect_usd
  from ranked_growth
  where place = 1 and tenants_count > 1 and 2 * abs(effect_usd) > turmoil_usd
),

by_level as (
  {%- for keys in levels %}
  select
    comparison_key,
    '{{ keys | join(' ') }}' as level_keys,
    {%- for key in ['tenant_id', 'feature', 'provider', 'model'] %}
    {{ key if key in keys else "''" }} as {{ key }},
    {%- endfor %}
    {%- for link, _, _, _, _ in drivers %}
    cast(sum({{ link }}_effect_usd) as decimal(38, 12)) as {{ link }}_effect_usd{% if not loop.last %},{% endif %}
    {%- endfor %}
  from by_model
  group by comparison_key{% for key in keys %}, {{ key }}{% endfor %}
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

linked as (
  select
    by_level.comparison_key,
    links.driver,
    by_level.tenant_id,
    by_level.feature,
    by_level.provider,
    by_level.model,
    case links.driver
      {%- for link, _, _, _, _ in drivers %}
      when '{{ link }}' then by_level.{{ link }}_effect_usd
      {%- endfor %}
    end as effect_usd
  from by_level
  inner join (
    {%- for link, keys, _, _, _ in drivers %}
    select '{{ link }}' as driver, '{{ keys | join(' ') }}' as level_keys
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
  ) as links on by_level.level_keys = links.level_keys
),

summed as (
  select
    linked.comparison_key,
    linked.driver,
    linked.tenant_id,
    linked.feature,
    linked.provider,
    linked.model,
    case
      when linked.driver = 'operations_volume' then coalesce(dominant_tenants.others_effect_usd, linked.effect_usd)
      else linked.effect_usd
    end as effect_usd
  from linked
  left join dominant_tenants on linked.comparison_key = dominant_tenants.comparison_key
  where dominant_tenants.comparison_key is null or linked.driver <> 'tenant_mix'
  union all
  select
    comparison_key,
    'operations_volume' as driver,
    tenant_id,
    '' as feature,
    '' as provider,
    '' as model,
    effect_usd
  from dominant_tenants
),

named as (
  select
    summed.comparison_key,
    summed.driver,
    summed.tenant_id,
    summed.feature,
    summed.provider,
    case when summed.driver = 'model_mix' then drifts.model else summed.model end as model,
    case
      when summed.driver in ({% for link, _, _, _, is_behaviour in drivers if is_behaviour %}'{{ link }}'{% if not loop.last %}, {% endif %}{% endfor %})
        then releases.release_id
    end as release_id,
    case when summed.tenant_id <> '' then ' of ' || summed.tenant_id else '' end as of_tenant,
    summed.effect_usd
  from summed
  left join drifts on summed.comparison_key = drifts.comparison_key and summed.feature = drifts.feature
  left join {{ releases }} as releases
    on summed.comparison_key = releases.comparison_key and summed.feature = releases.feature
  where summed.effect_usd <> 0
),

worded as (
  select
    *,
    case driver
      {%- for link, _, up, down, _ in drivers %}
      when '{{ link }}' then case when effect_usd > 0 then {{ up }} else {{ down }} end
      {%- endfor %}
    end as words
  from named
)

select
  comparison_key,
  driver,
  tenant_id,
  feature,
  provider,
  model,
  coalesce(release_id, '') as release_id,
  effect_usd,
  words || coalesce(' since release ' || release_id, '') as driver_words
from worded
{%- endmacro -%}

{#-
The drivers with the change that they sum to, their share of it and their rank: those that pushed the way the cost went come
first, the largest of them at the top.

drivers: what change_drivers returns, or rows of that shape, with `keys`.
-#}
{%- macro ranked_drivers(drivers, keys) -%}
select
  *,
  row_number() over (
    partition by {{ keys | join(', ') }}
    order by effect_usd * sign(change_usd) desc, driver, tenant_id, feature, provider, model, driver_words
  ) as driver_rank,
  {{ ratio('effect_usd', 'change_usd') }} as share_of_change
from (
  select
    *,
    cast(sum(effect_usd) over (partition by {{ keys | join(', ') }}) as decimal(38, 12)) as change_usd
  from {{ drivers }}
) as summed_drivers
{%- endmacro -%}

{#-
One row per `keys`: `<scope> +$412.10 vs <baseline>: 71 % prompt growth in rag_assist since release 2026.11.2, 22 % …`, with
the three largest drivers that pushed the way the cost went.

drivers: what ranked_drivers returns, with scope_words and baseline_words.
-#}
{%- macro driver_sentences(drivers, keys) -%}
select
  {{ keys | join(',\n  ') }},
  max(scope_words)
  || case when max(change_usd) < 0 then ' -$' else ' +$' end
  || {{ money_text('abs(max(change_usd))') }}
  || ' vs ' || max(baseline_words)
  || coalesce(': ' || {{ text_list(
    "cast(cast(round(100 * share_of_change) as bigint) as varchar) || ' % ' || driver_words",
    'driver_rank',
    'driver_rank <= 3 and share_of_change >= 0.005'
  ) }}, '') as sentence
from {{ drivers }}
group by {{ keys | join(', ') }}
{%- endmacro -%}
