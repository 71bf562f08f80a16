{#-
Of the rows that share the columns of `key`, no two hold at one moment (`valid_from <= moment < valid_to`): which of two
would apply is not defined. The build stops with both rows named by `row_name`. `also` is a further condition on `one` and
`other` under which two rows meet.
-#}
{% test one_holds_at_a_time(model, key, row_name, also='true') %}
with numbered as (
  select
    *,
    {{ row_name }} as row_name,
    row_number() over (order by valid_from, {{ row_name }}) as row_number_of_all
  from {{ model }}
)

select one.row_name
from numbered as one
inner join numbered as other
  on
    one.valid_from < other.valid_to
    and other.valid_from < one.valid_to
    and one.row_number_of_all < other.row_number_of_all
    {%- for column in key %}
    and one.{{ column }} = other.{{ column }}
    {%- endfor %}
where
  ({{ also }})
  -- In the condition, because dbt counts rows and reads no column of them.
  and {{ refuse("one.row_name || ' and ' || other.row_name || ' both hold at ' || cast(greatest(one.valid_from, other.valid_from) as varchar)") }}
{% endtest %}
