{#- The measures of the daily cube, and how every mart above it sums and divides them. One list, so that no mart forgets one. -#}
{%- macro cube_counts() -%}
  {{ return([
    'attempts_count', 'response_cache_hits_count', 'retries_count', 'fallbacks_count', 'succeeded_attempts_count',
    'failed_attempts_count', 'cancelled_attempts_count', 'unpriced_attempts_count', 'usage_missing_attempts_count',
    'usage_warnings_count', 'estimated_attempts_count', 'input_tokens', 'output_tokens', 'reasoning_tokens',
    'cache_read_tokens', 'cache_write_tokens', 'embedding_tokens', 'generation_tokens',
  ]) }}
{%- endmacro -%}

{%- macro cube_costs() -%}
  {{ return([
    'input_cost_usd', 'cache_read_cost_usd', 'cache_write_cost_usd', 'output_cost_usd', 'fee_cost_usd',
    'list_cost_usd', 'contracted_cost_usd', 'billed_cost_usd', 'effective_cost_usd', 'estimated_cost_usd',
    'avoided_cost_usd',
  ]) }}
{%- endmacro -%}

{#- What came of the attempts: only roll-ups that know of no model have them. -#}
{%- macro unit_counts() -%}
  {{ return([
    'operations_count', 'answered_operations_count', 'accepted_outcomes_count', 'rejected_outcomes_count',
    'reversed_outcomes_count',
  ]) }}
{%- endmacro -%}

{#- Counts over attempts that have a price; only the cube holds them. -#}
{%- macro priced_counts() -%}
  {{ return({
    'priced_attempts_count': '1',
    'priced_input_tokens': 'input_tokens',
    'priced_output_tokens': 'output_tokens',
    'priced_cache_read_tokens': 'cache_read_class_tokens',
    'priced_cache_write_tokens':
      'cache_write_5m_class_tokens + cache_write_1h_class_tokens + cache_write_30m_class_tokens + cache_write_12h_class_tokens',
  }) }}
{%- endmacro -%}

{#- Attempts without an answer, each in one kind; only the cube holds what they cost. -#}
{%- macro wasted_attempts() -%}
  {%- set failed = "outcome in ('error', 'timeout', 'rate_limited')" -%}
  {{ return({
    'abandoned_cost_usd': "outcome = 'cancelled'",
    'failed_fallback_cost_usd': failed ~ ' and coalesce(is_fallback, false)',
    'failed_retry_cost_usd': failed ~ ' and is_retry and not coalesce(is_fallback, false)',
    'failed_first_cost_usd': failed ~ ' and not is_retry and not coalesce(is_fallback, false)',
  }) }}
{%- endmacro -%}

{#- NULL stays NULL: a sum over nothing known is unknown, not free. -#}
{%- macro sum_of_cube_measures() -%}
  {%- for column in cube_counts() %}
    cast(sum({{ column }}) as bigint) as {{ column }},
  {%- endfor %}
  {%- for column in cube_costs() %}
    cast(sum({{ column }}) as decimal(38, 12)) as {{ column }}{% if not loop.last %},{% endif %}
  {%- endfor %}
{%- endmacro -%}

{#- The same with what came of it; of a roll-up that has both. -#}
{%- macro sum_of_unit_measures() -%}
  {{ sum_of_cube_measures() }},
  {%- for column in unit_counts() %}
    cast(sum({{ column }}) as bigint) as {{ column }},
  {%- endfor %}
    cast(sum(outcome_value_usd) as decimal(38, 12)) as outcome_value_usd
{%- endmacro -%}

{%- macro cube_measures(relation) -%}
  {%- for column in cube_counts() %}
  coalesce({{ relation }}.{{ column }}, 0) as {{ column }},
  {%- endfor %}
  {%- for column in cube_costs() %}
  {{ relation }}.{{ column }}{% if not loop.last %},{% endif %}
  {%- endfor %}
{%- endmacro -%}

{#- The ratios of unit economics; numerator and denominator stand beside them in the same row. -#}
{%- macro unit_ratios(prefix, operations_count, accepted_outcomes_count) -%}
  {{ ratio(prefix ~ 'effective_cost_usd', 'greatest(' ~ accepted_outcomes_count ~ ', 0)') }} as cost_per_accepted_outcome_usd,
  {{ ratio(prefix ~ 'effective_cost_usd', operations_count) }} as cost_per_operation_usd,
  {{ ratio(prefix ~ 'input_tokens + ' ~ prefix ~ 'output_tokens', 'greatest(' ~ accepted_outcomes_count ~ ', 0)') }} as tokens_per_accepted_outcome,
  {{ ratio(prefix ~ 'input_tokens + ' ~ prefix ~ 'output_tokens', operations_count) }} as tokens_per_operation,
  {{ ratio(prefix ~ 'attempts_count', operations_count) }} as attempts_per_operation,
  {{ ratio(accepted_outcomes_count, operations_count) }} as acceptance_rate,
  {{ request_ratios(prefix) }}
{%- endmacro -%}

{%- macro request_ratios(prefix) -%}
  {{ ratio(prefix ~ 'retries_count', prefix ~ 'attempts_count') }} as retry_rate,
  {{ ratio(prefix ~ 'failed_attempts_count', prefix ~ 'attempts_count') }} as error_rate,
  {{ ratio(prefix ~ 'cache_read_tokens', prefix ~ 'input_tokens') }} as cache_hit_rate,
  case
    when coalesce({{ prefix }}attempts_count, 0) = 0 then null
    when {{ prefix }}effective_cost_usd is null then 'unpriced'
    when {{ prefix }}estimated_attempts_count = 0 then 'billed'
    when {{ prefix }}billed_cost_usd is null then 'estimated'
    else 'mixed'
  end as cost_basis,
  {{ ratio(prefix ~ 'estimated_cost_usd', prefix ~ 'effective_cost_usd') }} as estimated_share
{%- endmacro -%}

{#- Rows by day and tenant with the plan that the tenant was on, '' for none. -#}
{%- macro with_plan_name(relation) -%}
  select
    measured.*,
    coalesce(tenants.plan_name, '') as plan_name
  from (
    select *
    from {{ relation }}
    where {{ on_built_days() }}
  ) as measured
  left join (
    select
      usage_date,
      tenant_id,
      plan_name
    from {{ ref('unit_economics_by_tenant_day') }}
    where {{ on_built_days() }}
  ) as tenants
    on measured.usage_date = tenants.usage_date and measured.tenant_id = tenants.tenant_id
{%- endmacro -%}
