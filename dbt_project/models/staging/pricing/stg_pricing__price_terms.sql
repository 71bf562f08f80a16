-- What was negotiated: a discount on the list price, or a price per token. An empty field is any; `line_number` is the
-- place of the row in its file.
select
  row_number() over () + 1 as line_number,
  provider,
  coalesce(provider_account, '') as provider_account,
  coalesce(lower(model), '') as model,
  coalesce(usage_class, '') as usage_class,
  coalesce(service_tier, '') as service_tier,
  cast(nullif(discount_pct, '') as decimal(7, 4)) as discount_pct,
  cast(cast(nullif(price_usd_per_mtok, '') as decimal(18, 6)) * cast(0.000001 as decimal(7, 6)) as decimal(18, 12))
    as usd_per_unit,
  cast(valid_from as timestamp with time zone) as valid_from,
  cast(coalesce(nullif(valid_to, ''), '9999-01-01T00:00:00Z') as timestamp with time zone) as valid_to
from {{ source('pricing', 'price_terms') }}
