-- One row per name of a model and everything on which its prices depend: the moment, the hour of the day, the service
-- tier, the total input of the request, the place that served it and the account that pays. The price of every usage
-- class stands in a column of its own, and every dimension is a half-open range, together covering all there is: pricing
-- a request is one hash join on the name, and finds one row.
{{ config(materialized='table', tags=['reference']) }}
{%- set classes = price_classes() %}
{%- set rank %}
      case when prices.service_tier = cells.service_tier then 2000000000000000 else 0 end
      + case when prices.region = cells.place then 1000000000000000 else 0 end
      + prices.precedence * 10000000000000
      + case when prices.utc_minute_from is null then 0 else 1000000000000 end
      + prices.context_from_tokens
{%- endset %}
with prices as (
  select
    *,
    row_number() over (order by price_id, valid_from, known_from) as price_number
  from {{ ref('stg_pricing__model_prices') }}
),

models as (
  select distinct
    provider,
    model
  from prices
),

-- A factor or a term that names no model holds for all of the provider's.
factors as (
  select
    models.provider,
    models.model,
    multipliers.dimension,
    multipliers.dimension_value,
    multipliers.multiplier,
    multipliers.valid_from,
    multipliers.valid_to
  from {{ ref('stg_pricing__price_multipliers') }} as multipliers
  inner join models on multipliers.provider = models.provider
  where multipliers.model = '' or multipliers.model = models.model
),

terms as (
  select
    models.provider,
    models.model,
    price_terms.provider_account,
    price_terms.usage_class,
    price_terms.service_tier,
    price_terms.discount_pct,
    price_terms.usd_per_unit,
    price_terms.valid_from,
    price_terms.valid_to,
    row_number() over (order by price_terms.line_number, models.model) as term_number,
    -- The most specific term wins: by account, then model, then class, then tier.
    case when price_terms.provider_account <> '' then 8 else 0 end + case when price_terms.model <> '' then 4 else 0 end
    + case when price_terms.usage_class <> '' then 2 else 0 end + case when price_terms.service_tier <> '' then 1 else 0 end
      as specificity
  from {{ ref('stg_pricing__price_terms') }} as price_terms
  inner join models on price_terms.provider = models.provider
  where price_terms.model = '' or price_terms.model = models.model
),

moments as (
  {%- for relation in ['prices', 'factors', 'terms'] %}
  {%- for column in ['valid_from', 'valid_to'] %}
  select
    provider,
    model,
    {{ column }} as moment
  from {{ relation }}
  {% if not loop.last %}union{% endif %}
  {%- endfor %}
  {% if not loop.last %}union{% endif %}
  {%- endfor %}
),

spans as (
  select
    provider,
    model,
    moment as valid_from,
    lead(moment) over (partition by provider, model order by moment) as valid_to
  from moments
),

-- A tier that nobody states a price, a factor or a term for is the rest, and is charged as standard.
tier_points as (
  select
    provider,
    model,
    service_tier as point
  from prices
  where service_tier <> 'standard'
  union
  select
    provider,
    model,
    dimension_value as point
  from factors
  where dimension = 'speed'
  union
  select
    provider,
    model,
    service_tier as point
  from terms
  where service_tier <> ''
),

tiers as (
  select
    provider,
    model,
    range_from as tier_from,
    range_to as tier_to,
    coalesce(point, 'standard') as service_tier,
    coalesce(point, '') as named_tier
  from ({{ text_ranges('models', 'tier_points') }}) as ranges
),

contexts as (
  select
    provider,
    model,
    context_from_tokens,
    lead(context_from_tokens) over (partition by provider, model order by context_from_tokens) as context_to_tokens
  from (
    select
      provider,
      model,
      context_from_tokens
    from prices
    union
    select
      provider,
      model,
      0 as context_from_tokens
    from models
  ) as distinct_contexts
),

-- `regional` is any place that is stated and is not `global`.
place_points as (
  select
    provider,
    model,
    region as point
  from prices
  where region <> ''
  union
  select
    provider,
    model,
    dimension_value as point
  from factors
  where dimension <> 'speed' and dimension_value <> 'regional'
  {%- for place in ['', 'global'] %}
  union
  select
    provider,
    model,
    '{{ place }}' as point
  from factors
  where dimension <> 'speed' and dimension_value = 'regional'
  {%- endfor %}
),

places as (
  select
    ranges.provider,
    ranges.model,
    ranges.range_from as place_from,
    ranges.range_to as place_to,
    coalesce(ranges.point, case when regional.model is not null then 'regional' else '' end) as place
  from ({{ text_ranges('models', 'place_points') }}) as ranges
  left join (
    select distinct
      provider,
      model
    from factors
    where dimension <> 'speed' and dimension_value = 'regional'
  ) as regional on ranges.provider = regional.provider and ranges.model = regional.model
),

account_points as (
  select distinct
    provider,
    model,
    provider_account as point
  from terms
  where provider_account <> ''
),

accounts as (
  select
    provider,
    model,
    range_from as account_from,
    range_to as account_to,
    coalesce(point, '') as account
  from ({{ text_ranges('models', 'account_points') }}) as ranges
),

minutes as (
  select
    provider,
    model,
    minute as utc_minute_from,
    lead(minute, 1, 1440) over (partition by provider, model order by minute) as utc_minute_to
  from (
    select
      provider,
      model,
      0 as minute
    from models
    union
    select
      provider,
      model,
      utc_minute_from as minute
    from prices
    where utc_minute_from is not null
    union
    select
      provider,
      model,
      utc_minute_to as minute
    from prices
    where utc_minute_to is not null
  ) as edges
),

cells as (
  select
    spans.provider,
    spans.model,
    spans.valid_from,
    spans.valid_to,
    tiers.service_tier,
    tiers.named_tier,
    tiers.tier_from,
    tiers.tier_to,
    contexts.context_from_tokens,
    contexts.context_to_tokens,
    places.place,
    places.place_from,
    places.place_to,
    accounts.account,
    accounts.account_from,
    accounts.account_to,
    minutes.utc_minute_from,
    minutes.utc_minute_to,
    row_number() over () as cell_number
  from spans
  inner join tiers on spans.provider = tiers.provider and spans.model = tiers.model
  inner join contexts on spans.provider = contexts.provider and spans.model = contexts.model
  inner join places on spans.provider = places.provider and spans.model = places.model
  inner join accounts on spans.provider = accounts.provider and spans.model = accounts.model
  inner join minutes on spans.provider = minutes.provider and spans.model = minutes.model
  where spans.valid_to is not null
),

-- For every cell and class the row that applies: the tier itself before the standard one, the place before any place, the
-- better source, the hour before all day, the highest context reached. Two rows that are alike in all of it are refused
-- before (`prices_do_not_overlap`).
chosen as (
  select
    cells.cell_number,
    prices.usage_class,
    {{ value_at_max('prices.price_number', rank) }} as price_number
  from cells
  inner join prices
    on
      cells.provider = prices.provider
      and cells.model = prices.model
      and cells.context_from_tokens >= prices.context_from_tokens
      and cells.valid_from >= prices.valid_from
      and cells.valid_from < prices.valid_to
  where
    prices.service_tier in (cells.service_tier, 'standard')
    and prices.region in (cells.place, '')
    and case
      when prices.utc_minute_from is null then true
      when prices.utc_minute_from < prices.utc_minute_to
        then cells.utc_minute_from >= prices.utc_minute_from and cells.utc_minute_from < prices.utc_minute_to
      else cells.utc_minute_from >= prices.utc_minute_from or cells.utc_minute_from < prices.utc_minute_to
    end
  group by cells.cell_number, prices.usage_class
),

cell_factors as (
  select
    cells.cell_number,
    max(case when factors.dimension <> 'speed' then factors.multiplier end) as place_multiplier,
    max(case when factors.dimension = 'speed' then factors.multiplier end) as speed_multiplier
  from cells
  inner join factors
    on
      cells.provider = factors.provider
      and cells.model = factors.model
      and cells.valid_from >= factors.valid_from
      and cells.valid_from < factors.valid_to
  where factors.dimension_value = case when factors.dimension = 'speed' then cells.service_tier else cells.place end
  group by cells.cell_number
),

-- A multiplier is on the tokens of the usual price: a price that the book states for the place or the tier is whole.
listed as (
  select
    chosen.cell_number,
    chosen.usage_class,
    prices.price_id,
    prices.source || ' ' || prices.source_version as price_source,
    case when prices.service_tier = cells.service_tier then 0 else 1 end as is_tier_inherited,
    cast(
      prices.usd_per_unit
      * case
        when prices.region = '' and prices.usage_class in ({{ token_class_list() }})
          then coalesce(cell_factors.place_multiplier, 1)
        else 1
      end
      * case
        when prices.service_tier <> cells.service_tier and prices.usage_class in ({{ token_class_list() }})
          then coalesce(cell_factors.speed_multiplier, 1)
        else 1
      end as decimal(18, 12)
    ) as usd_per_unit
  from chosen
  inner join prices on chosen.price_number = prices.price_number
  inner join cells on chosen.cell_number = cells.cell_number
  left join cell_factors on chosen.cell_number = cell_factors.cell_number
),

usage_classes as (
  {%- for class in classes %}
  select '{{ class }}' as usage_class
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

chosen_terms as (
  select
    cells.cell_number,
    usage_classes.usage_class,
    {{ value_at_max('terms.term_number', 'terms.specificity') }} as term_number
  from cells
  inner join terms
    on
      cells.provider = terms.provider
      and cells.model = terms.model
      and cells.valid_from >= terms.valid_from
      and cells.valid_from < terms.valid_to
  cross join usage_classes
  where
    terms.provider_account in (cells.account, '')
    and terms.service_tier in (cells.named_tier, '')
    and terms.usage_class in (usage_classes.usage_class, '')
    -- A price is per token; a discount is on anything.
    and (terms.usd_per_unit is null or usage_classes.usage_class in ({{ token_class_list() }}))
  group by cells.cell_number, usage_classes.usage_class
),

agreed as (
  select
    chosen_terms.cell_number,
    chosen_terms.usage_class,
    coalesce(
      terms.usd_per_unit,
      cast(listed.usd_per_unit * (100 - terms.discount_pct) * cast(0.01 as decimal(2, 2)) as decimal(18, 12))
    ) as usd_per_unit
  from chosen_terms
  inner join terms on chosen_terms.term_number = terms.term_number
  left join listed
    on chosen_terms.cell_number = listed.cell_number and chosen_terms.usage_class = listed.usage_class
),

listed_pivoted as (
  select
    cell_number,
    {%- for class in classes %}
    max(case when usage_class = '{{ class }}' then usd_per_unit end) as {{ class }}_listed,
    {%- endfor %}
    max(case when usage_class in ('input', 'output') then is_tier_inherited end) as is_tier_inherited,
    max(case when usage_class = 'input' then price_id end) as input_price_id,
    min(price_id) as any_price_id,
    max(case when usage_class = 'input' then price_source end) as input_price_source,
    min(price_source) as any_price_source
  from listed
  group by cell_number
),

agreed_pivoted as (
  select
    cell_number,
    {%- for class in classes %}
    max(case when usage_class = '{{ class }}' then usd_per_unit end) as {{ class }}_agreed{% if not loop.last %},{% endif %}
    {%- endfor %}
  from agreed
  group by cell_number
)

select
  names.provider,
  names.name as model_name,
  names.model as priced_model,
  cells.service_tier,
  cells.tier_from,
  cells.tier_to,
  -- Half-open on both sides: input > from and input <= to picks one row; the first tier takes everything below.
  case when cells.context_from_tokens = 0 then -1 else cells.context_from_tokens end as context_above_tokens,
  coalesce(cells.context_to_tokens, 9223372036854775807) as context_upto_tokens,
  cells.valid_from,
  cells.valid_to,
  cells.utc_minute_from,
  cells.utc_minute_to,
  cells.place_from,
  cells.place_to,
  cells.account_from,
  cells.account_to,
  coalesce(listed_pivoted.input_price_id, listed_pivoted.any_price_id) as price_id,
  coalesce(listed_pivoted.input_price_source, listed_pivoted.any_price_source)
  || coalesce(' x ' || cast(cell_factors.place_multiplier as varchar) || ' ' || cells.place, '')
  || coalesce(' x ' || cast(cell_factors.speed_multiplier as varchar) || ' ' || cells.service_tier, '') as price_source,
  coalesce(listed_pivoted.is_tier_inherited, 0) = 1 as is_tier_inherited,
  agreed_pivoted.cell_number is not null as has_terms,
  {%- for class in classes %}
  {{ price_with_fallback(class, 'list') }} as {{ class }}_usd_per_unit,
  {%- endfor %}
  {%- for class in classes %}
  {{ price_with_fallback(class, 'contracted') }} as {{ class }}_contracted_usd_per_unit{% if not loop.last %},{% endif %}
  {%- endfor %}
from cells
inner join listed_pivoted on cells.cell_number = listed_pivoted.cell_number
left join agreed_pivoted on cells.cell_number = agreed_pivoted.cell_number
left join cell_factors on cells.cell_number = cell_factors.cell_number
inner join {{ ref('stg_pricing__model_names') }} as names
  on cells.provider = names.provider and cells.model = names.model
