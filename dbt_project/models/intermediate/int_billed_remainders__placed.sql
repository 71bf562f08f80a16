-- One row per day and cell of a bill in which rounding left units over: how many, and the request that gets them, the
-- heaviest one. At most one unit of 10^-12 dollars a request, so that Σ is the bill.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
{%- set classes = billed_classes() %}
with given as (
  -- One row per set of billing keys: what its requests were given in each class, and the heaviest of them.
  select
    requests.usage_date,
    requests.provider,
    {%- for key in billing_keys() %}
    prices.{{ key }},
    {%- endfor %}
    {%- for class in classes %}
    {{ given_of_class(class) }}{% if not loop.last %},{% endif %}
    {%- endfor %}
  from (
    select
      usage_date,
      request_key,
      provider,
      {{ billing_keys() | join(',\n      ') }},
      {%- for class, weight in classes.items() %}
      coalesce(cast({{ weight }} as bigint), 0) as {{ class }}_weight{% if not loop.last %},{% endif %}
      {%- endfor %}
    from {{ ref('int_llm_requests__attributed') }}
    where {{ on_built_days() }} and {{ is_billable() }}
  ) as requests
  inner join {{ ref('int_billed_prices__pivoted') }} as prices
    on
      requests.usage_date = prices.usage_date
      and requests.provider = prices.provider
      {%- for key in billing_keys() %}
      and coalesce(requests.{{ key }}, '') = prices.{{ key }}
      {%- endfor %}
  group by 1, 2, 3, 4, 5, 6, 7
),

classes as (
  {%- for class in classes %}
  select
    usage_date,
    provider,
    {{ billing_keys() | join(',\n    ') }},
    '{{ class }}' as usage_class,
    {{ class }}_given_units as given_units,
    {{ class }}_order as weight_order,
    {{ class }}_request_key as request_key
  from given
  where {{ class }}_order is not null
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

cells as (
  select
    claims.usage_date,
    claims.provider,
    claims.usage_class,
    claims.cell_level,
    claims.cell_account,
    claims.cell_api_key_id,
    claims.cell_project,
    claims.cell_model,
    claims.cell_tier,
    sum(classes.given_units) as given_units,
    {{ value_at_max('classes.request_key', 'classes.weight_order') }} as request_key
  from classes
  inner join {{ ref('int_billing_claims__matched') }} as claims
    on
      classes.usage_date = claims.usage_date
      and classes.provider = claims.provider
      {%- for key in billing_keys() %}
      and classes.{{ key }} = claims.{{ key }}
      {%- endfor %}
      and classes.usage_class = claims.usage_class
      and claims.claimant = 'requests'
  group by 1, 2, 3, 4, 5, 6, 7, 8, 9
)

select
  cells.usage_date,
  cells.provider,
  cells.usage_class,
  cells.cell_level,
  cells.cell_account,
  cells.cell_api_key_id,
  cells.cell_project,
  cells.cell_model,
  cells.cell_tier,
  cells.request_key,
  allocated.taken_units - cells.given_units as remainder_units
from cells
inner join {{ ref('int_charges__allocated') }} as allocated
  on
    cells.usage_date = allocated.usage_date
    and cells.provider = allocated.provider
    and cells.cell_level = allocated.cell_level
    and cells.cell_account = allocated.provider_account
    and cells.cell_api_key_id = allocated.provider_api_key_id
    and cells.cell_project = allocated.provider_project
    and cells.cell_model = allocated.priced_model
    and cells.cell_tier = allocated.service_tier
    and cells.usage_class = allocated.usage_class
where {{ on_built_days('allocated.usage_date') }} and allocated.taken_units <> cells.given_units
