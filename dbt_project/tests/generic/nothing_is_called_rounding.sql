{#- What requests take of a bill and what is left with a reason are the bill, for every provider and day, to the last digit. -#}
{% test nothing_is_called_rounding(model) %}
select
  usage_date,
  provider,
  amount_usd,
  billed_cost_usd
from {{ model }}
where reason = 'rounding'
{% endtest %}
