{#- A column sums to the same total as the same column of another model, to the last digit: no roll-up loses or invents. -#}
{% test same_total(model, column, compare_to) %}
select
  this_total,
  other_total
from (
  select cast(coalesce(sum({{ column }}), 0) as decimal(38, 12)) as this_total
  from {{ model }}
) as this_model
cross join (
  select cast(coalesce(sum({{ column }}), 0) as decimal(38, 12)) as other_total
  from {{ compare_to }}
) as other_model
where this_total <> other_total
{% endtest %}
