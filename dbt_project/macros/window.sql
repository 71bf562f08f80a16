{#-
The window strategy: a run replaces whole UTC days, [--event-time-start, --event-time-end), by what the days are now. A day
that has become empty becomes empty, twice is the same as once, and days may be built in any order.

One statement builds all days of a run. dbt's microbatch builds each day with statements of its own, and planning the
request pipeline takes 0.7 s a day, whatever the day holds: 31 small days took 88 s that way and 5 s this way (one lab).
How many days one run may hold, so that it fits into memory, is the runner's business (orchestration/warehouse).

Without a window (unit tests, docs, a plain dbt build) the predicates are true and everything is replaced.
-#}

{%- macro built_day(moment, offset_days) -%}
  {%- set shifted = moment + modules.datetime.timedelta(days=offset_days) -%}
  cast('{{ shifted.strftime('%Y-%m-%d') }}' as date)
{%- endmacro -%}

{#- The days that this run builds, moved by `offset_days`. -#}
{%- macro on_built_days(column='usage_date', offset_days=0) -%}
  {{ between_built_days(column, offset_days, offset_days) }}
{%- endmacro -%}

{#- The first day that this run builds; the first of all days where it builds everything. -#}
{%- macro first_built_day() -%}
  {%- set start = invocation_args_dict.get('event_time_start') -%}
  {{ built_day(start, 0) if start else "cast('1970-01-01' as date)" }}
{%- endmacro -%}

{#- From the first day + `first_offset` to the last day + `last_offset`. -#}
{%- macro between_built_days(column, first_offset, last_offset) -%}
  {#- Not `flags`: dbt gives it a fixed list of names, and every other name is undefined there, silently. -#}
  {%- set start, end = invocation_args_dict.get('event_time_start'), invocation_args_dict.get('event_time_end') -%}
  {%- if start and end -%}
    {{ column }} >= {{ built_day(start, first_offset) }} and {{ column }} < {{ built_day(end, last_offset) }}
  {%- else -%}
    true
  {%- endif -%}
{%- endmacro -%}

{#- Days after those of a run whose rows change with them, because they are compared with the days before. -#}
{%- macro days_after() -%}
  {{ return(model.config.meta.get('days_after', 0)) }}
{%- endmacro -%}

{#- A data test on a daily model looks at the days that this run builds, so that a day costs the same after years. -#}
{%- macro get_where_subquery(relation) -%}
  {%- set where = config.get('where', '') -%}
  {%- if where == 'built_days' -%}
    {%- do return("(select * from " ~ relation ~ " where " ~ on_built_days() ~ ") dbt_subquery") -%}
  {%- elif where -%}
    {%- do return("(select * from " ~ relation ~ " where " ~ where ~ ") dbt_subquery") -%}
  {%- else -%}
    {%- do return(relation) -%}
  {%- endif -%}
{%- endmacro -%}

{%- macro generate_schema_name(custom_schema_name, node) -%}
  {{ custom_schema_name if custom_schema_name else target.schema }}
{%- endmacro -%}
