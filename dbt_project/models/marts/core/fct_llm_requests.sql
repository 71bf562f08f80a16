-- One row per attempt: one call that a provider served or failed. Written once, in int_llm_requests__attributed; the
-- bill comes later, changes, and is small, so it is joined at reading and a restated bill rewrites no request.
{{ config(materialized='view', tags=['daily'], event_time='usage_date') }}
with billed_days as (
  -- Which provider's bill of which day has arrived.
  select distinct
    usage_date,
    provider
  from {{ ref('int_charges__keyed') }}
),

remainders as (
  select
    usage_date,
    request_key,
    sum(remainder_units) as remainder_units
  from {{ ref('int_billed_remainders__placed') }}
  group by usage_date, request_key
),

billed as (
  select
    requests.*,
    billed_days.provider is not null as has_bill_arrived,
    -- Worked out only where a bill has come: most of what this view costs.
    case
      when prices.provider is not null or remainders.request_key is not null
        then
          {%- for class, weight in billed_classes().items() %}
          {{ units_of_request(class, weight) }} +
          {%- endfor %}
          coalesce(remainders.remainder_units, 0)
    end as billed_units,
    -- How near the bill came to what this request used; NULL where it has no charge of the kind, which does not make the
    -- request free.
    greatest(
      case
        when coalesce(requests.input_tokens, requests.output_tokens) is not null then prices.token_method_rank
      end,
      case when requests.web_search_requests > 0 then prices.search_method_rank end
    ) as method_rank
  from {{ ref('int_llm_requests__attributed') }} as requests
  left join billed_days
    on requests.usage_date = billed_days.usage_date and requests.provider = billed_days.provider
  left join {{ ref('int_billed_prices__pivoted') }} as prices
    on
      requests.usage_date = prices.usage_date
      and requests.provider = prices.provider
      {%- for key in billing_keys() %}
      and coalesce(requests.{{ key }}, '') = prices.{{ key }}
      {%- endfor %}
  left join remainders
    on requests.usage_date = remainders.usage_date and requests.request_key = remainders.request_key
),

costed as (
  select
    *,
    case
      when not has_bill_arrived then null
      when price_status in ('response_cache_hit', 'refused_by_provider') then {{ zero_usd() }}
      when method_rank is null then null
      else {{ units_to_usd('billed_units') }}
    end as billed_cost_usd,
    case
      when price_status in ('response_cache_hit', 'refused_by_provider') then null
      when method_rank = 1 then 'direct'
      when method_rank = 2 then 'by_project'
      when method_rank = 3 then 'by_model'
      when method_rank = 4 then 'by_account'
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
