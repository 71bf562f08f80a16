-- Every exact name under which a model is logged or billed, and the model that it names. Nothing matches by prefix or
-- by similarity: gpt-4.1 is not gpt-4, and a name that is not here is unpriced.
select distinct
  provider,
  model as name,
  model
from {{ ref('stg_pricing__model_prices') }}
union
select distinct
  aliases.provider,
  lower(aliases.alias) as name,
  lower(aliases.model) as model
from {{ source('pricing', 'model_aliases') }} as aliases
left join {{ ref('stg_pricing__model_prices') }} as own_price
  on aliases.provider = own_price.provider and lower(aliases.alias) = own_price.model
where own_price.model is null
