-- One row per attempt: one call that a provider served or failed. Written once, in int_llm_requests__attributed; the
-- bill comes later, changes, and is small, so it is joined at reading and a restated bill rewrites no request.
{{ config(materialized='view', tags=['daily'], event_time='usage_date') }}
with billed_days as (
  -- Which provider's bill of which day has arrived.
  select distinct
    usage_date,
    provider
  from {{ ref('int_charges__allocated') }}
),

billed_projects as (
  -- Which projects it names; a request of any other is matched without its project.
  select distinct
    usage_date,
    provider,
    provider_project
  from {{ ref('int_charges__allocated') }}
  where provider_project <> ''
),

extra as (
  select
    usage_date,
    extra_request_key as request_key,
    sum(extra_units) as extra_units
  from {{ ref('int_charges__allocated') }}
  where extra_units <> 0
  group by usage_date, extra_request_key
),

billed as (
  select
    requests.*,
    billed_days.provider is not null as has_bill_arrived,
    coalesce(token_prices.allocation_method, search_prices.allocation_method) as matched_by,
    {%- for class, column in billed_classes().items() %}
    {%- set prices = 'search_prices' if class == 'web_search' else 'token_prices' %}
    {{ share_of_units(prices ~ '.' ~ class ~ '_charge_units', 'requests.' ~ column, prices ~ '.' ~ class ~ '_denominator') }} +
    {%- endfor %}
    coalesce(extra.extra_units, 0) as billed_units,
    -- Whether any charge is for what this request used; a bill that has nothing of the kind does not make it free.
    token_prices.provider is not null and coalesce(requests.input_tokens, requests.output_tokens) is not null
    or search_prices.provider is not null as is_in_bill
  from {{ ref('int_llm_requests__attributed') }} as requests
  left join billed_days
    on requests.usage_date = billed_days.usage_date and requests.provider = billed_days.provider
  left join billed_projects
    on
      requests.usage_date = billed_projects.usage_date
      and requests.provider = billed_projects.provider
      and requests.provider_project = billed_projects.provider_project
  left join {{ ref('int_billed_prices__pivoted') }} as token_prices
    on
      requests.usage_date = token_prices.usage_date
      and requests.provider = token_prices.provider
      and requests.priced_model = token_prices.priced_model
      and requests.service_tier = token_prices.service_tier
      and coalesce(billed_projects.provider_project, '') = token_prices.provider_project
  left join {{ ref('int_billed_prices__pivoted') }} as search_prices
    on
      requests.usage_date = search_prices.usage_date
      and requests.provider = search_prices.provider
      and case when requests.web_search_requests > 0 then '' end = search_prices.priced_model
      and search_prices.service_tier = ''
      and coalesce(billed_projects.provider_project, '') = search_prices.provider_project
  left join extra
    on requests.usage_date = extra.usage_date and requests.request_key = extra.request_key
),

costed as (
  select
    *,
    case
      when not has_bill_arrived then null
      when price_status in ('response_cache_hit', 'refused_by_provider') then {{ zero_usd() }}
      when not is_in_bill then null
      else {{ units_to_usd('billed_units') }}
    end as billed_cost_usd,
    case
      when is_in_bill and price_status not in ('response_cache_hit', 'refused_by_provider') then matched_by
    end as allocation_method
  from billed
)

select
  usage_date,
  request_key,
  started_at,
  operation_key,
  tenant_id,
  feature,
  {%- for column in attribution_columns() if column not in ['tenant_id', 'feature'] %}
  {{ column }},
  {%- endfor %}
  is_retry,
  is_response_cache_hit,
  input_tokens,
  output_tokens,
  reasoning_tokens,
  {%- for class in token_classes() %}
  {{ class }}_class_tokens,
  {%- endfor %}
  {%- for column in fee_columns() %}
  {{ column }},
  {%- endfor %}
  source_name,
  pull_id,
  observed_by,
  observations_count,
  usage_observer,
  input_includes_cache,
  usage_warning,
  priced_model,
  price_id,
  price_source,
  is_tier_inherited,
  price_status,
  {%- for component in cost_components() %}
  {{ component }}_cost_usd,
  {%- endfor %}
  list_cost_usd,
  contracted_cost_usd,
  avoided_cost_usd,
  billed_cost_usd,
  allocation_method,
  coalesce(billed_cost_usd, contracted_cost_usd) as effective_cost_usd,
  case
    when billed_cost_usd is not null then 'billed'
    when contracted_cost_usd is not null then 'estimated'
    else 'unpriced'
  end as cost_basis
from costed
