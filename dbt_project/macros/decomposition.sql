{#-
Why cost moved between two periods: an exact additive decomposition, the logarithmic mean Divisia index in its additive
form (LMDI-I; B. W. Ang, Energy Policy 33, 2005). The arithmetic stands here once: the marts call it in dbt, and
orchestration/explain renders the same text for any two periods; so these macros return SQL text and nothing else.

The cost of a leaf (tenant, feature, provider, model, tier, usage class) is a chain of ratios:

  operations x tenant's share x feature's share x attempts an operation x share not answered from our own cache
  x model's share x tier's share x tokens an attempt x class's share of the input x list price x terms x true-up

With L(a, b) = (a - b) / ln(a / b), the effect of a link is L(after, before) x ln(link after / link before). Effects sum to
the change, depend on no order, and change their sign when the periods are swapped.

A leaf that is on one side only, or changes its sign, has no logarithm: its whole change goes to the first link of the chain
that is missing on one side, which is where LMDI goes as that link goes to zero; to the true-up when none is missing. Tenants,
features and models that are on one side only stand apart, as turnover.

Floats stand inside the split of a change only. An effect is rounded to 10^-12 USD and what that leaves of a leaf's change
goes to its largest effect, so the residual is 0. A link that did not move has the logarithm of exactly 1.
-#}

{#-
The change of cost by leaf and link.

usage: (comparison_key, is_current, tenant_id, feature, provider, model, service_tier, measures of the daily cube), any number
  of rows for a leaf and side. Calls that cost nothing by their nature (refused, broken off without usage, answered from our
  own cache) are no attempts here: they move no cost.
operations: (comparison_key, is_current, tenant_id, feature, operations_count).
comparisons: (comparison_key, baseline_divisor, current_divisor); a side is divided by it, so that seven days compare with one.
-#}
{%- macro decomposed_change(usage, operations, comparisons) -%}
{%- set sides = [('before', 'baseline', 'not is_current'), ('after', 'current', 'is_current')] -%}
{%- set classes = ['input', 'cache_read', 'cache_write', 'output', 'fee'] -%}
{%- set turnovers = ['tenant', 'feature', 'model'] -%}
{%- set feature_links = [
  'operations_volume', 'tenant_mix', 'feature_mix', 'attempts_per_operation', 'response_cache_share',
] -%}
{%- set cell_links = [
  'model_mix', 'service_tier_mix', 'input_tokens_per_attempt', 'output_tokens_per_attempt', 'negotiated_terms', 'true_up',
] -%}
{#- In the order of the chain. -#}
{%- set links = feature_links + cell_links[:4] + ['cache_hit_share', 'fees', 'list_price'] + cell_links[4:] -%}
with cells as (
  select
    comparison_key,
    tenant_id,
    feature,
    provider,
    model,
    service_tier,
    {%- for side, _, condition in sides %}
    {%- for alias, measure in [
      ('seen', 'attempts_count'), ('attempts', 'priced_attempts_count'), ('own_answers', 'response_cache_hits_count'),
      ('input_tokens', 'priced_input_tokens'), ('cache_read_tokens', 'priced_cache_read_tokens'),
      ('cache_write_tokens', 'priced_cache_write_tokens'), ('output_tokens', 'priced_output_tokens'),
    ] %}
    cast(coalesce(sum(case when {{ condition }} then {{ measure }} end), 0) as bigint) as {{ alias }}_{{ side }},
    {%- endfor %}
    {%- for alias in classes + ['list', 'contracted', 'effective'] %}
    {{ usd_to_units('coalesce(sum(case when ' ~ condition ~ ' then ' ~ alias ~ '_cost_usd end), 0)') }} as {{ alias }}_units_{{ side }}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
  from {{ usage }}
  group by comparison_key, tenant_id, feature, provider, model, service_tier
),

counted_operations as (
  select
    comparison_key,
    tenant_id,
    feature,
    {%- for side, _, condition in sides %}
    cast(coalesce(sum(case when {{ condition }} then operations_count end), 0) as bigint) as operations_{{ side }}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
  from {{ operations }}
  group by comparison_key, tenant_id, feature
),

attempted as (
  select
    comparison_key,
    tenant_id,
    feature,
    {%- for side, _, _ in sides %}
    cast(sum(seen_{{ side }}) as bigint) as seen_{{ side }},
    cast(sum(attempts_{{ side }}) as bigint) as attempts_{{ side }},
    cast(sum(attempts_{{ side }} + own_answers_{{ side }}) as bigint) as answers_{{ side }}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
  from cells
  group by comparison_key, tenant_id, feature
),

asked as (
  -- Operations count with the tenant and feature of their first attempt. Where a side has attempts of operations that
  -- began elsewhere and none of its own, an attempt stands for an operation, on both sides.
  select
    attempted.*,
    {%- for side, _, _ in sides %}
    case
      when counted_operations.operations_before > 0 and counted_operations.operations_after > 0
        then counted_operations.operations_{{ side }}
      else attempted.answers_{{ side }}
    end as operations_{{ side }}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
  from attempted
  left join counted_operations
    on
      attempted.comparison_key = counted_operations.comparison_key
      and attempted.tenant_id = counted_operations.tenant_id
      and attempted.feature = counted_operations.feature
),

tenants as (
  select
    comparison_key,
    tenant_id,
    {%- for side, _, _ in sides %}
    sum(operations_{{ side }}) as operations_{{ side }},
    sum(seen_{{ side }}) > 0 as has_tenant_{{ side }}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
  from asked
  group by comparison_key, tenant_id
),

everybody as (
  select
    comparison_key,
    {%- for side, _, _ in sides %}
    sum(operations_{{ side }}) as operations_{{ side }}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
  from tenants
  group by comparison_key
),

feature_sides as (
  select
    comparison_key,
    feature,
    sum(seen_before) > 0 and sum(seen_after) > 0 as has_feature
  from asked
  group by comparison_key, feature
),

levels as (
  -- Sums are joined: a window carries every column through a sort, which took half of the time of a hundred cells.
  select
    asked.*,
    {%- for side, _, _ in sides %}
    everybody.operations_{{ side }} as all_operations_{{ side }},
    tenants.operations_{{ side }} as tenant_operations_{{ side }},
    {%- endfor %}
    tenants.has_tenant_before and tenants.has_tenant_after as has_tenant,
    feature_sides.has_feature
  from asked
  inner join everybody on asked.comparison_key = everybody.comparison_key
  inner join tenants on asked.comparison_key = tenants.comparison_key and asked.tenant_id = tenants.tenant_id
  inner join feature_sides
    on asked.comparison_key = feature_sides.comparison_key and asked.feature = feature_sides.feature
),

features as (
  select
    levels.*,
    comparisons.baseline_divisor as divisor_before,
    comparisons.current_divisor as divisor_after,
    {{ link_logarithm('levels.all_operations', 'comparisons.divisor', 'comparisons') }} as operations_volume_log,
    {{ link_logarithm('levels.tenant_operations', 'levels.all_operations') }} as tenant_mix_log,
    {{ link_logarithm('levels.operations', 'levels.tenant_operations') }} as feature_mix_log,
    {{ link_logarithm('levels.answers', 'levels.operations') }} as attempts_per_operation_log,
    {{ link_logarithm('levels.attempts', 'levels.answers') }} as response_cache_share_log
  from levels
  inner join (
    select
      comparison_key,
      baseline_divisor,
      current_divisor,
      baseline_divisor as divisor_before,
      current_divisor as divisor_after
    from {{ comparisons }}
  ) as comparisons on levels.comparison_key = comparisons.comparison_key
),

model_attempts as (
  select
    comparison_key,
    tenant_id,
    feature,
    provider,
    model,
    {%- for side, _, _ in sides %}
    sum(attempts_{{ side }}) as model_attempts_{{ side }}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
  from cells
  group by comparison_key, tenant_id, feature, provider, model
),

model_sides as (
  select
    comparison_key,
    provider,
    model,
    sum(seen_before) > 0 and sum(seen_after) > 0 as has_model
  from cells
  group by comparison_key, provider, model
),

models as (
  select
    cells.*,
    {%- for side, _, _ in sides %}
    model_attempts.model_attempts_{{ side }},
    {%- endfor %}
    model_sides.has_model
  from cells
  inner join model_attempts
    on
      cells.comparison_key = model_attempts.comparison_key
      and cells.tenant_id = model_attempts.tenant_id
      and cells.feature = model_attempts.feature
      and cells.provider = model_attempts.provider
      and cells.model = model_attempts.model
  inner join model_sides
    on
      cells.comparison_key = model_sides.comparison_key
      and cells.provider = model_sides.provider
      and cells.model = model_sides.model
),

members as (
  select
    models.*,
    features.has_tenant,
    features.has_feature,
    {%- for link in feature_links %}
    features.{{ link }}_log,
    {%- endfor %}
    {{ link_logarithm('models.model_attempts', 'features.attempts') }} as model_mix_log,
    {{ link_logarithm('models.attempts', 'models.model_attempts') }} as service_tier_mix_log,
    {{ link_logarithm('models.input_tokens', 'models.attempts') }} as input_tokens_per_attempt_log,
    {{ link_logarithm('models.output_tokens', 'models.attempts') }} as output_tokens_per_attempt_log,
    {{ link_logarithm('models.contracted_units', 'models.list_units', exact=true) }} as negotiated_terms_log,
    {{ link_logarithm('models.effective_units', 'models.contracted_units', exact=true) }} as true_up_log,
    {%- for side, _, _ in sides %}
    models.input_tokens_{{ side }} - models.cache_read_tokens_{{ side }} - models.cache_write_tokens_{{ side }}
      as uncached_tokens_{{ side }},
    -- A side's mean by day, in whole units: what rounding takes from it is under one unit a cell.
    case
      when features.divisor_{{ side }} = 1 then models.effective_units_{{ side }}
      else
        sign(models.effective_units_{{ side }})
        * {{ whole_division('abs(models.effective_units_' ~ side ~ ')', 'features.divisor_' ~ side) }}
    end as mean_units_{{ side }}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
  from models
  inner join features
    on
      models.comparison_key = features.comparison_key
      and models.tenant_id = features.tenant_id
      and models.feature = features.feature
),

classes as (
  -- A bill knows no classes below a model's: a class's share of it is the class's share of the list cost. What whole units
  -- leave goes to the dearest class, so the classes are the cell.
  select
    *,
    {%- for side, _, _ in sides %}
    {%- for class in classes %}
    case
      when mean_units_{{ side }} = list_units_{{ side }} then {{ class }}_units_{{ side }}
      else sign(mean_units_{{ side }}) * {{ share_of_units('abs(mean_units_' ~ side ~ ')', class ~ '_units_' ~ side, 'list_units_' ~ side) }}
    end as {{ class }}_mean_units_{{ side }},
    {%- endfor %}
    case
      when list_units_{{ side }} = 0 then 'unpriced'
      {%- for class in classes %}
      when {{ class }}_units_{{ side }} = greatest({% for other in classes %}{{ other }}_units_{{ side }}{% if not loop.last %}, {% endif %}{% endfor %})
        then '{{ class }}'
      {%- endfor %}
    end as dearest_class_{{ side }}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
  from members
),

leaves as (
  {%- for class in classes + ['unpriced'] %}
  {%- set is_input = class in ['input', 'cache_read', 'cache_write'] %}
  {%- set tokens = 'uncached_tokens' if class == 'input' else class ~ '_tokens' %}
  {#- A link that the class has no part in does not move. #}
  select
    comparison_key,
    tenant_id,
    feature,
    provider,
    model,
    service_tier,
    '{{ class }}' as usage_class,
    {%- for turnover in turnovers %}
    has_{{ turnover }},
    {%- endfor %}
    {%- for link in feature_links + ['model_mix', 'service_tier_mix', 'negotiated_terms', 'true_up'] %}
    {{ link }}_log,
    {%- endfor %}
    {{ 'input_tokens_per_attempt_log' if is_input else '0e0' }} as input_tokens_per_attempt_log,
    {{ 'output_tokens_per_attempt_log' if class == 'output' else '0e0' }} as output_tokens_per_attempt_log,
    {{ link_logarithm(tokens, 'input_tokens') if is_input else '0e0' }} as cache_hit_share_log,
    {{ link_logarithm('fee_units', 'attempts', exact=true) if class == 'fee' else '0e0' }} as fees_log,
    {{ link_logarithm(class ~ '_units', tokens, exact=true) if is_input or class == 'output' else '0e0' }} as list_price_log,
    {%- for side, _, _ in sides %}
    {{ '0' if class == 'unpriced' else class ~ '_mean_units_' ~ side }} + case
      when dearest_class_{{ side }} <> '{{ class }}' then 0
      else mean_units_{{ side }}{% for other in classes %} - {{ other }}_mean_units_{{ side }}{% endfor %}
    end as cost_units_{{ side }}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
  from classes
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

weighed as (
  select
    *,
    {{ logarithmic_mean('cost_units_after', 'cost_units_before') }} as mean_cost_units,
    greatest({% for link in links %}abs({{ link }}_log){% if not loop.last %}, {% endif %}{% endfor %}) as largest_log
  from leaves
  where cost_units_before <> 0 or cost_units_after <> 0
),

explained as (
  select
    *,
    case
      when
        mean_cost_units is not null{% for link in links %}
        and {{ link }}_log is not null{% endfor %}
        and largest_log < cast('infinity' as double)
        then 'every link'
      {%- for turnover in turnovers %}
      when not has_{{ turnover }} then '{{ turnover }}_turnover'
      {%- endfor %}
      {%- for link in links %}
      when abs({{ link }}_log) = cast('infinity' as double) then '{{ link }}'
      {%- endfor %}
      else 'true_up'
    end as moved_by,
    case
      {%- for link in links %}
      when abs({{ link }}_log) = largest_log then '{{ link }}'
      {%- endfor %}
    end as largest_link
  from weighed
),

effects as (
  select
    *,
    cost_units_after - cost_units_before as change_units,
    {%- for link in links %}
    cast(case when moved_by = 'every link' then round(mean_cost_units * {{ link }}_log) else 0 end as {{ whole_number() }})
      as {{ link }}_units{% if not loop.last %},{% endif %}
    {%- endfor %}
  from explained
),

closed as (
  select
    *,
    case when moved_by = 'every link' then largest_link else moved_by end as closing_link,
    change_units{% for link in links %} - {{ link }}_units{% endfor %} as residual_units
  from effects
)

select
  comparison_key,
  tenant_id,
  feature,
  provider,
  model,
  service_tier,
  usage_class,
  {{ units_to_usd('cost_units_before') }} as baseline_cost_usd,
  {{ units_to_usd('cost_units_after') }} as current_cost_usd,
  {{ units_to_usd('change_units') }} as change_usd,
  {%- for turnover in turnovers %}
  {{ units_to_usd("case when closing_link = '" ~ turnover ~ "_turnover' then residual_units else 0 end") }} as {{ turnover }}_turnover_effect_usd,
  {%- endfor %}
  {%- for link in links %}
  {{ units_to_usd(link ~ "_units + case when closing_link = '" ~ link ~ "' then residual_units else 0 end") }}
    as {{ link }}_effect_usd{% if not loop.last %},{% endif %}
  {%- endfor %}
from closed
{%- endmacro -%}

{#-
How far a link moved, as the logarithm of after by before; a link is a quotient of two columns that have both sides. Exactly 0
when it did not move: of counts the doubles are then the same, of money (`exact`) whole units tell. Infinite when one side
lacks it, NULL when both do. The logarithm of a / b is the negative of that of b / a, to the last bit.
-#}
{%- macro link_logarithm(numerator, denominator, exact=false) -%}
{#- The condition is the guard of the division: a `nullif` beside it would be a third of the plan. -#}
{%- set before = 'abs(cast(' ~ numerator ~ '_before as double) / cast(' ~ denominator ~ '_before as double))' -%}
{%- set after = 'abs(cast(' ~ numerator ~ '_after as double) / cast(' ~ denominator ~ '_after as double))' -%}
case
  when {{ numerator }}_before <> 0 and {{ denominator }}_before <> 0 and {{ numerator }}_after <> 0 and {{ denominator }}_after <> 0
    then
      case
        {%- if exact %}
        when {{ numerator }}_after * {{ denominator }}_before = {{ numerator }}_before * {{ denominator }}_after then 0e0
        {%- endif %}
        when {{ after }} >= {{ before }} then ln({{ after }} / {{ before }})
        else -ln({{ before }} / {{ after }})
      end
  when {{ numerator }}_after <> 0 and {{ denominator }}_after <> 0 then cast('infinity' as double)
  when {{ numerator }}_before <> 0 and {{ denominator }}_before <> 0 then cast('-infinity' as double)
end
{%- endmacro -%}

{#-
L(a, b) with the sign of both; NULL when a side is 0 or the signs differ. Near each other the quotient loses its digits, so
there it is the series m (1 - r^2 / 3), with m the mean and r the relative distance from it: within 10^-13.
-#}
{%- macro logarithmic_mean(a, b) -%}
{%- set high = 'greatest(abs(cast(' ~ a ~ ' as double)), abs(cast(' ~ b ~ ' as double)))' -%}
{%- set low = 'least(abs(cast(' ~ a ~ ' as double)), abs(cast(' ~ b ~ ' as double)))' -%}
case
  when {{ a }} = 0 or {{ b }} = 0 or ({{ a }} > 0) <> ({{ b }} > 0) then null
  when {{ high }} - {{ low }} < 0.001 * ({{ high }} + {{ low }})
    then
      sign({{ a }}) * ({{ high }} + {{ low }}) / 2
      * (1 - pow(({{ high }} - {{ low }}) / ({{ high }} + {{ low }}), 2) / 3)
  else sign({{ a }}) * ({{ high }} - {{ low }}) / ln({{ high }} / {{ low }})
end
{%- endmacro -%}

{#- The columns of decomposed_change that sum to change_usd. -#}
{%- macro change_effects() -%}
  {{ return([
    'tenant_turnover_effect_usd', 'feature_turnover_effect_usd', 'model_turnover_effect_usd', 'operations_volume_effect_usd',
    'tenant_mix_effect_usd', 'feature_mix_effect_usd', 'attempts_per_operation_effect_usd',
    'response_cache_share_effect_usd', 'model_mix_effect_usd', 'service_tier_mix_effect_usd',
    'input_tokens_per_attempt_effect_usd', 'output_tokens_per_attempt_effect_usd', 'cache_hit_share_effect_usd',
    'fees_effect_usd', 'list_price_effect_usd', 'negotiated_terms_effect_usd', 'true_up_effect_usd',
  ]) }}
{%- endmacro -%}
