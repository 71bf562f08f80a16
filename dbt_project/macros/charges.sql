{#- What a line of a bill is for, by the words it uses. A line that names its meter is usage, whatever words its model has. -#}
{%- macro charge_category(description, usage_class) -%}
  case
    when {{ usage_class }} in ('code_execution', 'file_search') then 'not_request_scoped'
    when {{ usage_class }} is not null then 'usage'
    -- A bill that is not itemised: what it says, it says of all usage of the account or project.
    when {{ description }} is null then 'usage'
    {%- for category, words in charge_words().items() %}
    when {% for word in words %}lower({{ description }}) like '%{{ word }}%'{% if not loop.last %} or {% endif %}{% endfor %} then '{{ category }}'
    {%- endfor %}
    else 'unmapped'
  end
{%- endmacro -%}

{#- Read from the top: a credit on a commitment is a credit. -#}
{%- macro charge_words() -%}
  {{ return({
    'credit': ['credit', 'refund'],
    'tax': ['tax', 'vat '],
    'priority_or_commitment': [
      'commitment', 'minimum', 'priority tier', 'scale tier', 'provisioned', 'reserved',
    ],
    'not_request_scoped': ['storage', 'container', 'session', 'code execution', 'code interpreter', 'seat'],
  }) }}
{%- endmacro -%}
