-- One row per day, provider, project, model, tier and usage class that was billed: how much of the charge the logged
-- requests take, and what is left. A bill is never spread over more than it pays for: when the logs cover 60 % of the
-- tokens that the provider counted, they take 60 % of the charge.
--
-- Two levels. `by_project`: the bill names the project and so do the requests. `by_model`: what the projects leave
-- over, for requests that name none (their project is ''); charges without a project start here.
-- Everything is a whole number of 10^-12 dollars. The units that rounding leaves go to the heaviest request, so the
-- taken part is exact and nothing is called rounding.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
with charges as (
  select
    usage_date,
    provider,
    coalesce(provider_project, '') as provider_project,
    case when usage_class = 'web_search' then '' else coalesce(priced_model, '') end as priced_model,
    case when usage_class = 'web_search' then '' else coalesce(service_tier, '') end as service_tier,
    usage_class,
    sum({{ usd_to_units('billed_cost_usd') }}) as charge_units
  from {{ ref('fct_provider_charges') }}
  where {{ on_built_days() }} and charge_category = 'usage' and billed_cost_usd is not null
  group by 1, 2, 3, 4, 5, 6
),

-- A project counts only where that provider's bill of the day names it. What names another one, or writes it in other
-- words than the provider does, is matched without it, usage and requests alike.
billed_projects as (
  select distinct
    usage_date,
    provider,
    provider_project
  from charges
  where provider_project <> ''
),

usages as (
  select
    usages.usage_date,
    usages.provider,
    coalesce(billed_projects.provider_project, '') as provider_project,
    case when usages.usage_class = 'web_search' then '' else coalesce(usages.priced_model, '') end as priced_model,
    case when usages.usage_class = 'web_search' then '' else coalesce(usages.service_tier, '') end as service_tier,
    usages.usage_class,
    cast(sum(usages.quantity) as bigint) as provider_quantity
  from {{ ref('fct_provider_usage') }} as usages
  left join billed_projects
    on
      usages.usage_date = billed_projects.usage_date
      and usages.provider = billed_projects.provider
      and usages.provider_project = billed_projects.provider_project
  where {{ on_built_days('usages.usage_date') }}
  group by 1, 2, 3, 4, 5, 6
),

weights as (
  select
    weights.usage_date,
    weights.request_key,
    weights.provider,
    coalesce(billed_projects.provider_project, '') as provider_project,
    weights.priced_model,
    weights.service_tier,
    weights.usage_class,
    weights.weight
  from {{ ref('int_llm_requests__billing_weights') }} as weights
  left join billed_projects
    on
      weights.usage_date = billed_projects.usage_date
      and weights.provider = billed_projects.provider
      and weights.provider_project = billed_projects.provider_project
  where {{ on_built_days('weights.usage_date') }}
),

logged as (
  select
    usage_date,
    provider,
    provider_project,
    priced_model,
    service_tier,
    usage_class,
    cast(sum(weight) as bigint) as logged_quantity
  from weights
  group by 1, 2, 3, 4, 5, 6
),

by_project as (
  select
    charges.*,
    usages.provider_quantity,
    case when charges.provider_project = '' then 0 else coalesce(logged.logged_quantity, 0) end as logged_quantity
  from charges
  left join usages
    on
      charges.usage_date = usages.usage_date
      and charges.provider = usages.provider
      and charges.provider_project = usages.provider_project
      and charges.priced_model = usages.priced_model
      and charges.service_tier = usages.service_tier
      and charges.usage_class = usages.usage_class
  left join logged
    on
      charges.usage_date = logged.usage_date
      and charges.provider = logged.provider
      and charges.provider_project = logged.provider_project
      and charges.priced_model = logged.priced_model
      and charges.service_tier = logged.service_tier
      and charges.usage_class = logged.usage_class
),

by_project_taken as (
  select
    *,
    -- Logs above the provider's own count share the charge; they never raise it.
    greatest(coalesce(provider_quantity, logged_quantity), logged_quantity) as denominator
  from by_project
),

left_over as (
  select
    usage_date,
    provider,
    '' as provider_project,
    priced_model,
    service_tier,
    usage_class,
    sum(charge_units - {{ share_of_units('charge_units', 'logged_quantity', 'denominator') }}) as charge_units,
    cast(sum(denominator - logged_quantity) as bigint) as provider_quantity
  from by_project_taken
  group by 1, 2, 3, 4, 5, 6
),

levels as (
  select
    'by_project' as allocation_method,
    usage_date,
    provider,
    provider_project,
    priced_model,
    service_tier,
    usage_class,
    charge_units,
    provider_quantity,
    logged_quantity,
    denominator
  from by_project_taken
  where provider_project <> ''
  union all
  select
    'by_model' as allocation_method,
    left_over.usage_date,
    left_over.provider,
    left_over.provider_project,
    left_over.priced_model,
    left_over.service_tier,
    left_over.usage_class,
    left_over.charge_units,
    left_over.provider_quantity,
    coalesce(logged.logged_quantity, 0) as logged_quantity,
    greatest(left_over.provider_quantity, coalesce(logged.logged_quantity, 0)) as denominator
  from left_over
  left join logged
    on
      left_over.usage_date = logged.usage_date
      and left_over.provider = logged.provider
      and left_over.provider_project = logged.provider_project
      and left_over.priced_model = logged.priced_model
      and left_over.service_tier = logged.service_tier
      and left_over.usage_class = logged.usage_class
),

shares as (
  select
    levels.usage_date,
    levels.provider,
    levels.provider_project,
    levels.priced_model,
    levels.service_tier,
    levels.usage_class,
    sum({{ share_of_units('levels.charge_units', 'weights.weight', 'levels.denominator') }}) as given_units,
    {{ value_at_max('weights.request_key', 'row(weights.weight, weights.request_key)') }} as heaviest_request_key
  from levels
  inner join weights
    on
      levels.usage_date = weights.usage_date
      and levels.provider = weights.provider
      and levels.provider_project = weights.provider_project
      and levels.priced_model = weights.priced_model
      and levels.service_tier = weights.service_tier
      and levels.usage_class = weights.usage_class
  group by 1, 2, 3, 4, 5, 6
)

select
  levels.usage_date,
  levels.provider,
  levels.provider_project,
  levels.priced_model,
  levels.service_tier,
  levels.usage_class,
  levels.allocation_method,
  levels.charge_units,
  levels.provider_quantity,
  levels.logged_quantity,
  levels.denominator,
  {{ share_of_units('levels.charge_units', 'levels.logged_quantity', 'levels.denominator') }} as taken_units,
  {{ share_of_units('levels.charge_units', 'levels.logged_quantity', 'levels.denominator') }}
  - coalesce(shares.given_units, 0) as extra_units,
  shares.heaviest_request_key as extra_request_key
from levels
left join shares
  on
    levels.usage_date = shares.usage_date
    and levels.provider = shares.provider
    and levels.provider_project = shares.provider_project
    and levels.priced_model = shares.priced_model
    and levels.service_tier = shares.service_tier
    and levels.usage_class = shares.usage_class
