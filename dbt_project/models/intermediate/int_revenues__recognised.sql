-- One row per tenant and UTC day of service: revenue that was earned on it. A line is earned evenly over its days in whole
-- units of 10^-12 USD, what is earned by the end of day k being units x k // days, so the days of a line are the line. A line
-- without days of service is earned on the day on which it begins.
{{ config(materialized='table', tags=['rollup']) }}
with cost_days as (
  -- Days on which cost is known: revenue of others would be margin without cost.
  select
    min(usage_date) as first_date,
    max(usage_date) as last_date
  from {{ ref('unit_economics_by_feature_day') }}
),

lines as (
  select
    tenant_id,
    revenue_kind,
    service_start_date,
    {{ usd_to_units('amount_usd') }} as amount_units,
    greatest(date_diff('day', service_start_date, coalesce(service_end_date, service_start_date)), 1) as days_count
  from {{ ref('stg_company__revenues') }}
  where amount_usd is not null and service_start_date is not null
),

calendar as (
  -- Every day between them: one without a request is a day of service all the same.
  select cast(days.usage_date as date) as usage_date
  from cost_days
  cross join lateral ({{ days_between('cost_days.first_date', 'cost_days.last_date') }}) as days
),

served as (
  select
    lines.tenant_id,
    calendar.usage_date,
    lines.revenue_kind,
    lines.amount_units,
    lines.days_count,
    date_diff('day', lines.service_start_date, calendar.usage_date) as days_before
  from calendar
  inner join lines
    on
      calendar.usage_date >= lines.service_start_date
      and calendar.usage_date < lines.service_start_date + interval '1 day' * lines.days_count
),

earned as (
  select
    tenant_id,
    usage_date,
    revenue_kind,
    sign(amount_units) * (
      {{ share_of_units('abs(amount_units)', 'days_before + 1', 'days_count') }}
      - {{ share_of_units('abs(amount_units)', 'days_before', 'days_count') }}
    ) as earned_units
  from served
)

select
  tenant_id,
  usage_date,
  {{ units_to_usd('sum(earned_units)') }} as revenue_usd,
  {{ units_to_usd("sum(case when revenue_kind = 'usage' then earned_units else 0 end)") }} as usage_revenue_usd,
  {{ units_to_usd("sum(case when revenue_kind in ('credit', 'refund') then earned_units else 0 end)") }} as credit_usd
from earned
group by tenant_id, usage_date
