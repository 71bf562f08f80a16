-- One row per day and set of billing keys that requests bear: the charge and the denominator of every class that pays for
-- them, and how near the bill came to them. A request takes its billed cost with one hash join.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
{%- set cell = {
  'provider': 'provider', 'cell_level': 'cell_level', 'cell_account': 'provider_account',
  'cell_api_key_id': 'provider_api_key_id', 'cell_project': 'provider_project', 'cell_model': 'priced_model',
  'cell_tier': 'service_tier', 'usage_class': 'usage_class',
} %}
with priced as (
  select
    claims.usage_date,
    claims.provider,
    {%- for key in billing_keys() %}
    claims.{{ key }},
    {%- endfor %}
    claims.usage_class,
    cells.charge_units,
    cells.denominator,
    case cells.allocation_method
      when 'direct' then 1
      when 'by_project' then 2
      when 'by_model' then 3
      else 4
    end as method_rank
  from {{ ref('int_billing_claims__matched') }} as claims
  inner join {{ ref('int_charges__allocated') }} as cells
    on
      claims.usage_date = cells.usage_date
      {%- for of_claim, of_cell in cell.items() %}
      and claims.{{ of_claim }} = cells.{{ of_cell }}
      {%- endfor %}
  where {{ on_built_days('claims.usage_date') }} and claims.claimant = 'requests'
)

select
  usage_date,
  provider,
  {{ billing_keys() | join(',\n  ') }},
  max(case when usage_class <> 'web_search' then method_rank end) as token_method_rank,
  max(case when usage_class = 'web_search' then method_rank end) as search_method_rank,
  {%- for class in billed_classes() %}
  max(case when usage_class = '{{ class }}' then charge_units end) as {{ class }}_charge_units,
  max(case when usage_class = '{{ class }}' then denominator end) as {{ class }}_denominator{% if not loop.last %},{% endif %}
  {%- endfor %}
from priced
group by 1, 2, 3, 4, 5, 6, 7
