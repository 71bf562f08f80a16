{#-
Money arithmetic, in one place. decimal(19,0) x decimal(18,12) = decimal(37,12) keeps all twelve digits on DuckDB and
Spark alike; with bigint Spark loses digits, and decimal(18,0) types the product decimal(18,12) on DuckDB, which
overflows above a million dollars. Nothing here divides.
-#}

{%- macro usd(expression) -%}
  cast({{ expression }} as decimal(38, 12))
{%- endmacro -%}

{#- Cents, also in fractions of a cent, as dollars. -#}
{%- macro usd_of_cents(expression) -%}
  cast(cast({{ expression }} as decimal(28, 10)) * cast(0.01 as decimal(3, 2)) as decimal(38, 12))
{%- endmacro -%}

{%- macro zero_usd() -%}
  cast(0 as decimal(38, 12))
{%- endmacro -%}

{#- tokens x price per token; NULL when either is unknown. -#}
{%- macro token_cost_usd(tokens, usd_per_token) -%}
  cast(cast({{ tokens }} as decimal(19, 0)) * {{ usd_per_token }} as decimal(38, 12))
{%- endmacro -%}

{#- tokens x price, 0 when there are no tokens of the class (whatever its price), NULL when there are and no price is known. -#}
{%- macro class_cost_usd(tokens, usd_per_token) -%}
  case when {{ tokens }} = 0 then {{ zero_usd() }} else {{ token_cost_usd(tokens, usd_per_token) }} end
{%- endmacro -%}

{#- A ratio is the last thing computed, and the only place where money meets a double. -#}
{%- macro ratio(numerator, denominator) -%}
  cast({{ numerator }} as double) / nullif(cast({{ denominator }} as double), 0)
{%- endmacro -%}

{#- things x price apiece; 0 when there are none, NULL when there are some and no price is known. -#}
{%- macro fee_cost_usd(count, usd_per_unit) -%}
  case when coalesce({{ count }}, 0) = 0 then {{ zero_usd() }} else cast({{ count }} * {{ usd_per_unit }} as decimal(38, 12)) end
{%- endmacro -%}

{#- Dollars as a whole number of 10^-12 dollars, and back: what is split is split in whole units, so nothing is lost. -#}
{%- macro usd_to_units(expression) -%}
  cast(cast({{ expression }} as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0)) as {{ whole_number() }})
{%- endmacro -%}

{%- macro units_to_usd(expression) -%}
  cast(cast({{ expression }} as decimal(26, 0)) * cast(0.000000000001 as decimal(12, 12)) as decimal(38, 12))
{%- endmacro -%}

{#- The whole units that `weight` of `denominator` gets of `units`, rounded towards zero; 0 where nothing is weighed. -#}
{%- macro share_of_units(units, weight, denominator) -%}
  case
    when coalesce({{ weight }}, 0) = 0 or coalesce({{ denominator }}, 0) = 0 then cast(0 as {{ whole_number() }})
    else {{ whole_division('cast(' ~ units ~ ' as ' ~ whole_number() ~ ') * cast(' ~ weight ~ ' as ' ~ whole_number() ~ ')', 'cast(' ~ denominator ~ ' as ' ~ whole_number() ~ ')') }}
  end
{%- endmacro -%}

{#- What the tokens of several classes cost together; the price of a class stands in the column `<class>_price`. -#}
{%- macro sum_of_class_costs(classes) -%}
  {%- for class in classes -%}
    {{ class_cost_usd(class ~ '_class_tokens', class ~ '_price') }}{% if not loop.last %} + {% endif %}
  {%- endfor -%}
{%- endmacro -%}
