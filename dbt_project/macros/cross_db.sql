{#- Where engines differ. DuckDB is the default; a new engine adds its own `<engine>__` macro here and nowhere else. -#}

{%- macro json_text(column, path) -%}
  {{ return(adapter.dispatch('json_text')(column, path)) }}
{%- endmacro -%}
{%- macro default__json_text(column, path) -%}json_extract_string({{ column }}, '{{ path }}'){%- endmacro -%}
{%- macro spark__json_text(column, path) -%}get_json_object({{ column }}, '{{ path }}'){%- endmacro -%}

{%- macro json_bigint(column, path) -%}
  try_cast({{ json_text(column, path) }} as bigint)
{%- endmacro -%}

{#- A value of the row at which another column is largest. -#}
{%- macro value_at_max(value, by) -%}
  {{ return(adapter.dispatch('value_at_max')(value, by)) }}
{%- endmacro -%}
{%- macro default__value_at_max(value, by) -%}arg_max({{ value }}, {{ by }}){%- endmacro -%}
{%- macro spark__value_at_max(value, by) -%}max_by({{ value }}, {{ by }}){%- endmacro -%}

{#- A 64-bit hash of a text; only ever used to find candidates, never as an identity. -#}
{%- macro hash64(expression) -%}
  {{ return(adapter.dispatch('hash64')(expression)) }}
{%- endmacro -%}
{%- macro default__hash64(expression) -%}hash({{ expression }}){%- endmacro -%}
{%- macro spark__hash64(expression) -%}xxhash64({{ expression }}){%- endmacro -%}

{#- Whole division of two 128-bit whole numbers, rounding towards zero; both must be positive. -#}
{%- macro whole_division(numerator, denominator) -%}
  {{ return(adapter.dispatch('whole_division')(numerator, denominator)) }}
{%- endmacro -%}
{%- macro default__whole_division(numerator, denominator) -%}({{ numerator }}) // ({{ denominator }}){%- endmacro -%}
{%- macro spark__whole_division(numerator, denominator) -%}({{ numerator }}) div ({{ denominator }}){%- endmacro -%}

{#- The value of the lowest rank that is not NULL. -#}
{%- macro first_known_value(column, rank) -%}
  {{ return(adapter.dispatch('first_known_value')(column, rank)) }}
{%- endmacro -%}
{%- macro default__first_known_value(column, rank) -%}arg_min({{ column }}, {{ rank }}){%- endmacro -%}
{%- macro spark__first_known_value(column, rank) -%}min_by({{ column }}, {{ rank }}) filter (where {{ column }} is not null){%- endmacro -%}

{#- A number that orders rows by a moment and, within one, by a text: a total order that costs no more than the moment. -#}
{%- macro moment_order(moment, text) -%}
  {{ return(adapter.dispatch('moment_order')(moment, text)) }}
{%- endmacro -%}
{%- macro default__moment_order(moment, text) -%}
  cast(epoch_us({{ moment }}) as hugeint) * 4294967296 + cast(hash({{ text }}) % 4294967296 as hugeint)
{%- endmacro -%}
{%- macro spark__moment_order(moment, text) -%}
  cast(unix_micros({{ moment }}) as decimal(38, 0)) * 4294967296 + pmod(xxhash64({{ text }}), 4294967296)
{%- endmacro -%}

{#- The widest whole number of the engine. -#}
{%- macro whole_number() -%}
  {{ return(adapter.dispatch('whole_number')()) }}
{%- endmacro -%}
{%- macro default__whole_number() -%}hugeint{%- endmacro -%}
{%- macro spark__whole_number() -%}decimal(38, 0){%- endmacro -%}
