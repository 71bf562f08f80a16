{#- Where engines differ. DuckDB is the default; a new engine adds its own `<engine>__` macro here and nowhere else. -#}

{%- macro json_text(column, path) -%}
  {{ return(adapter.dispatch('json_text')(column, path)) }}
{%- endmacro -%}
{%- macro default__json_text(column, path) -%}json_extract_string({{ column }}, '{{ path }}'){%- endmacro -%}
{%- macro spark__json_text(column, path) -%}get_json_object({{ column }}, '{{ path }}'){%- endmacro -%}

{#- The same of a text that may be no JSON. -#}
{%- macro text_in_json_if_any(column, path) -%}
  {{ return(adapter.dispatch('text_in_json_if_any')(column, path)) }}
{%- endmacro -%}
{%- macro default__text_in_json_if_any(column, path) -%}
  case when json_valid({{ column }}) then json_extract_string({{ column }}, '{{ path }}') end
{%- endmacro -%}
{%- macro spark__text_in_json_if_any(column, path) -%}get_json_object({{ column }}, '{{ path }}'){%- endmacro -%}

{%- macro json_bigint(column, path) -%}
  try_cast({{ json_text(column, path) }} as bigint)
{%- endmacro -%}

{#- The sum of several counts, of which some may be absent; NULL when all are. DuckDB reads the text once for all paths. -#}
{%- macro json_bigint_sum(column, paths) -%}
  {{ return(adapter.dispatch('json_bigint_sum')(column, paths)) }}
{%- endmacro -%}
{%- macro default__json_bigint_sum(column, paths) -%}
  try_cast(list_sum(list_transform(
    json_extract_string({{ column }}, ['{{ paths | join("', '") }}']), lambda item: try_cast(item as bigint)
  )) as bigint)
{%- endmacro -%}
{%- macro spark__json_bigint_sum(column, paths) -%}
  case
    when coalesce({% for path in paths %}{{ json_bigint(column, path) }}{% if not loop.last %}, {% endif %}{% endfor %}) is not null
      then {% for path in paths %}coalesce({{ json_bigint(column, path) }}, 0){% if not loop.last %} + {% endif %}{% endfor %}
  end
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

{#-
A 64-bit number that orders rows by a weight, up to 2^24, and equals by a hash of a text. DuckDB keeps the largest of these
in a tenth of the time that it takes for the largest row(weight, text).
-#}
{%- macro weight_order(weight, text) -%}
  {{ return(adapter.dispatch('weight_order')(weight, text)) }}
{%- endmacro -%}
{%- macro default__weight_order(weight, text) -%}
  cast(least({{ weight }}, 16777215) as bigint) * 549755813888 + cast(hash({{ text }}) % 549755813888 as bigint)
{%- endmacro -%}
{%- macro spark__weight_order(weight, text) -%}
  cast(least({{ weight }}, 16777215) as bigint) * 549755813888 + pmod(xxhash64({{ text }}), 549755813888)
{%- endmacro -%}

{#- The widest whole number of the engine. -#}
{%- macro whole_number() -%}
  {{ return(adapter.dispatch('whole_number')()) }}
{%- endmacro -%}
{%- macro default__whole_number() -%}hugeint{%- endmacro -%}
{%- macro spark__whole_number() -%}decimal(38, 0){%- endmacro -%}

{#- The part of a text between separators, from 1. -#}
{%- macro text_part(text, separator, number) -%}
  split_part({{ text }}, '{{ separator }}', {{ number }})
{%- endmacro -%}

{#- What follows the first time that a text holds `mark`. -#}
{%- macro text_after(text, mark) -%}
  {{ return(adapter.dispatch('text_after')(text, mark)) }}
{%- endmacro -%}
{%- macro default__text_after(text, mark) -%}substr({{ text }}, strpos({{ text }}, '{{ mark }}') + {{ mark | length }}){%- endmacro -%}
{%- macro spark__text_after(text, mark) -%}substr({{ text }}, instr({{ text }}, '{{ mark }}') + {{ mark | length }}){%- endmacro -%}

{#- Minutes since midnight UTC. -#}
{%- macro utc_minute_of_day(moment) -%}
  {{ return(adapter.dispatch('utc_minute_of_day')(moment)) }}
{%- endmacro -%}
{%- macro default__utc_minute_of_day(moment) -%}(epoch_us({{ moment }}) // 60000000 % 1440){%- endmacro -%}
{%- macro spark__utc_minute_of_day(moment) -%}pmod(unix_micros({{ moment }}) div 60000000, 1440){%- endmacro -%}

{#- A text after every text that a log can hold: the last character that there is. -#}
{%- macro after_any_text() -%}
  {{ return(adapter.dispatch('after_any_text')()) }}
{%- endmacro -%}
{%- macro default__after_any_text() -%}chr(1114111){%- endmacro -%}
{%- macro spark__after_any_text() -%}decode(unhex('F48FBFBF'), 'UTF-8'){%- endmacro -%}

{#- The counts of one modality in a list of {modality, tokenCount}, as Gemini states them; NULL when it is not in it. -#}
{%- macro json_modality_count(column, path, modality) -%}
  {{ return(adapter.dispatch('json_modality_count')(column, path, modality)) }}
{%- endmacro -%}
{%- macro default__json_modality_count(column, path, modality) -%}
  try_cast(list_extract(
    json_extract_string({{ column }}, '{{ path }}[*].tokenCount'),
    list_position(json_extract_string({{ column }}, '{{ path }}[*].modality'), '{{ modality }}')
  ) as bigint)
{%- endmacro -%}
{%- macro spark__json_modality_count(column, path, modality) -%}
  aggregate(
    filter(
      from_json(get_json_object({{ column }}, '{{ path }}'), 'array<struct<modality:string,tokenCount:bigint>>'),
      item -> item.modality = '{{ modality }}'
    ), cast(null as bigint), (total, item) -> coalesce(total, 0) + item.tokenCount
  )
{%- endmacro -%}

{#- A JSON object as text. -#}
{%- macro json_object_text(fields) -%}
  {{ return(adapter.dispatch('json_object_text')(fields)) }}
{%- endmacro -%}
{%- macro default__json_object_text(fields) -%}
  cast(json_object({% for name, value in fields.items() %}'{{ name }}', {{ value }}{% if not loop.last %}, {% endif %}{% endfor %}) as varchar)
{%- endmacro -%}
{%- macro spark__json_object_text(fields) -%}
  to_json(named_struct({% for name, value in fields.items() %}'{{ name }}', {{ value }}{% if not loop.last %}, {% endif %}{% endfor %}))
{%- endmacro -%}

{#- Ends the statement with a message, as a condition. -#}
{%- macro refuse(message) -%}
  {{ return(adapter.dispatch('refuse')(message)) }}
{%- endmacro -%}
{%- macro default__refuse(message) -%}error({{ message }}) is null{%- endmacro -%}
{%- macro spark__refuse(message) -%}raise_error({{ message }}) is null{%- endmacro -%}

{#- An amount of dollars as people write it: 1,234.50. -#}
{%- macro money_text(amount_usd) -%}
  {{ return(adapter.dispatch('money_text')(amount_usd)) }}
{%- endmacro -%}
{%- macro default__money_text(amount_usd) -%}format('{:,.2f}', cast({{ amount_usd }} as double)){%- endmacro -%}
{%- macro spark__money_text(amount_usd) -%}format_number({{ amount_usd }}, 2){%- endmacro -%}

{#- Texts of a group in one, comma between them, in the order of `rank`; NULL when the condition leaves none. -#}
{%- macro text_list(text, rank, condition) -%}
  {{ return(adapter.dispatch('text_list')(text, rank, condition)) }}
{%- endmacro -%}
{%- macro default__text_list(text, rank, condition) -%}
  string_agg({{ text }}, ', ' order by {{ rank }}) filter (where {{ condition }})
{%- endmacro -%}
{%- macro spark__text_list(text, rank, condition) -%}
  nullif(array_join(transform(array_sort(collect_list(case when {{ condition }} then struct({{ rank }} as place, {{ text }} as words) end)), x -> x.words), ', '), '')
{%- endmacro -%}

{#- The sum of doubles in the order of their size: without an order a model that is built twice differs in its last digits. -#}
{%- macro steady_sum(value) -%}
  {{ return(adapter.dispatch('steady_sum')(value)) }}
{%- endmacro -%}
{%- macro default__steady_sum(value) -%}sum({{ value }} order by {{ value }}){%- endmacro -%}
{%- macro spark__steady_sum(value) -%}
  aggregate(array_sort(collect_list({{ value }})), cast(0 as double), (total, one) -> total + one)
{%- endmacro -%}

{#- A query of the days from `first` to `last`, both inclusive, in the column usage_date. -#}
{%- macro days_between(first, last) -%}
  {{ return(adapter.dispatch('days_between')(first, last)) }}
{%- endmacro -%}
{%- macro default__days_between(first, last) -%}
  select unnest(generate_series({{ first }}, {{ last }}, interval '1 day')) as usage_date
{%- endmacro -%}
{%- macro spark__days_between(first, last) -%}
  select explode(sequence({{ first }}, {{ last }}, interval 1 day)) as usage_date
{%- endmacro -%}

{#- A query of the whole numbers 1 to `last`, in the column step_days. -#}
{%- macro numbers_to(last) -%}
  {{ return(adapter.dispatch('numbers_to')(last)) }}
{%- endmacro -%}
{%- macro default__numbers_to(last) -%}select unnest(generate_series(1, {{ last }})) as step_days{%- endmacro -%}
{%- macro spark__numbers_to(last) -%}select explode(sequence(1, {{ last }})) as step_days{%- endmacro -%}

{#- How alike two names are, 0 to 1; for people to look at, never to price by. -#}
{%- macro name_similarity(one, other) -%}
  {{ return(adapter.dispatch('name_similarity')(one, other)) }}
{%- endmacro -%}
{%- macro default__name_similarity(one, other) -%}jaro_winkler_similarity({{ one }}, {{ other }}){%- endmacro -%}
{%- macro spark__name_similarity(one, other) -%}
  (1 - levenshtein({{ one }}, {{ other }}) / greatest(length({{ one }}), length({{ other }}), 1))
{%- endmacro -%}
