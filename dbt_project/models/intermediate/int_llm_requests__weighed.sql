-- One row per day and set of billing keys that billable requests bear, '' where they do not say: what they weigh together
-- in each class that a provider bills, and what we estimate them at. The only model of the true-up, beside the
-- remainders, that reads every request.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
select
  usage_date,
  provider,
  {%- for key in billing_keys() %}
  coalesce({{ key }}, '') as {{ key }},
  {%- endfor %}
  count(*) as attempts_count,
  cast(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) as bigint) as logged_tokens,
  {%- for class in estimated_classes() %}
  {{ sum_of_class_estimates(class) }} as {{ class }}_cost_usd,
  {%- endfor %}
  cast(coalesce(sum(list_cost_usd), 0) as decimal(38, 12)) as list_cost_usd,
  cast(coalesce(sum(contracted_cost_usd), 0) as decimal(38, 12)) as contracted_cost_usd,
  {%- for class, weight in billed_classes().items() %}
  {{ sum_of_weights(weight) }} as {{ class }}_weight{% if not loop.last %},{% endif %}
  {%- endfor %}
from {{ ref('int_llm_requests__attributed') }}
where {{ on_built_days() }} and {{ is_billable() }}
group by 1, 2, 3, 4, 5, 6, 7
