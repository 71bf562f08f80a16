-- One row per model and day on which the list price of something that it was used for in the days before has changed.
with used as (
  select
    provider,
    model,
    min(usage_date) as first_date,
    max(usage_date) as last_date
  from {{ ref('unit_economics_by_model_day') }}
  group by provider, model
),

prices as (
  select
    prices.*,
    used.last_date
  from {{ ref('int_model_prices__pivoted') }} as prices
  inner join used on prices.provider = used.provider and prices.model_name = used.model
  where prices.model_name = prices.priced_model and prices.valid_to > used.first_date
),

changes as (
  {%- for class in ['input', 'cache_read', 'output'] %}
  select
    after.provider,
    after.model_name,
    cast(after.valid_from as date) as usage_date,
    '{{ class }}' as usage_class,
    before.{{ class }}_usd_per_unit as former_usd_per_unit,
    after.{{ class }}_usd_per_unit as usd_per_unit
  from prices as after
  inner join prices as before
    on
      after.provider = before.provider
      and after.model_name = before.model_name
      and after.valid_from = before.valid_to
      and after.service_tier = before.service_tier
      and after.context_above_tokens = before.context_above_tokens
      and after.place_from = before.place_from
      and after.account_from = before.account_from
      and after.tier_from = before.tier_from
      and after.utc_minute_from = before.utc_minute_from
  inner join {{ ref('stg_alert_rules__rules') }} as rules on rules.alert_rule = 'price_changed'
  where
    before.{{ class }}_usd_per_unit <> after.{{ class }}_usd_per_unit
    and cast(after.valid_from as date) <= after.last_date + rules.window_days * interval '1 day'
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

measured as (
  select
    usage_date,
    'model' as scope_kind,
    provider || '/' || model_name as scope_id,
    '' as plan_id,
    max(abs({{ ratio('usd_per_unit', 'former_usd_per_unit') }} - 1)) as observed,
    null as baseline,
    null as floor_value,
    null as history_days_count,
    {{ value_at_max(
      "usage_class || ' from $' || cast(cast(former_usd_per_unit * 1000000 as double) as varchar) || ' to $'"
      ~ " || cast(cast(usd_per_unit * 1000000 as double) as varchar) || ' per million'",
      'abs(usd_per_unit - former_usd_per_unit)'
    ) }} as detail
  from changes
  group by usage_date, provider, model_name
)

{{ breaches('measured', 'price_changed') }}
