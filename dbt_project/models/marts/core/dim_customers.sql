-- One row per tenant and span of time in which what we knew of it did not change. The history is the history of the
-- landed pulls, so it is rebuilt from landing like everything else; the first version holds since ever.
{{ config(tags=['rollup']) }}
with versions as (
  select
    *,
    concat_ws(
      '|', coalesce(customer_id, ''), coalesce(customer_name, ''), billing_timezone, coalesce(owner_email, '')
    ) as version_content,
    -- A day has one word on a tenant, the last.
    row_number() over (
      partition by tenant_id, pulled_on
      order by pull_id desc, source_name, customer_id, customer_name
    ) as word_of_day
  from {{ ref('stg_company__customers') }}
),

changes as (
  select
    *,
    lag(version_content) over (partition by tenant_id order by pulled_on) as previous_content
  from versions
  where word_of_day = 1
),

kept as (
  select
    *,
    row_number() over (partition by tenant_id order by pulled_on) as version_number
  from changes
  where previous_content is null or previous_content <> version_content
)

select
  tenant_id,
  customer_id,
  customer_name,
  billing_timezone,
  owner_email,
  created_at,
  cast(case when version_number = 1 then cast('1970-01-01' as date) else pulled_on end as date) as valid_from,
  cast(
    coalesce(lead(pulled_on) over (partition by tenant_id order by version_number), cast('9999-01-01' as date)) as date
  ) as valid_to,
  lead(pulled_on) over (partition by tenant_id order by version_number) is null as is_current
from kept
