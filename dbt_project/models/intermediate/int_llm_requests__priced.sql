-- What the price in force when the request started makes of exactly that request: one hash join with the pivoted price
-- book on the name, and a range for everything else that moves a price. Components sum to the total on every row.
{{ config(event_time='usage_date', tags=['reference']) }}
{%- set components = {
  'input': ['input', 'input_audio', 'input_image'],
  'cache_read': ['cache_read'],
  'cache_write': ['cache_write_5m', 'cache_write_1h', 'cache_write_30m', 'cache_write_12h'],
  'output': ['output', 'output_audio'],
} %}
-- By what a price is looked up. Each is worked out once here, and twice as one side of a range: 1.7 s of processor time a
-- million requests against 0.9 s.
with requests as (
  select
    *,
    {{ model_lookup_name('model') }} as lookup_model_name,
    {{ priced_tier('service_tier') }} as lookup_tier,
    coalesce(input_tokens, 0) as lookup_context_tokens,
    {{ serving_place('asked') }} as lookup_place,
    {{ utc_minute_of_day('started_at') }} as lookup_utc_minute,
    coalesce(provider_account, '') as lookup_account
  from {{ ref('int_llm_requests__usage_normalised') }} as asked
),

matched as (
  select
    requests.*,
    prices.priced_model,
    prices.price_id,
    prices.price_source,
    prices.is_tier_inherited or requests.service_tier <> prices.service_tier as is_tier_inherited,
    coalesce(prices.has_terms, false) as has_terms,
    {%- for class in price_classes() %}
    prices.{{ class }}_usd_per_unit,
    prices.{{ class }}_contracted_usd_per_unit,
    {%- endfor %}
    coalesce(prices.input_usd_per_unit, prices.output_usd_per_unit) is not null as has_token_price,
    coalesce(requests.input_tokens, requests.output_tokens) is not null as has_token_count,
    coalesce(
      prices.request_usd_per_unit
      {%- for class in apiece_classes() %}, prices.{{ class }}_usd_per_unit{% endfor %}
    ) is not null as has_apiece_price,
    coalesce(
      prices.request_usd_per_unit
      {%- for class, column in apiece_classes().items() if column %},
      requests.{{ column }} * prices.{{ class }}_usd_per_unit
      {%- endfor %},
      {{ other_apiece_cost('requests.other_usage', 'prices') }}
    ) is not null as has_apiece_cost,
    -- Nothing is owed for an answer from our own cache, or for a call that the provider refused.
    coalesce(requests.response_cache_hit, false) as is_response_cache_hit,
    requests.output_tokens is null
    and (
      requests.outcome = 'rate_limited'
      or (requests.http_status between 400 and 499 and requests.http_status not in (408, 499))
    ) as is_refused
  from requests
  left join {{ ref('int_model_prices__pivoted') }} as prices
    on
      requests.provider = prices.provider
      and requests.lookup_model_name = prices.model_name
      and requests.lookup_tier >= prices.tier_from
      and requests.lookup_tier < prices.tier_to
      and requests.started_at >= prices.valid_from
      and requests.started_at < prices.valid_to
      and requests.lookup_context_tokens > prices.context_above_tokens
      and requests.lookup_context_tokens <= prices.context_upto_tokens
      and requests.lookup_place >= prices.place_from
      and requests.lookup_place < prices.place_to
      and requests.lookup_utc_minute >= prices.utc_minute_from
      and requests.lookup_utc_minute < prices.utc_minute_to
      and requests.lookup_account >= prices.account_from
      and requests.lookup_account < prices.account_to
),

measured as (
  -- A call is billed by its tokens or apiece, never by both: an image or a second of speech is tokens too. Apiece is
  -- right where the model has no price of tokens, and where nobody counted them.
  select
    *,
    has_apiece_price and not has_token_price or has_apiece_cost and not has_token_count as is_billed_apiece
  from matched
),

components as (
  select
    *,
    {%- for component, classes in components.items() %}
    case
      when is_billed_apiece then {{ zero_usd() }}
      else
        {{ sum_of_class_costs(classes, '_usd_per_unit') }}
    end as full_{{ component }}_cost_usd,
    {%- endfor %}
    {{ fees_cost_usd('_usd_per_unit') }} as full_fee_cost_usd,
    -- Only where something was agreed; elsewhere the list price is what is owed.
    case
      when has_terms
        then {{ agreed_cost_usd(components, '_contracted_usd_per_unit') }}
    end as agreed_cost_usd
  from measured
),

states as (
  select
    *,
    case
      when is_response_cache_hit then 'response_cache_hit'
      when is_refused then 'refused_by_provider'
      when price_id is null then 'unpriced_model'
      when
        full_input_cost_usd + full_cache_read_cost_usd + full_cache_write_cost_usd
        + full_output_cost_usd + full_fee_cost_usd is not null
        then 'priced'
      when is_billed_apiece and not has_apiece_cost then 'usage_unknown'
      when not is_billed_apiece and (input_class_tokens is null or output_class_tokens is null) then 'usage_unknown'
      else 'unpriced_usage_class'
    end as price_status
  from components
)

select
  usage_date,
  request_key,
  started_at,
  source_name,
  pull_id,
  observations_count,
  observed_by,
  usage_observer,
  {%- for column in attribution_columns() %}
  {{ column }},
  {%- endfor %}
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
  input_includes_cache,
  usage_warning,
  unexplained_tokens,
  coalesce(priced_model, lower(model)) as priced_model,
  price_id,
  price_source,
  is_tier_inherited,
  price_status,
  {%- for component in cost_components() %}
  case
    when price_status in ('response_cache_hit', 'refused_by_provider') then {{ zero_usd() }}
    when price_status = 'priced' then full_{{ component }}_cost_usd
  end as {{ component }}_cost_usd,
  {%- endfor %}
  case
    when price_status in ('response_cache_hit', 'refused_by_provider') then {{ zero_usd() }}
    when price_status = 'priced'
      then
        full_input_cost_usd + full_cache_read_cost_usd + full_cache_write_cost_usd
        + full_output_cost_usd + full_fee_cost_usd
  end as list_cost_usd,
  case
    when price_status in ('response_cache_hit', 'refused_by_provider') then {{ zero_usd() }}
    when price_status = 'priced' and has_terms then agreed_cost_usd
    when price_status = 'priced'
      then
        full_input_cost_usd + full_cache_read_cost_usd + full_cache_write_cost_usd
        + full_output_cost_usd + full_fee_cost_usd
  end as contracted_cost_usd,
  case
    when is_response_cache_hit
      then
        full_input_cost_usd + full_cache_read_cost_usd + full_cache_write_cost_usd
        + full_output_cost_usd + full_fee_cost_usd
  end as avoided_cost_usd
from states
