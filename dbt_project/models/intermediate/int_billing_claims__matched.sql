-- One row per day, set of billing keys and class that requests bear or the provider counted: which cell of the bill pays
-- for it. A cell is what the bill charges for, or what finer cells leave over for those who name less:
--   direct      the key, model and tier;  project  the project, model and tier;  account  the account, model and tier;
--   pool        the model and tier, for requests that say nothing which of several accounts bears.
-- A claim goes to the finest cell. What names a key or a project that the bill knows is not paid from what other keys and
-- projects leave over, only from charges that name none. What finds no cell keeps its estimate.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
{%- set cell = 'usage_date, provider, provider_account, priced_model, service_tier, usage_class' %}
with charges as (
  select *
  from {{ ref('int_charges__keyed') }}
  where {{ on_built_days() }}
),

direct_cells as (
  select
    {{ cell }},
    provider_api_key_id,
    -- A key belongs to one project; where the bill shows it under several, what it leaves over has none.
    case when min(provider_project) = max(provider_project) then min(provider_project) else '' end as provider_project
  from charges
  where provider_api_key_id <> ''
  group by {{ cell }}, provider_api_key_id
),

project_cells as (
  select
    {{ cell }},
    provider_project,
    max(is_own) as is_own
  from (
    select {{ cell }}, provider_project, 1 as is_own from charges
    where provider_api_key_id = '' and provider_project <> ''
    union all
    select {{ cell }}, provider_project, 0 as is_own from direct_cells
    where provider_project <> ''
  ) as found
  group by {{ cell }}, provider_project
),

account_cells as (
  select
    {{ cell }},
    max(case when provider_api_key_id = '' and provider_project = '' then 1 else 0 end) as is_own
  from charges
  group by {{ cell }}
),

pool_cells as (
  select distinct usage_date, provider, priced_model, service_tier, usage_class
  from charges
),

known_keys as (
  select distinct usage_date, provider, provider_account, provider_api_key_id
  from charges
  where provider_api_key_id <> ''
),

known_projects as (
  select distinct usage_date, provider, provider_account, provider_project
  from charges
  where provider_project <> ''
),

-- Whose bill it is, for requests that do not name an account that was billed: the one whose bill names their key, their
-- project, or the provider's only one.
accounts as (
  select
    usage_date,
    provider,
    min(provider_account) as provider_account
  from charges
  group by usage_date, provider
  having min(provider_account) = max(provider_account)
),

accounts_of_keys as (
  select
    usage_date,
    provider,
    provider_api_key_id,
    min(provider_account) as provider_account
  from known_keys
  group by usage_date, provider, provider_api_key_id
  having min(provider_account) = max(provider_account)
),

accounts_of_projects as (
  select
    usage_date,
    provider,
    provider_project,
    min(provider_account) as provider_account
  from known_projects
  group by usage_date, provider, provider_project
  having min(provider_account) = max(provider_account)
),

billed_accounts as (
  select distinct usage_date, provider, provider_account
  from charges
),

weighed as (
  select
    weighed.*,
    coalesce(
      billed_accounts.provider_account, accounts_of_keys.provider_account, accounts_of_projects.provider_account,
      accounts.provider_account, ''
    ) as billed_account
  from {{ ref('int_llm_requests__weighed') }} as weighed
  left join billed_accounts
    on
      weighed.usage_date = billed_accounts.usage_date
      and weighed.provider = billed_accounts.provider
      and weighed.provider_account = billed_accounts.provider_account
  left join accounts_of_keys
    on
      weighed.usage_date = accounts_of_keys.usage_date
      and weighed.provider = accounts_of_keys.provider
      and weighed.provider_api_key_id = accounts_of_keys.provider_api_key_id
  left join accounts_of_projects
    on
      weighed.usage_date = accounts_of_projects.usage_date
      and weighed.provider = accounts_of_projects.provider
      and weighed.provider_project = accounts_of_projects.provider_project
  left join accounts
    on weighed.usage_date = accounts.usage_date and weighed.provider = accounts.provider
  where {{ on_built_days('weighed.usage_date') }}
),

claims as (
  {%- for class in billed_classes() %}
  select
    'requests' as claimant,
    usage_date,
    provider,
    {{ billing_keys() | join(',\n    ') }},
    billed_account,
    {%- if class in modelless_classes() %}
    '' as billed_model,
    '' as billed_tier,
    {%- else %}
    priced_model as billed_model,
    service_tier as billed_tier,
    {%- endif %}
    '{{ class }}' as usage_class,
    {{ class }}_weight as weight,
    {% if class in total_classes() %}logged_tokens{% else %}{{ class }}_weight{% endif %} as logged_quantity,
    cast(null as bigint) as provider_quantity
  from weighed
  where {{ class }}_weight > 0
  union all
  {%- endfor %}
  select
    'provider' as claimant,
    usage_date,
    provider,
    {{ billing_keys() | join(',\n    ') }},
    provider_account as billed_account,
    priced_model as billed_model,
    service_tier as billed_tier,
    usage_class,
    cast(null as bigint) as weight,
    cast(null as bigint) as logged_quantity,
    provider_quantity
  from {{ ref('int_usages__keyed') }}
  where {{ on_built_days() }}
),

levels as (
  select
    claims.*,
    case
      when direct_cells.provider is not null then 'direct'
      when project_cells.is_own = 1 or (project_cells.is_own = 0 and known_keys.provider is null) then 'project'
      when
        account_cells.is_own = 1
        or (account_cells.is_own = 0 and known_keys.provider is null and known_projects.provider is null)
        then 'account'
      when claims.billed_account = '' and pool_cells.provider is not null then 'pool'
    end as cell_level
  from claims
  left join direct_cells
    on
      claims.usage_date = direct_cells.usage_date
      and claims.provider = direct_cells.provider
      and claims.billed_account = direct_cells.provider_account
      and claims.provider_api_key_id = direct_cells.provider_api_key_id
      and claims.billed_model = direct_cells.priced_model
      and claims.billed_tier = direct_cells.service_tier
      and claims.usage_class = direct_cells.usage_class
  left join project_cells
    on
      claims.usage_date = project_cells.usage_date
      and claims.provider = project_cells.provider
      and claims.billed_account = project_cells.provider_account
      and claims.provider_project = project_cells.provider_project
      and claims.billed_model = project_cells.priced_model
      and claims.billed_tier = project_cells.service_tier
      and claims.usage_class = project_cells.usage_class
  left join account_cells
    on
      claims.usage_date = account_cells.usage_date
      and claims.provider = account_cells.provider
      and claims.billed_account = account_cells.provider_account
      and claims.billed_model = account_cells.priced_model
      and claims.billed_tier = account_cells.service_tier
      and claims.usage_class = account_cells.usage_class
  left join pool_cells
    on
      claims.usage_date = pool_cells.usage_date
      and claims.provider = pool_cells.provider
      and claims.billed_model = pool_cells.priced_model
      and claims.billed_tier = pool_cells.service_tier
      and claims.usage_class = pool_cells.usage_class
  left join known_keys
    on
      claims.usage_date = known_keys.usage_date
      and claims.provider = known_keys.provider
      and claims.billed_account = known_keys.provider_account
      and claims.provider_api_key_id = known_keys.provider_api_key_id
  left join known_projects
    on
      claims.usage_date = known_projects.usage_date
      and claims.provider = known_projects.provider
      and claims.billed_account = known_projects.provider_account
      and claims.provider_project = known_projects.provider_project
)

select
  usage_date,
  provider,
  claimant,
  {{ billing_keys() | join(',\n  ') }},
  usage_class,
  cell_level,
  billed_account as cell_account,
  case when cell_level = 'direct' then provider_api_key_id else '' end as cell_api_key_id,
  case when cell_level = 'project' then provider_project else '' end as cell_project,
  billed_model as cell_model,
  billed_tier as cell_tier,
  weight,
  logged_quantity,
  provider_quantity
from levels
where cell_level is not null
