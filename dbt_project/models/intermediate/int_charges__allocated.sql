-- One row per day and cell of a bill (int_billing_claims__matched says what that is): what the cell has to share out, how
-- much of it the logged requests take, and what stays without a request. A bill is never spread over more than it pays
-- for: when the logs cover 60 % of the tokens that the provider counted, they take 60 % of the charge.
--
-- Four levels, from the finest to the coarsest; each hands on what it leaves over, the charge and the count alike.
-- Everything is a whole number of 10^-12 dollars. The units that rounding leaves go to the heaviest request
-- (int_billed_remainders__placed), so the taken part is exact and nothing is called rounding.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
{%- set cell = [
  'usage_date', 'provider', 'provider_account', 'provider_api_key_id', 'provider_project', 'priced_model',
  'service_tier', 'usage_class',
] %}
{%- set figures = [
  'own_units', 'charge_units', 'passed_quantity', 'provider_quantity', 'counted_quantity', 'logged_quantity', 'weight',
  'denominator', 'taken_units',
] %}
with charges as (
  select
    {{ cell | join(',\n    ') }},
    charge_units as own_units,
    charge_units,
    cast(0 as {{ whole_number() }}) as passed_quantity
  from {{ ref('int_charges__keyed') }}
  where {{ on_built_days() }}
),

demands as (
  select
    usage_date,
    provider,
    cell_level,
    cell_account,
    cell_api_key_id,
    cell_project,
    cell_model,
    cell_tier,
    usage_class,
    sum(weight) as weight,
    sum(logged_quantity) as logged_quantity,
    sum(provider_quantity) as provider_quantity
  from {{ ref('int_billing_claims__matched') }}
  where {{ on_built_days() }}
  group by 1, 2, 3, 4, 5, 6, 7, 8, 9
),

direct_cells as (
  select
    usage_date,
    provider,
    provider_account,
    provider_api_key_id,
    '' as provider_project,
    priced_model,
    service_tier,
    usage_class,
    case when min(provider_project) = max(provider_project) then min(provider_project) else '' end as project_of_key,
    {{ sum_of_cells() }}
  from charges
  where provider_api_key_id <> ''
  group by 1, 2, 3, 4, 5, 6, 7, 8
),

direct as (
  {{ taken_of_cells('direct_cells', 'direct') }}
),

project_cells as (
  select
    {{ cell | join(',\n    ') }},
    {{ sum_of_cells() }}
  from (
    select *
    from charges
    where provider_api_key_id = '' and provider_project <> ''
    union all
    select
      usage_date,
      provider,
      provider_account,
      '' as provider_api_key_id,
      project_of_key as provider_project,
      priced_model,
      service_tier,
      usage_class,
      {{ passed_on() }}
    from direct
    where project_of_key <> ''
  ) as found
  group by 1, 2, 3, 4, 5, 6, 7, 8
),

project as (
  {{ taken_of_cells('project_cells', 'project') }}
),

account_cells as (
  select
    {{ cell | join(',\n    ') }},
    {{ sum_of_cells() }}
  from (
    select *
    from charges
    where provider_api_key_id = '' and provider_project = ''
    {%- for level, has_no_project in {'direct': "project_of_key = ''", 'project': 'true'}.items() %}
    union all
    select
      usage_date,
      provider,
      provider_account,
      '' as provider_api_key_id,
      '' as provider_project,
      priced_model,
      service_tier,
      usage_class,
      {{ passed_on() }}
    from {{ level }}
    where {{ has_no_project }}
    {%- endfor %}
  ) as found
  group by 1, 2, 3, 4, 5, 6, 7, 8
),

account as (
  {{ taken_of_cells('account_cells', 'account') }}
),

-- Accounts pool what they leave over only where a request could be any one's.
pooled_account as (
  select
    account.*,
    pools.usage_class is not null as is_pooled
  from account
  left join (
    select *
    from demands
    where cell_level = 'pool'
  ) as pools
    on
      account.usage_date = pools.usage_date
      and account.provider = pools.provider
      and account.priced_model = pools.cell_model
      and account.service_tier = pools.cell_tier
      and account.usage_class = pools.usage_class
),

pool_cells as (
  select
    {{ cell | join(',\n    ') }},
    {{ sum_of_cells() }}
  from (
    select
      usage_date,
      provider,
      '' as provider_account,
      '' as provider_api_key_id,
      '' as provider_project,
      priced_model,
      service_tier,
      usage_class,
      {{ passed_on() }}
    from pooled_account
    where is_pooled
  ) as found
  group by 1, 2, 3, 4, 5, 6, 7, 8
),

pool as (
  {{ taken_of_cells('pool_cells', 'pool') }}
),

levels as (
  {%- for level, left_units in {
    'direct': '0', 'project': '0',
    'pooled_account': 'case when is_pooled then 0 else charge_units - taken_units end',
    'pool': 'charge_units - taken_units',
  }.items() %}
  select
    '{{ 'account' if level == 'pooled_account' else level }}' as cell_level,
    {{ cell | join(',\n    ') }},
    {{ figures | join(',\n    ') }},
    cast({{ left_units }} as {{ whole_number() }}) as left_units
  from {{ level }}
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
)

select
  {{ cell | join(',\n  ') }},
  cell_level,
  case
    when cell_level = 'direct' then 'direct'
    when cell_level = 'project' then 'by_project'
    when priced_model = '' then 'by_account'
    else 'by_model'
  end as allocation_method,
  own_units,
  charge_units,
  provider_quantity,
  counted_quantity,
  logged_quantity,
  logged_quantity > counted_quantity and counted_quantity > 0 as is_overlogged,
  weight,
  denominator,
  taken_units,
  left_units
from levels
