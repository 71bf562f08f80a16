-- One row per price that was believed at the moment the warehouse is built for: the generated book and the corrections
-- on top of it. Empty text is NULL; a price is per token or per thing, exact.
{{ config(materialized='table') }}
with rows_of_both as (
  select * from {{ source('pricing', 'model_prices') }}
  union all by name
  select * from {{ source('pricing', 'price_overrides') }}
),

typed as (
  select
    price_id,
    provider,
    lower(model) as model,
    usage_class,
    coalesce(nullif(service_tier, ''), 'standard') as service_tier,
    cast(coalesce(nullif(context_from_tokens, ''), '0') as bigint) as context_from_tokens,
    coalesce(lower(region), '') as region,
    {%- for edge in ['from', 'to'] %}
    cast(substr(nullif(utc_time_{{ edge }}, ''), 1, 2) as integer) * 60
    + cast(substr(nullif(utc_time_{{ edge }}, ''), 4, 2) as integer) as utc_minute_{{ edge }},
    {%- endfor %}
    cast(valid_from as timestamp with time zone) as valid_from,
    cast(coalesce(nullif(valid_to, ''), '9999-01-01T00:00:00Z') as timestamp with time zone) as valid_to,
    cast(known_from as timestamp with time zone) as known_from,
    cast(coalesce(nullif(known_to, ''), '9999-01-01T00:00:00Z') as timestamp with time zone) as known_to,
    cast(
      case
        when nullif(price_usd_per_mtok, '') is not null
          then cast(price_usd_per_mtok as decimal(18, 6)) * cast(0.000001 as decimal(7, 6))
        else cast(nullif(price_usd_per_kcount, '') as decimal(18, 9)) * cast(0.001 as decimal(4, 3))
      end as decimal(18, 12)
    ) as usd_per_unit,
    cast(precedence as integer) as precedence,
    source,
    source_version,
    nullif(source_url, '') as source_url
  from rows_of_both
)

select *
from typed
where
  {% set moment = env_var('TRUEUP_AS_KNOWN_AT', '') %}
  {%- if moment %}
  known_from <= cast('{{ moment }}' as timestamp with time zone)
  and known_to > cast('{{ moment }}' as timestamp with time zone)
  {%- else %}
  known_to = cast('9999-01-01T00:00:00Z' as timestamp with time zone)
  {%- endif %}
