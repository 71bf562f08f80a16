{#- Reading what has landed, as it was known at one moment. Pull ids begin with their UTC time, so they sort by it. -#}

{%- macro as_known_pull_id() -%}
  {%- set moment = env_var('TRUEUP_AS_KNOWN_AT', '') -%}
  {%- if moment -%}
    {%- set parsed = modules.datetime.datetime.fromisoformat(moment).astimezone(modules.pytz.utc) -%}
    '{{ parsed.strftime('%Y%m%dT%H%M%S%fZ') }}-g'
  {%- else -%}
    '9'
  {%- endif -%}
{%- endmacro -%}

{#- A log: every segment that had landed by then. -#}
{%- macro landed_log(table_name) -%}
  (
    select * from {{ source('landing', table_name) }}
    where pull_id < {{ as_known_pull_id() }}
  )
{%- endmacro -%}

{#- Whole days that later pulls replace: the newest pull of each source and day. -#}
{%- macro landed_window(table_name) -%}
  (
    select landed.*
    from {{ source('landing', table_name) }} as landed
    inner join {{ ref('stg_landing__current_pulls') }} as current_pulls
      on
        landed.source_name = current_pulls.source_name
        and landed.usage_date = current_pulls.usage_date
        and landed.pull_id = current_pulls.pull_id
        and current_pulls.table_name = '{{ table_name }}'
  )
{%- endmacro -%}

{#- Full copies: the newest pull of each source. -#}
{%- macro landed_state(table_name) -%}
  (
    select landed.*
    from {{ source('landing', table_name) }} as landed
    inner join (
      select
        source_name,
        max(pull_id) as pull_id
      from {{ source('landing', 'manifest') }}
      where table_name = '{{ table_name }}' and pull_id < {{ as_known_pull_id() }}
      group by source_name
    ) as newest
      on landed.source_name = newest.source_name and landed.pull_id = newest.pull_id
  )
{%- endmacro -%}
