-- One row per source, provider, UTC day and landed version of its bill: what the version says in total. A version that
-- has no line for a provider which another version of the day has says 0.
{{ config(tags=['reference']) }}
{%- set bills = {
  'openai_costs': {'provider': "'openai'", 'amount_usd': usd('amount_usd')},
  'anthropic_cost_report': {'provider': "'anthropic'", 'amount_usd': usd_of_cents('amount_cents')},
  'focus_charges': {
    'provider': focus_provider('service_provider_name', 'service_name'), 'amount_usd': usd('billed_cost')
  },
} %}
with versions as (
  select
    source_name,
    table_name,
    usage_date,
    pull_id,
    pulled_at
  from {{ source('landing', 'manifest') }}
  where
    usage_date is not null
    and pull_id < {{ as_known_pull_id() }}
    and table_name in ('{{ bills | join("', '") }}')
),

amounts as (
  {%- for table, bill in bills.items() %}
  select
    source_name,
    '{{ table }}' as table_name,
    usage_date,
    pull_id,
    {{ bill.provider }} as provider,
    count(*) as lines_count,
    cast(sum({{ bill.amount_usd }}) as decimal(38, 12)) as billed_cost_usd
  from {{ source('landing', table) }}
  group by 1, 2, 3, 4, 5
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

providers as (
  select distinct
    source_name,
    table_name,
    usage_date,
    provider
  from amounts
)

select
  versions.usage_date,
  providers.provider,
  versions.source_name,
  versions.table_name,
  versions.pull_id,
  versions.pulled_at,
  coalesce(amounts.lines_count, 0) as lines_count,
  coalesce(amounts.billed_cost_usd, {{ zero_usd() }}) as billed_cost_usd
from versions
inner join providers
  on
    versions.source_name = providers.source_name
    and versions.table_name = providers.table_name
    and versions.usage_date = providers.usage_date
left join amounts
  on
    versions.source_name = amounts.source_name
    and versions.table_name = amounts.table_name
    and versions.usage_date = amounts.usage_date
    and versions.pull_id = amounts.pull_id
    and providers.provider = amounts.provider
