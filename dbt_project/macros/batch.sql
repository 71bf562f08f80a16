{#-
The day that a microbatch model builds. dbt filters every ref() that has an event_time to that day; a model that must
look over midnight reads `.render()` and names its days with these macros. Outside a batch (unit tests, compile, docs)
there is no day, and the predicates are true.
-#}

{%- macro batch_day() -%}
  {%- set batch = model.get('batch') if model is defined and model else none -%}
  {%- if batch and batch.get('event_time_start') -%}
    {{ return(batch.get('event_time_start').strftime('%Y-%m-%d')) }}
  {%- endif -%}
  {{ return(none) }}
{%- endmacro -%}

{#- usage_date = the batch's day + offset -#}
{%- macro on_batch_day(column, offset_days=0) -%}
  {%- set day = batch_day() -%}
  {%- if day -%}
    {%- set shifted = modules.datetime.datetime.strptime(day, '%Y-%m-%d') + modules.datetime.timedelta(days=offset_days) -%}
    {{ column }} = cast('{{ shifted.strftime('%Y-%m-%d') }}' as date)
  {%- else -%}
    true
  {%- endif -%}
{%- endmacro -%}

{#- first_offset <= usage_date - day <= last_offset -#}
{%- macro between_batch_days(column, first_offset, last_offset) -%}
  {%- set day = batch_day() -%}
  {%- if day -%}
    {%- set origin = modules.datetime.datetime.strptime(day, '%Y-%m-%d') -%}
    {%- set first = origin + modules.datetime.timedelta(days=first_offset) -%}
    {%- set last = origin + modules.datetime.timedelta(days=last_offset) -%}
    {{ column }} between cast('{{ first.strftime('%Y-%m-%d') }}' as date) and cast('{{ last.strftime('%Y-%m-%d') }}' as date)
  {%- else -%}
    true
  {%- endif -%}
{%- endmacro -%}

{#-
A batch is read once, by the insert: let it be a view instead of a temporary table. dbt-duckdb writes each batch to a
temporary table first, which costs a second write of every request.
-#}
{%- macro duckdb__create_table_as(temporary, relation, compiled_code, language='sql', partitioned_by=none, sorted_by=none) -%}
  {%- if temporary and language == 'sql' and config.get('incremental_strategy') == 'microbatch' -%}
    create or replace temporary view {{ relation.include(database=false, schema=false) }} as (
      {{ compiled_code }}
    );
  {%- else -%}
    {{ return(dbt.duckdb__create_table_as(temporary, relation, compiled_code, language, partitioned_by, sorted_by)) }}
  {%- endif -%}
{%- endmacro -%}

{#- A data test on a daily model looks at the days that this run builds, so that a day costs the same after years. -#}
{%- macro get_where_subquery(relation) -%}
  {%- set where = config.get('where', '') -%}
  {%- if where == 'built_days' -%}
    {%- set start = flags.EVENT_TIME_START -%}
    {%- set end = flags.EVENT_TIME_END -%}
    {%- if start and end -%}
      {%- set predicate = "usage_date >= cast('" ~ start.strftime('%Y-%m-%d') ~ "' as date) and usage_date < cast('" ~ end.strftime('%Y-%m-%d') ~ "' as date)" -%}
    {%- else -%}
      {%- set predicate = "true" -%}
    {%- endif -%}
    {%- do return("(select * from " ~ relation ~ " where " ~ predicate ~ ") dbt_subquery") -%}
  {%- elif where -%}
    {%- do return("(select * from " ~ relation ~ " where " ~ where ~ ") dbt_subquery") -%}
  {%- else -%}
    {%- do return(relation) -%}
  {%- endif -%}
{%- endmacro -%}

{%- macro generate_schema_name(custom_schema_name, node) -%}
  {{ custom_schema_name if custom_schema_name else target.schema }}
{%- endmacro -%}
