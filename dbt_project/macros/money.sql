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
    when coalesce({{ weight }}, 0) <= 0 or coalesce({{ denominator }}, 0) = 0 then cast(0 as {{ whole_number() }})
    else {{ whole_division('cast(' ~ units ~ ' as ' ~ whole_number() ~ ') * cast(' ~ weight ~ ' as ' ~ whole_number() ~ ')', 'cast(' ~ denominator ~ ' as ' ~ whole_number() ~ ')') }}
  end
{%- endmacro -%}

{#- What the tokens of several classes cost together; `suffix` names the price: list or contracted. -#}
{%- macro sum_of_class_costs(classes, suffix) -%}
  {%- for class in classes -%}
    {{ class_cost_usd(class ~ '_class_tokens', class ~ suffix) }}
    {%- for part, whole in part_classes().items() if whole == class %}
    + {{ part_cost_usd(part, class, suffix) }}
    {%- endfor -%}
    {%- if not loop.last %}
    + {% endif -%}
  {%- endfor -%}
{%- endmacro -%}

{#- What the tokens of a part cost more (or less) than the class that they are counted in; 0 where it is priced alike. -#}
{%- macro part_cost_usd(part, class, suffix) -%}
  {%- set count = 'reasoning_tokens' if part == 'reasoning' else other_count(part) -%}
  coalesce(
      case
        -- Stated, in words: DuckDB's least() of NULL and a number is the number.
        when {{ count_is_stated(part) }} and {{ part }}{{ suffix }} is not null and {{ count }} > 0
          then {{ token_cost_usd('least(' ~ count ~ ', ' ~ class ~ '_class_tokens)', '(' ~ part ~ suffix ~ ' - ' ~ class ~ suffix ~ ')') }}
      end, {{ zero_usd() }}
    )
{%- endmacro -%}

{#- Rows that state no such count must not pay for reading JSON. -#}
{%- macro count_is_stated(class) -%}
  {{ 'reasoning_tokens > 0' if class == 'reasoning' else 'other_usage is not null' }}
{%- endmacro -%}

{#- The count of a class without a column of its own; NULL when the request states none. -#}
{%- macro other_count(class, column='other_usage') -%}
  {{ json_bigint(column, '$.' ~ class) }}
{%- endmacro -%}

{#- What any of the things costs that are billed instead of tokens and have no column; NULL when none of them is priced. -#}
{%- macro other_apiece_cost(column, prices) -%}
  case
        when {{ column }} is not null
          then coalesce(
            {%- for class, own_column in apiece_classes().items() if not own_column %}
            {{ other_count(class, column) }} * {{ prices }}.{{ class }}_usd_per_unit{% if not loop.last %},{% endif %}
            {%- endfor %}
          )
      end
{%- endmacro -%}

{#- What the things of a class cost; 0 when there are none, NULL when there are some and no price is known. -#}
{%- macro things_cost_usd(class, column, suffix) -%}
  {%- if column -%}
    {{ fee_cost_usd(column, class ~ suffix) }}
  {%- else -%}
    case when other_usage is null then {{ zero_usd() }} else {{ fee_cost_usd(other_count(class), class ~ suffix) }} end
  {%- endif -%}
{%- endmacro -%}

{#-
The fee of a request: what costs extra, and what is billed instead of tokens. A thing that nobody charges for beside
another that is charged (the characters of an answer that is billed by the second) costs nothing.
-#}
{%- macro fees_cost_usd(suffix) -%}
  {%- for class, column in extra_classes().items() -%}
    {{ things_cost_usd(class, column, suffix) }} +
  {% endfor -%}
  case
      when not is_billed_apiece then {{ zero_usd() }}
      when not has_apiece_cost then null
      else
        {%- for class, column in apiece_classes().items() %}
        coalesce({{ things_cost_usd(class, column, suffix) }}, {{ zero_usd() }}){% if not loop.last %} +{% endif %}
        {%- endfor %}
    end
    + coalesce({{ usd('request' ~ suffix) }}, {{ zero_usd() }})
{%- endmacro -%}

{#- What a request costs at another set of prices, all components together. -#}
{%- macro agreed_cost_usd(components, suffix) -%}
  {%- for classes in components.values() -%}
    case when is_billed_apiece then {{ zero_usd() }} else {{ sum_of_class_costs(classes, suffix) }} end +
    {% endfor -%}
  {{ fees_cost_usd(suffix) }}
{%- endmacro -%}

{#- Dollars as a whole number of 10^-9 dollars, NULL for unknown: only ever a weight, never an amount. -#}
{%- macro estimate_in_nano_usd(column) -%}
  cast(cast({{ column }} as decimal(28, 12)) * cast(1000000000 as decimal(10, 0)) as bigint)
{%- endmacro -%}

{#-
What requests of this weight pay for, in the unit of the weight, when the provider counted `counted` and they logged
`logged` of it. Rounded up, so that they never take more than their part; the weight itself where logs cover the count.
-#}
{%- macro weight_of_all(weight, logged, counted) -%}
  case
    when {{ logged }} = 0 or {{ counted }} <= {{ logged }} then {{ weight }}
    else {{ whole_division(weight ~ ' * ' ~ counted ~ ' + ' ~ logged ~ ' - 1', logged) }}
  end
{%- endmacro -%}
