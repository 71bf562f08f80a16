{#- On every row the parts sum to the whole, to the last digit; an unknown part makes the whole unknown. -#}
{% test adds_up(model, parts, whole) %}
select *
from {{ model }}
where
  ({{ parts | join(' + ') }}) <> {{ whole }}
  or (({{ parts | join(' + ') }}) is null) <> ({{ whole }} is null)
{% endtest %}
