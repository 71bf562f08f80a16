{#-
What we logged beside what the provider counted and billed, by the same keys. The reconciliation marts differ in their keys
alone, so they agree with each other.

Usage classes are those of the price book, fees together, and the totals of lines that name no class. Searches are billed
without their model, so fees have none.

The variance of a row, billed - estimated, is split in whole units of 10^-12 dollars:
  usage gap  (counted - logged) x our price, and all of the bill where nothing is logged: we have no price of our own then;
  price gap  what is left: (their price - our price) x counted.
The two are the variance by construction. Where the provider reports no usage of the day at all, counted is unknown and
all of the variance is a price gap.
-#}

{#- When a provider no longer changes what it bills for a day, by its own rule (dbt_project.yml). -#}
{%- macro settles_at(provider, usage_date) -%}
  case {{ provider }}
    {%- for name, days in var('settling_days_after_month').items() %}
    when '{{ name }}' then date_trunc('month', {{ usage_date }}) + interval '1' month + interval '{{ days }}' day
    {%- endfor %}
    {%- for name, days in var('settling_days').items() if name != 'any other' %}
    when '{{ name }}' then {{ usage_date }} + interval '{{ days }}' day
    {%- endfor %}
    else {{ usage_date }} + interval '{{ var("settling_days")["any other"] }}' day
  end
{%- endmacro -%}

{#- Classes of an estimate, and the component of the cost in which each is found. -#}
{%- macro estimated_classes() -%}
  {%- set found = {} -%}
  {%- for component, classes in {
    'input': ['input', 'input_audio', 'input_image'],
    'cache_read': ['cache_read'],
    'cache_write': ['cache_write_5m', 'cache_write_1h', 'cache_write_30m', 'cache_write_12h'],
    'output': ['output', 'output_audio'],
    'fee': ['fee'],
  }.items() -%}
    {%- for class in classes -%}
      {%- do found.update({class: {'component': component, 'classes': classes}}) -%}
    {%- endfor -%}
  {%- endfor -%}
  {{ return(found) }}
{%- endmacro -%}

{#-
The list cost of a class. A request keeps the cost of a component, not of each class in it, so all of it goes to the class
of which the request has most; few requests write caches of two retentions, or mix text with sound.
-#}
{%- macro sum_of_class_estimates(class) -%}
  {%- set component, classes = estimated_classes()[class].component, estimated_classes()[class].classes -%}
  {%- set earlier, conditions = [1], [] -%}
  {%- for other in classes -%}
    {%- if other == class -%}
      {%- do earlier.clear() -%}
    {%- else -%}
      {%- do conditions.append(
        'coalesce(' ~ class ~ '_class_tokens, 0) ' ~ ('>' if earlier else '>=') ~ ' coalesce(' ~ other ~ '_class_tokens, 0)'
      ) -%}
    {%- endif -%}
  {%- endfor -%}
  cast(
    coalesce(sum({% if conditions %}case when {{ conditions | join(' and ') }} then {{ component }}_cost_usd end{% else %}{{ component }}_cost_usd{% endif %}), 0)
    as decimal(38, 12)
  )
{%- endmacro -%}

{#-
Our estimate by class, from the sets of billing keys. Terms are known of a request and not of its classes: what they take
off is spread over the classes by list cost, and cumulated, so that the parts sum to the whole.
-#}
{%- macro estimates_by_class(relation, project) -%}
  {%- set listed = [] -%}
  {%- for class in estimated_classes() %}
  select
    usage_date,
    provider,
    {{ project }} as provider_project,
    {% if class == 'fee' %}''{% else %}priced_model{% endif %} as priced_model,
    {% if class == 'fee' %}''{% else %}service_tier{% endif %} as service_tier,
    '{{ class }}' as usage_class,
    {{ 'web_search' if class == 'fee' else class }}_weight as logged_quantity,
    {{ usd_to_units(class ~ '_cost_usd') }} as list_units,
    {{ usd_to_units(class ~ '_cost_usd') }}
    {%- for sign, sofar in {'+': listed + [class], '-': listed}.items() if sofar %}
    {{ sign }} case
      when list_cost_usd = 0 then 0
      else
        {{ whole_division(
          '(' ~ usd_to_units('contracted_cost_usd - list_cost_usd') ~ ') * (' ~ usd_to_units(sofar | join('_cost_usd + ') ~ '_cost_usd') ~ ')',
          usd_to_units('list_cost_usd')
        ) }}
    end
    {%- endfor %} as contracted_units
  from {{ relation }}
  {%- do listed.append(class) %}
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
{%- endmacro -%}

{#- The CTEs `reconciled`: one row per day, provider and `keys`. `project` names the project of a set of billing keys. -#}
{%- macro reconciled_cells(keys, project) -%}
  {%- set cell = ['usage_date', 'provider'] + keys + ['usage_class'] -%}
  estimates as (
    {{ estimates_by_class('weighed', project) }}
  ),

  sides as (
    select
      {{ cell | join(',\n      ') }},
      logged_quantity,
      cast(null as bigint) as provider_quantity,
      list_units,
      contracted_units,
      cast(null as {{ whole_number() }}) as billed_units,
      0 as lines_count
    from estimates
    where logged_quantity <> 0 or list_units <> 0 or contracted_units <> 0
    union all
    select
      usage_date,
      provider,
      {{ keys | join(',\n      ') }},
      case when usage_class = 'web_search' then 'fee' else usage_class end as usage_class,
      cast(null as bigint) as logged_quantity,
      provider_quantity,
      cast(null as {{ whole_number() }}) as list_units,
      cast(null as {{ whole_number() }}) as contracted_units,
      cast(null as {{ whole_number() }}) as billed_units,
      0 as lines_count
    from {{ ref('int_usages__keyed') }}
    where usage_class not in {{ name_list(total_classes()) }}
    union all
    select
      usage_date,
      provider,
      {{ keys | join(',\n      ') }},
      case when usage_class = 'web_search' then 'fee' else usage_class end as usage_class,
      cast(null as bigint) as logged_quantity,
      cast(null as bigint) as provider_quantity,
      cast(null as {{ whole_number() }}) as list_units,
      cast(null as {{ whole_number() }}) as contracted_units,
      charge_units as billed_units,
      lines_count
    from {{ ref('int_charges__keyed') }}
  ),

  cells as (
    select
      {{ cell | join(',\n      ') }},
      coalesce(sum(logged_quantity), 0) as logged_quantity,
      sum(provider_quantity) as provider_quantity,
      coalesce(sum(list_units), 0) as list_units,
      coalesce(sum(contracted_units), 0) as contracted_units,
      sum(billed_units) as billed_units,
      sum(lines_count) as lines_count
    from sides
    group by {{ cell | join(', ') }}
  ),

  counted_days as (
    select distinct
      usage_date,
      provider
    from {{ ref('int_usages__keyed') }}
  ),

  billed_days as (
    select
      usage_date,
      provider,
      count(*) as lines_count
    from {{ ref('fct_provider_charges') }}
    where billed_cost_usd is not null
    group by usage_date, provider
  ),

  compared as (
    -- Once a provider has reported, what it does not list is 0; before, it is unknown.
    select
      {% for column in cell %}cells.{{ column }}, {% endfor %}
      cells.logged_quantity,
      coalesce(cells.provider_quantity, case when counted_days.provider is not null then 0 end) as provider_quantity,
      cells.list_units,
      cells.contracted_units,
      coalesce(cells.billed_units, case when billed_days.provider is not null then 0 end) as billed_units,
      cells.lines_count
    from cells
    left join counted_days
      on cells.usage_date = counted_days.usage_date and cells.provider = counted_days.provider
    left join billed_days
      on cells.usage_date = billed_days.usage_date and cells.provider = billed_days.provider
  ),

  gaps as (
    select
      *,
      case
        when provider_quantity is null or billed_units is null then 0
        when logged_quantity = 0 and contracted_units = 0 then billed_units
        when logged_quantity = 0 then 0
        else {{ whole_division('contracted_units * (provider_quantity - logged_quantity)', 'logged_quantity') }}
      end as usage_gap_units
    from compared
  ),

  reconciled as (
    select
      {{ cell | join(',\n      ') }},
      cast(logged_quantity as bigint) as logged_quantity,
      cast(provider_quantity as bigint) as provider_quantity,
      {{ units_to_usd('list_units') }} as list_cost_usd,
      {{ units_to_usd('contracted_units') }} as contracted_cost_usd,
      {{ units_to_usd('billed_units') }} as billed_cost_usd,
      {{ units_to_usd('billed_units - contracted_units') }} as variance_usd,
      case when billed_units is not null then {{ units_to_usd('usage_gap_units') }} end as usage_gap_usd,
      {{ units_to_usd('billed_units - contracted_units - usage_gap_units') }} as price_gap_usd,
      cast(lines_count as bigint) as lines_count
    from gaps
  )
{%- endmacro -%}
