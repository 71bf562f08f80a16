{#- What requests take of a bill and what none of them takes are the bill, for every provider and day, to the last digit. -#}
{% test bill_is_conserved(model) %}
select
  usage_date,
  provider,
  billed_cost_usd,
  allocated_cost_usd,
  unattributed_cost_usd
from {{ model }}
where
  billed_cost_usd is not null
  and billed_cost_usd <> coalesce(allocated_cost_usd, 0) + coalesce(unattributed_cost_usd, 0)
{% endtest %}
