{#- How the price book becomes one table that a request is joined with once. -#}

{#-
Ranges that cover all text, for each model of `models`: each of its points in `points`, and what lies between them
(`point` NULL). An exact match or else the rest is thereby a range, and a range is a condition of a hash join.
A point ends before itself with a space added; no place or account goes on with a character below the space.
-#}
{%- macro text_ranges(models, points) -%}
  select
    provider,
    model,
    point,
    point as range_from,
    point || ' ' as range_to
  from {{ points }}
  union all
  select
    provider,
    model,
    null as point,
    range_from,
    range_to
  from (
    select
      provider,
      model,
      point as range_to,
      coalesce(lag(point) over (partition by provider, model order by point) || ' ', '') as range_from
    from {{ points }}
    union all
    select
      models.provider,
      models.model,
      {{ after_any_text() }} as range_to,
      coalesce(max(points.point) || ' ', '') as range_from
    from {{ models }} as models
    left join {{ points }} as points on models.provider = points.provider and models.model = points.model
    group by models.provider, models.model
  ) as gaps
  where range_from < range_to
{%- endmacro -%}

{#- The classes that are counted in tokens, as a list of SQL texts. -#}
{%- macro token_class_list() -%}
  '{{ (token_classes() + (part_classes() | list)) | join("', '") }}'
{%- endmacro -%}

{#-
The price of a class in the pivoted book. A class without a price of its own has that of the next of its chain; a part
stays NULL, because its tokens are in the class that it is a part of and are charged there. Kinds: list, contracted.
-#}
{%- macro price_with_fallback(class, kind) -%}
  {%- set part_of = part_classes().get(class) -%}
  {%- set found = [] -%}
  {%- for candidate in [class] + fallback_classes().get(class, []) -%}
    {%- set own = 'listed_pivoted.' ~ candidate ~ '_listed' -%}
    {%- set price = 'coalesce(agreed_pivoted.' ~ candidate ~ '_agreed, ' ~ own ~ ')' if kind == 'contracted' else own -%}
    {%- if part_of and candidate == part_of -%}
      {%- do found.append('STOP') -%}
    {%- elif 'STOP' in found -%}
      {#- Only where the class that it is a part of has no price does the chain of a part go on. -#}
      {%- set whole = 'listed_pivoted.' ~ part_of ~ '_listed' -%}
      {%- if candidate not in fallback_classes().get(part_of, []) -%}
        {%- do found.append('case when ' ~ whole ~ ' is null then ' ~ price ~ ' end') -%}
      {%- endif -%}
    {%- else -%}
      {%- do found.append(price) -%}
    {%- endif -%}
  {%- endfor -%}
  {%- set found = found | reject('equalto', 'STOP') | list -%}
  {%- if found | length == 1 -%}{{ found[0] }}{%- else -%}coalesce({{ found | join(', ') }}){%- endif -%}
{%- endmacro -%}
