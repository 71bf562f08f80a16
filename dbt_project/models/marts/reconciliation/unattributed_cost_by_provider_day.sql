-- One row per day, provider and reason: what the provider billed and no logged request takes, and what to do about it.
-- `rounding` is what the other reasons and the requests leave of the bill: it must stay empty, and blocks when it is not.
with bills as (
  select
    usage_date,
    provider,
    cast(sum(billed_cost_usd) as decimal(38, 12)) as billed_cost_usd
  from {{ ref('fct_provider_charges') }}
  group by usage_date, provider
),

not_usage as (
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
    {{ units_to_usd('sum(left_units)') }} as amount_usd,
    count(*) as lines_count
  from {{ ref('int_charges__allocated') }}
  where left_units <> 0
  group by usage_date, provider
),

explained as (
  select * from not_usage
  union all
  select * from unlogged
),

taken as (
  select
    usage_date,
    provider,
    cast(sum(billed_cost_usd) as decimal(38, 12)) as amount_usd
  from {{ ref('unit_economics_by_model_day') }}
  group by usage_date, provider
),

explained_totals as (
  select
    usage_date,
    provider,
    sum(amount_usd) as amount_usd
  from explained
  group by usage_date, provider
),

reasons as (
  select * from explained
  union all
  select
    bills.usage_date,
    bills.provider,
    'rounding' as reason,
    cast(
      bills.billed_cost_usd - coalesce(taken.amount_usd, 0) - coalesce(explained_totals.amount_usd, 0)
      as decimal(38, 12)
    ) as amount_usd,
    0 as lines_count
  from bills
  left join taken on bills.usage_date = taken.usage_date and bills.provider = taken.provider
  left join explained_totals
    on bills.usage_date = explained_totals.usage_date and bills.provider = explained_totals.provider
  where bills.billed_cost_usd <> coalesce(taken.amount_usd, 0) + coalesce(explained_totals.amount_usd, 0)
)

select
  reasons.usage_date,
  reasons.provider,
  reasons.reason,
  reasons.amount_usd,
  bills.billed_cost_usd,
  reasons.lines_count,
  case reasons.reason
    when 'unlogged_usage' then 'A service calls this provider and logs nothing, or its logs have not arrived.'
    when 'not_request_scoped' then 'Storage, seats, code execution or sessions: billed by time or apiece, not by request.'
    when 'priority_or_commitment' then 'Reserved capacity, a commitment or a minimum: owed whether it is used or not.'
    when 'credit' then 'The provider gave money back without saying for which use.'
    when 'tax' then 'Tax on the invoice.'
    when 'rounding' then 'The true-up lost money: a defect in it, or days of the bill and of the cube built apart.'
    else 'The text of the line is in no rule.'
  end as likely_cause,
  case reasons.reason
    when 'unlogged_usage'
      then 'Find the project without token_coverage in recon_estimated_vs_billed_by_project_day; instrument its service.'
    when 'not_request_scoped' then 'Name the owner of the resource in fct_provider_charges.charge_description.'
    when 'priority_or_commitment' then 'Compare it with what the same tokens cost on demand; renew or drop it.'
    when 'credit' then 'Nothing; decide who gets it if it was given for one tenant.'
    when 'tax' then 'Nothing.'
    when 'rounding' then 'Do not close the month: rebuild, and report the day when it stays.'
    else 'Add the words of the line to charge_words in macros/charges.sql.'
  end as what_to_do,
  {{ ratio('reasons.amount_usd', 'bills.billed_cost_usd') }} as share_of_bill
from reasons
left join bills on reasons.usage_date = bills.usage_date and reasons.provider = bills.provider
