-- Factors on all token prices of a model, by the place that served a request (inference geography, region) or its speed.
-- An empty model is every model of the provider.
select
  provider,
  dimension,
  lower(value) as dimension_value,
  coalesce(lower(model), '') as model,
  cast(multiplier as decimal(9, 6)) as multiplier,
  cast(valid_from as timestamp with time zone) as valid_from,
  cast(coalesce(nullif(valid_to, ''), '9999-01-01T00:00:00Z') as timestamp with time zone) as valid_to
from {{ source('pricing', 'price_multipliers') }}
