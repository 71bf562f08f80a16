-- One row per day, provider and project: what we logged and estimated, what the provider counted and billed, and which of
-- the two the difference comes from (macros/reconciliation.sql). A project of which the provider does not know is '', as
-- are requests, counts and charges that name none.
with known_projects as (
  select usage_date, provider, provider_project from {{ ref('int_charges__keyed') }}
  union
  select usage_date, provider, provider_project from {{ ref('int_usages__keyed') }}
),

weighed as (
  select
    weighed.*,
    coalesce(known_projects.provider_project, '') as known_project
  from {{ ref('int_llm_requests__weighed') }} as weighed
  left join known_projects
    on
      weighed.usage_date = known_projects.usage_date
      and weighed.provider = known_projects.provider
      and weighed.provider_project = known_projects.provider_project
),

{{ reconciled_cells(['provider_project', 'priced_model', 'service_tier'], 'known_project') }}

select
  usage_date,
  provider,
  provider_project,
  cast(sum(case when usage_class <> 'fee' then logged_quantity end) as bigint) as logged_tokens,
  cast(sum(case when usage_class <> 'fee' then provider_quantity end) as bigint) as provider_tokens,
  cast(sum(list_cost_usd) as decimal(38, 12)) as list_cost_usd,
  cast(sum(contracted_cost_usd) as decimal(38, 12)) as contracted_cost_usd,
  cast(sum(billed_cost_usd) as decimal(38, 12)) as billed_cost_usd,
  cast(sum(variance_usd) as decimal(38, 12)) as variance_usd,
  cast(sum(usage_gap_usd) as decimal(38, 12)) as usage_gap_usd,
  cast(sum(price_gap_usd) as decimal(38, 12)) as price_gap_usd,
  cast(sum(lines_count) as bigint) as lines_count,
  {{ ratio(
    "sum(case when usage_class <> 'fee' then logged_quantity end)",
    "sum(case when usage_class <> 'fee' then provider_quantity end)"
  ) }} as token_coverage
from reconciled
group by usage_date, provider, provider_project
