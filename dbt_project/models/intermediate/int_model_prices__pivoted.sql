-- One row per name of a model, service tier, context tier and span of time in which no price of the model moves, with
-- the price of every usage class in a column of its own: pricing a request is one hash join.
{{ config(materialized='table', tags=['reference']) }}
{%- set classes = price_classes() %}
with prices as (
  select *
  from {{ ref('stg_pricing__model_prices') }}
  where utc_time_from is null and region = ''
),

moments as (
  select
    provider,
    model,
    valid_from as moment
  from prices
  union
  select
    provider,
    model,
    valid_to as moment
  from prices
),

spans as (
  select
    provider,
    model,
    moment as valid_from,
    lead(moment) over (partition by provider, model order by moment) as valid_to
  from moments
),

tiers as (
  select distinct
    provider,
    model,
    service_tier
  from prices
  union
  select distinct
    prices.provider,
    prices.model,
    usual.service_tier
  from prices
  cross join (
    select 'standard' as service_tier
    union all
    select 'batch'
    union all
    select 'flex'
    union all
    select 'priority'
  ) as usual
),

contexts as (
  select
    provider,
    model,
    context_from_tokens,
    lead(context_from_tokens) over (partition by provider, model order by context_from_tokens) as context_to_tokens
  from (
    select distinct
      provider,
      model,
      context_from_tokens
    from prices
  ) as distinct_contexts
),

cells as (
  select
    spans.provider,
    spans.model,
    tiers.service_tier,
    contexts.context_from_tokens,
    contexts.context_to_tokens,
    spans.valid_from,
    spans.valid_to
  from spans
  inner join tiers on spans.provider = tiers.provider and spans.model = tiers.model
  inner join contexts on spans.provider = contexts.provider and spans.model = contexts.model
  where spans.valid_to is not null
),

-- For every cell and class the row that applies: the tier itself before the standard one, the highest context reached,
-- then the better source.
candidates as (
  select
    cells.provider,
    cells.model,
    cells.service_tier,
    cells.context_from_tokens,
    cells.valid_from,
    prices.usage_class,
    prices.usd_per_unit,
    prices.price_id,
    prices.source,
    prices.source_version,
    case when prices.service_tier = cells.service_tier then 0 else 1 end as is_tier_inherited,
    row_number() over (
      partition by
        cells.provider, cells.model, cells.service_tier, cells.context_from_tokens, cells.valid_from,
        prices.usage_class
      order by
        case when prices.service_tier = cells.service_tier then 0 else 1 end,
        prices.precedence desc,
        prices.context_from_tokens desc,
        prices.known_from desc,
        prices.price_id
    ) as choice
  from cells
  inner join prices
    on
      cells.provider = prices.provider
      and cells.model = prices.model
      and cells.context_from_tokens >= prices.context_from_tokens
      and cells.valid_from >= prices.valid_from
      and cells.valid_from < prices.valid_to
  where prices.service_tier in (cells.service_tier, 'standard')
),

pivoted as (
  select
    provider,
    model,
    service_tier,
    context_from_tokens,
    valid_from,
    {%- for class in classes %}
    max(case when usage_class = '{{ class }}' then usd_per_unit end) as {{ class }}_usd_per_unit,
    {%- endfor %}
    max(case when usage_class in ('input', 'output') then is_tier_inherited end) as is_tier_inherited,
    max(case when usage_class = 'input' then price_id end) as price_id,
    max(case when usage_class = 'input' then source || ' ' || source_version end) as price_source
  from candidates
  where choice = 1
  group by provider, model, service_tier, context_from_tokens, valid_from
)

select
  names.provider,
  names.name as model_name,
  names.model as priced_model,
  cells.service_tier,
  -- Half-open on both sides: input > from and input <= to picks one row; the first tier takes everything below.
  case when cells.context_from_tokens = 0 then -1 else cells.context_from_tokens end as context_above_tokens,
  coalesce(cells.context_to_tokens, 9223372036854775807) as context_upto_tokens,
  cells.valid_from,
  cells.valid_to,
  coalesce(
    pivoted.price_id,
    names.provider || '/' || names.model || '/' || cells.service_tier
  ) as price_id,
  pivoted.price_source,
  coalesce(pivoted.is_tier_inherited, 0) = 1 as is_tier_inherited,
  {%- for class in classes %}
  pivoted.{{ class }}_usd_per_unit{% if not loop.last %},{% endif %}
  {%- endfor %}
from cells
inner join pivoted
  on
    cells.provider = pivoted.provider
    and cells.model = pivoted.model
    and cells.service_tier = pivoted.service_tier
    and cells.context_from_tokens = pivoted.context_from_tokens
    and cells.valid_from = pivoted.valid_from
inner join {{ ref('stg_pricing__model_names') }} as names
  on cells.provider = names.provider and cells.model = names.model
