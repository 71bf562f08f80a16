-- One row per day, provider, project, model and tier that was billed, with the charge and the denominator of every
-- usage class in columns: a request takes its billed cost with one hash join.
{{ config(tags=['daily']) }}
select
  usage_date,
  provider,
  provider_project,
  priced_model,
  service_tier,
  max(allocation_method) as allocation_method,
  {%- for class in billed_classes() %}
  max(case when usage_class = '{{ class }}' then charge_units end) as {{ class }}_charge_units,
  max(case when usage_class = '{{ class }}' then denominator end) as {{ class }}_denominator{% if not loop.last %},{% endif %}
  {%- endfor %}
from {{ ref('int_charges__allocated') }}
group by usage_date, provider, provider_project, priced_model, service_tier
