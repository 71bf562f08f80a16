{#- The steps that every level of the true-up repeats: see int_charges__allocated. -#}

{#- What a level's requests take of its cells. `cells` has charge_units and passed_quantity; `demands` the claims. -#}
{%- macro taken_of_cells(cells, level) -%}
  select
    sized.*,
    {{ share_of_units('charge_units', 'weight', 'denominator') }} as taken_units
  from (
    select
      weighed.*,
      {{ weight_of_all('weight', 'logged_quantity', 'counted_quantity') }} as denominator
    from (
      select
        cells.*,
        demands.provider_quantity,
        cells.passed_quantity + coalesce(demands.provider_quantity, 0) as counted_quantity,
        coalesce(demands.logged_quantity, 0) as logged_quantity,
        coalesce(demands.weight, 0) as weight
      from {{ cells }} as cells
      left join (select * from demands where cell_level = '{{ level }}') as demands
        on
          cells.usage_date = demands.usage_date
          and cells.provider = demands.provider
          and cells.provider_account = demands.cell_account
          and cells.provider_api_key_id = demands.cell_api_key_id
          and cells.provider_project = demands.cell_project
          and cells.priced_model = demands.cell_model
          and cells.service_tier = demands.cell_tier
          and cells.usage_class = demands.usage_class
    ) as weighed
  ) as sized
{%- endmacro -%}

{#- What cells hand on to the next level: the charge that was not taken, and the count that was not logged. -#}
{%- macro passed_on() -%}
  cast(0 as {{ whole_number() }}) as own_units,
  charge_units - taken_units as charge_units,
  greatest(counted_quantity - logged_quantity, 0) as passed_quantity
{%- endmacro -%}

{#- What flows together in one cell of a level. -#}
{%- macro sum_of_cells() -%}
  {%- for figure in ['own_units', 'charge_units', 'passed_quantity'] %}
    cast(sum({{ figure }}) as {{ whole_number() }}) as {{ figure }}{% if not loop.last %},{% endif %}
  {%- endfor %}
{%- endmacro -%}

{#- The units that a request takes of a class. -#}
{%- macro units_of_request(class, weight) -%}
  {{ share_of_units('prices.' ~ class ~ '_charge_units', weight, 'prices.' ~ class ~ '_denominator') }}
{%- endmacro -%}

{#- What requests weigh together; unknown and impossible counts weigh nothing. -#}
{%- macro sum_of_weights(weight) -%}
  cast(coalesce(sum(case when {{ weight }} > 0 then cast({{ weight }} as bigint) end), 0) as bigint)
{%- endmacro -%}

{#- What the requests of one set of billing keys were given of a class, and the heaviest of them. -#}
{%- macro given_of_class(class) -%}
  {%- set pays = 'prices.' ~ class ~ '_denominator > 0 and requests.' ~ class ~ '_weight > 0' -%}
  {%- set order = weight_order('requests.' ~ class ~ '_weight', 'requests.request_key') -%}
  sum({{ units_of_request(class, 'requests.' ~ class ~ '_weight') }}) as {{ class }}_given_units,
    max(case when {{ pays }} then {{ order }} end) as {{ class }}_order,
    {{ value_at_max('requests.request_key', 'case when ' ~ pays ~ ' then ' ~ order ~ ' end') }} as {{ class }}_request_key
{%- endmacro -%}
