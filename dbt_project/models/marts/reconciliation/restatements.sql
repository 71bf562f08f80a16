-- One row per source, provider, UTC day and version of its bill that replaced an earlier one: what it said before, what it
-- says since, and when we knew. The first bill of a day is no restatement.
with compared as (
  select
    usage_date,
    provider,
    source_name,
    pull_id,
    pulled_at as known_from,
    billed_cost_usd,
    lines_count,
    lag(pull_id) over versions as previous_pull_id,
    lag(pulled_at) over versions as previously_known_from,
    lag(billed_cost_usd) over versions as previous_billed_cost_usd,
    lag(lines_count) over versions as previous_lines_count,
    lead(pull_id) over versions is null as is_current
  from {{ ref('int_provider_bills__versioned') }}
  window versions as (partition by source_name, table_name, provider, usage_date order by pull_id)
)

select
  usage_date,
  provider,
  source_name,
  pull_id,
  known_from,
  previous_pull_id,
  previously_known_from,
  case
    when previous_lines_count = 0 then 'arrived'
    when lines_count = 0 then 'emptied'
    else 'restated'
  end as change_kind,
  previous_billed_cost_usd,
  billed_cost_usd,
  cast(billed_cost_usd - previous_billed_cost_usd as decimal(38, 12)) as change_usd,
  previous_lines_count,
  lines_count,
  is_current
from compared
where previous_pull_id is not null
