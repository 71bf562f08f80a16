-- One row per UTC month and provider: the days of recon_estimated_vs_billed_by_provider_day, summed, and how many of them
-- are not reconciled. The variance counts the days that are billed.
with months as (
  select
    cast(date_trunc('month', usage_date) as date) as usage_month,
    provider,
    cast(sum(attempts_count) as bigint) as attempts_count,
    cast(sum(logged_tokens) as bigint) as logged_tokens,
    cast(sum(provider_tokens) as bigint) as provider_tokens,
    cast(sum(list_cost_usd) as decimal(38, 12)) as list_cost_usd,
    cast(sum(contracted_cost_usd) as decimal(38, 12)) as contracted_cost_usd,
    cast(sum(billed_cost_usd) as decimal(38, 12)) as billed_cost_usd,
    cast(sum(allocated_cost_usd) as decimal(38, 12)) as allocated_cost_usd,
    cast(sum(unattributed_cost_usd) as decimal(38, 12)) as unattributed_cost_usd,
    cast(sum(estimated_cost_usd) as decimal(38, 12)) as estimated_cost_usd,
    cast(sum(variance_usd) as decimal(38, 12)) as variance_usd,
    cast(sum(usage_gap_usd) as decimal(38, 12)) as usage_gap_usd,
    cast(sum(price_gap_usd) as decimal(38, 12)) as price_gap_usd,
    cast(sum(other_charges_usd) as decimal(38, 12)) as other_charges_usd,
    cast(sum(lines_count) as bigint) as lines_count,
    count(*) as days_count,
    cast(sum(case when reconciliation_status = 'open' then 1 else 0 end) as bigint) as open_days_count,
    cast(sum(case when reconciliation_status = 'settling' then 1 else 0 end) as bigint) as settling_days_count,
    cast(sum(case when reconciliation_status = 'disputed' then 1 else 0 end) as bigint) as disputed_days_count,
    cast(sum(case when reconciliation_status = 'reconciled' then 1 else 0 end) as bigint) as reconciled_days_count
  from {{ ref('recon_estimated_vs_billed_by_provider_day') }}
  group by 1, 2
)

select
  usage_month,
  provider,
  attempts_count,
  logged_tokens,
  provider_tokens,
  list_cost_usd,
  contracted_cost_usd,
  billed_cost_usd,
  allocated_cost_usd,
  unattributed_cost_usd,
  estimated_cost_usd,
  variance_usd,
  usage_gap_usd,
  price_gap_usd,
  other_charges_usd,
  lines_count,
  case
    when lines_count is not null
      then cast(greatest(1, sqrt(cast(lines_count as double)) * 0.005) as decimal(38, 12))
  end as tolerance_usd,
  days_count,
  open_days_count,
  settling_days_count,
  disputed_days_count,
  reconciled_days_count,
  case
    when open_days_count > 0 then 'open'
    when settling_days_count > 0 then 'settling'
    when disputed_days_count > 0 then 'disputed'
    else 'reconciled'
  end as reconciliation_status,
  {{ ratio('logged_tokens', 'provider_tokens') }} as token_coverage,
  {{ ratio('coalesce(unattributed_cost_usd, 0)', 'billed_cost_usd') }} as unattributed_share
from months
