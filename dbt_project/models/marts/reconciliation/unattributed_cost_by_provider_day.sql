-- One row per day, provider and reason: what the provider billed and no logged request takes, and what to do about it.
with not_usage as (
  select
    usage_date,
    provider,
    case charge_category when 'unmapped' then 'unmapped_line_item' else charge_category end as reason,
    cast(sum(billed_cost_usd) as decimal(38, 12)) as amount_usd,
    count(*) as lines_count
  from {{ ref('fct_provider_charges') }}
  where charge_category <> 'usage'
  group by 1, 2, 3
),

unlogged as (
  select
    usage_date,
    provider,
    'unlogged_usage' as reason,
    {{ units_to_usd('sum(charge_units - taken_units)') }} as amount_usd,
    count(*) as lines_count
  from {{ ref('int_charges__allocated') }}
  where allocation_method = 'by_model' and charge_units <> taken_units
  group by usage_date, provider
),

reasons as (
  select * from not_usage
  union all
  select * from unlogged
),

bills as (
  select
    usage_date,
    provider,
    cast(sum(billed_cost_usd) as decimal(38, 12)) as billed_cost_usd
  from {{ ref('fct_provider_charges') }}
  group by usage_date, provider
)

select
  reasons.usage_date,
  reasons.provider,
  reasons.reason,
  reasons.amount_usd,
  bills.billed_cost_usd,
  reasons.lines_count,
  case reasons.reason
    when 'unlogged_usage' then 'A service calls this provider and logs nothing, or logs it without its project.'
    when 'credit' then 'The provider gave money back; it belongs to no request.'
    when 'tax' then 'Tax on the invoice.'
    when 'not_request_scoped' then 'Storage, code execution or sessions: billed by time, not by request.'
    else 'The text of the line is not known.'
  end as likely_cause,
  case reasons.reason
    when 'unlogged_usage' then 'Look for the project in fct_provider_usage that has no requests, and instrument its service.'
    when 'credit' then 'Nothing; decide who gets the credit if it was given for one tenant.'
    when 'tax' then 'Nothing.'
    when 'not_request_scoped' then 'Name the owner of the resource.'
    else 'Map the line in the staging model of the provider.'
  end as what_to_do,
  {{ ratio('reasons.amount_usd', 'bills.billed_cost_usd') }} as share_of_bill
from reasons
left join bills on reasons.usage_date = bills.usage_date and reasons.provider = bills.provider
