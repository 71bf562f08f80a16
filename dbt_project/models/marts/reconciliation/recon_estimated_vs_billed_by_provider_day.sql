-- One row per day and provider: what we estimated, what was billed, what the requests take of the bill, what is left, where
-- the difference comes from, and whether the day is settled.
-- open: no bill yet. settling: the provider may still change it. disputed: the bill and our price of what the provider
-- counted differ by more than FOCUS tolerates. reconciled: all else; what nobody logged is named in
-- unattributed_cost_by_provider_day and disputes no bill.
with estimated as (
  select
    usage_date,
    provider,
    cast(sum(attempts_count) as bigint) as attempts_count,
    cast(sum(input_tokens + output_tokens) as bigint) as logged_tokens,
    cast(sum(list_cost_usd) as decimal(38, 12)) as list_cost_usd,
    cast(sum(contracted_cost_usd) as decimal(38, 12)) as contracted_cost_usd,
    cast(sum(billed_cost_usd) as decimal(38, 12)) as allocated_cost_usd,
    cast(sum(estimated_cost_usd) as decimal(38, 12)) as estimated_cost_usd
  from {{ ref('unit_economics_by_model_day') }}
  group by usage_date, provider
),

counted as (
  select
    usage_date,
    provider,
    cast(sum(case when quantity_unit = 'tokens' then quantity else 0 end) as bigint) as provider_tokens
  from {{ ref('fct_provider_usage') }}
  group by usage_date, provider
),

bills as (
  select
    usage_date,
    provider,
    cast(sum(billed_cost_usd) as decimal(38, 12)) as billed_cost_usd,
    cast(
      sum(case when charge_category in ('usage', 'unmapped') then 0 else billed_cost_usd end) as decimal(38, 12)
    ) as other_charges_usd,
    count(*) as lines_count
  from {{ ref('fct_provider_charges') }}
  group by usage_date, provider
),

methods as (
  select
    usage_date,
    provider,
    {%- for method in ['direct', 'by_project', 'by_model', 'by_account'] %}
    {{ units_to_usd("sum(case when allocation_method = '" ~ method ~ "' then taken_units else 0 end)") }}
      as allocated_{{ method }}_cost_usd,
    {%- endfor %}
    sum(case when is_overlogged then 1 else 0 end) > 0 as is_overlogged
  from {{ ref('int_charges__allocated') }}
  group by usage_date, provider
),

gaps as (
  select
    usage_date,
    provider,
    cast(sum(usage_gap_usd) as decimal(38, 12)) as usage_gap_usd
  from {{ ref('recon_estimated_vs_billed_by_sku_day') }}
  group by usage_date, provider
),

unattributed as (
  select
    usage_date,
    provider,
    cast(sum(amount_usd) as decimal(38, 12)) as unattributed_cost_usd
  from {{ ref('unattributed_cost_by_provider_day') }}
  where reason <> 'rounding'
  group by usage_date, provider
),

settling as (
  select
    bills.usage_date,
    bills.provider,
    -- Of the newest thing that we have heard of its source, whatever day that was about.
    max({{ settles_at('bills.provider', 'bills.usage_date') }}) >= min(newest_pulls.newest_pulled_at) as is_settling
  from (
    select distinct
      usage_date,
      provider,
      source_name
    from {{ ref('fct_provider_charges') }}
  ) as bills
  left join {{ ref('stg_landing__newest_pulls') }} as newest_pulls on bills.source_name = newest_pulls.source_name
  group by bills.usage_date, bills.provider
),

cells as (
  select usage_date, provider from estimated
  union
  select usage_date, provider from bills
  union
  select usage_date, provider from counted
),

joined as (
  select
    cells.usage_date,
    cells.provider,
    estimated.attempts_count,
    estimated.logged_tokens,
    counted.provider_tokens,
    estimated.list_cost_usd,
    estimated.contracted_cost_usd,
    bills.billed_cost_usd,
    estimated.allocated_cost_usd,
    methods.allocated_direct_cost_usd,
    methods.allocated_by_project_cost_usd,
    methods.allocated_by_model_cost_usd,
    methods.allocated_by_account_cost_usd,
    unattributed.unattributed_cost_usd,
    estimated.estimated_cost_usd,
    cast(bills.billed_cost_usd - coalesce(estimated.contracted_cost_usd, 0) as decimal(38, 12)) as variance_usd,
    case when bills.billed_cost_usd is not null then coalesce(gaps.usage_gap_usd, {{ zero_usd() }}) end as usage_gap_usd,
    bills.other_charges_usd,
    bills.lines_count,
    -- FOCUS: a hundred cents, or half a cent for each line as independent roundings add up.
    case
      when bills.lines_count is not null
        then cast(greatest(1, sqrt(cast(bills.lines_count as double)) * 0.005) as decimal(38, 12))
    end as tolerance_usd,
    coalesce(methods.is_overlogged, false) as is_overlogged,
    coalesce(settling.is_settling, false) as is_settling
  from cells
  left join estimated on cells.usage_date = estimated.usage_date and cells.provider = estimated.provider
  left join counted on cells.usage_date = counted.usage_date and cells.provider = counted.provider
  left join bills on cells.usage_date = bills.usage_date and cells.provider = bills.provider
  left join methods on cells.usage_date = methods.usage_date and cells.provider = methods.provider
  left join gaps on cells.usage_date = gaps.usage_date and cells.provider = gaps.provider
  left join unattributed on cells.usage_date = unattributed.usage_date and cells.provider = unattributed.provider
  left join settling on cells.usage_date = settling.usage_date and cells.provider = settling.provider
)

select
  usage_date,
  provider,
  attempts_count,
  logged_tokens,
  provider_tokens,
  list_cost_usd,
  contracted_cost_usd,
  billed_cost_usd,
  allocated_cost_usd,
  allocated_direct_cost_usd,
  allocated_by_project_cost_usd,
  allocated_by_model_cost_usd,
  allocated_by_account_cost_usd,
  unattributed_cost_usd,
  estimated_cost_usd,
  variance_usd,
  usage_gap_usd,
  cast(variance_usd - usage_gap_usd as decimal(38, 12)) as price_gap_usd,
  other_charges_usd,
  lines_count,
  tolerance_usd,
  is_overlogged,
  case when billed_cost_usd is null then 'open' else 'billed' end as bill_status,
  case
    when billed_cost_usd is null then 'open'
    when is_settling then 'settling'
    when abs(variance_usd - usage_gap_usd - other_charges_usd) > tolerance_usd then 'disputed'
    else 'reconciled'
  end as reconciliation_status,
  {{ ratio('logged_tokens', 'provider_tokens') }} as token_coverage,
  {{ ratio('coalesce(unattributed_cost_usd, 0)', 'billed_cost_usd') }} as unattributed_share
from joined
