-- The list price in force when the request started, for exactly that request: one hash join with the pivoted price
-- book on name and tier, and two ranges (moment, context). Components sum to the total on every row.
{{ config(event_time='usage_date', tags=['reference']) }}
with matched as (
  select
    requests.*,
    prices.priced_model,
    prices.price_id,
    prices.price_source,
    prices.is_tier_inherited,
    -- A class without a price of its own costs what the plainer class costs: never less than it can be.
    prices.input_usd_per_unit as input_price,
    coalesce(prices.cache_read_usd_per_unit, prices.input_usd_per_unit) as cache_read_price,
    coalesce(prices.cache_write_5m_usd_per_unit, prices.input_usd_per_unit) as cache_write_5m_price,
    coalesce(
      prices.cache_write_1h_usd_per_unit, prices.cache_write_5m_usd_per_unit, prices.input_usd_per_unit
    ) as cache_write_1h_price,
    coalesce(
      prices.cache_write_30m_usd_per_unit, prices.cache_write_5m_usd_per_unit, prices.input_usd_per_unit
    ) as cache_write_30m_price,
    coalesce(
      prices.cache_write_12h_usd_per_unit, prices.cache_write_30m_usd_per_unit, prices.cache_write_5m_usd_per_unit,
      prices.input_usd_per_unit
    ) as cache_write_12h_price,
    coalesce(prices.input_audio_usd_per_unit, prices.input_usd_per_unit) as input_audio_price,
    coalesce(prices.input_image_usd_per_unit, prices.input_usd_per_unit) as input_image_price,
    prices.output_usd_per_unit as output_price,
    coalesce(prices.output_audio_usd_per_unit, prices.output_usd_per_unit) as output_audio_price,
    prices.request_usd_per_unit as request_price,
    prices.web_search_usd_per_unit as web_search_price,
    prices.rerank_search_usd_per_unit as rerank_search_price,
    prices.image_usd_per_unit as image_price,
    prices.second_usd_per_unit as second_price,
    prices.character_usd_per_unit as character_price,
    coalesce(prices.input_usd_per_unit, prices.output_usd_per_unit) is not null as has_token_price,
    coalesce(requests.input_tokens, requests.output_tokens) is not null as has_token_count,
    coalesce(
      prices.request_usd_per_unit, prices.rerank_search_usd_per_unit, prices.image_usd_per_unit,
      prices.second_usd_per_unit, prices.character_usd_per_unit
    ) is not null as has_apiece_price,
    coalesce(
      requests.rerank_units * prices.rerank_search_usd_per_unit, requests.images * prices.image_usd_per_unit,
      requests.audio_seconds * prices.second_usd_per_unit, requests.characters * prices.character_usd_per_unit,
      prices.request_usd_per_unit
    ) is not null as has_apiece_cost,
    -- Nothing is owed for an answer from our own cache, or for a call that the provider refused.
    coalesce(requests.response_cache_hit, false) as is_response_cache_hit,
    requests.output_tokens is null
    and (
      requests.outcome = 'rate_limited'
      or (requests.http_status between 400 and 499 and requests.http_status not in (408, 499))
    ) as is_refused
  from {{ ref('int_llm_requests__usage_normalised') }} as requests
  left join {{ ref('int_model_prices__pivoted') }} as prices
    on
      requests.provider = prices.provider
      and lower(requests.model) = prices.model_name
      and requests.service_tier = prices.service_tier
      and requests.started_at >= prices.valid_from
      and requests.started_at < prices.valid_to
      and coalesce(requests.input_tokens, 0) > prices.context_above_tokens
      and coalesce(requests.input_tokens, 0) <= prices.context_upto_tokens
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
    {%- for component, classes in {
      'input': ['input', 'input_audio', 'input_image'],
      'cache_read': ['cache_read'],
      'cache_write': ['cache_write_5m', 'cache_write_1h', 'cache_write_30m', 'cache_write_12h'],
      'output': ['output', 'output_audio'],
    }.items() %}
    case
      when is_billed_apiece then {{ zero_usd() }}
      else
        {{ sum_of_class_costs(classes) }}
    end as full_{{ component }}_cost_usd,
    {%- endfor %}
    {{ fee_cost_usd('web_search_requests', 'web_search_price') }}
    + case
      when not is_billed_apiece then {{ zero_usd() }}
      when not has_apiece_cost then null
      else
        {{ fee_cost_usd('rerank_units', 'rerank_search_price') }}
        + {{ fee_cost_usd('images', 'image_price') }}
        + {{ fee_cost_usd('audio_seconds', 'second_price') }}
        + {{ fee_cost_usd('characters', 'character_price') }}
    end
    + coalesce({{ usd('request_price') }}, {{ zero_usd() }}) as full_fee_cost_usd
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
    when is_response_cache_hit
      then
        full_input_cost_usd + full_cache_read_cost_usd + full_cache_write_cost_usd
        + full_output_cost_usd + full_fee_cost_usd
  end as avoided_cost_usd
from states
