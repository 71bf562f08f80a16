{#- The columns name a row: none of them is NULL, and no two rows share them. Fails with the offending keys. -#}
{% test primary_key(model, columns) %}
select
  {{ columns | join(', ') }},
  count(*) as rows_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1 or {% for column in columns %}{{ column }} is null{% if not loop.last %} or {% endif %}{% endfor %}
{% endtest %}
