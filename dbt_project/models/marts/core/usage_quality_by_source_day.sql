-- One row per day, source and observer whose counts are used: how many requests it counted, and what was odd about them.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
select
  usage_date,
  source_name,
  usage_observer,
  count(*) as attempts_count,
  sum(case when input_tokens is not null and output_tokens is not null then 1 else 0 end) as counted_attempts_count,
  sum(case when usage_warning is not null then 1 else 0 end) as usage_warnings_count,
  {%- for code in usage_warnings() %}
  sum(case when usage_warning = '{{ code }}' then 1 else 0 end) as {{ code }}_count,
  {%- endfor %}
  sum(
    case
      when usage_warning is not null and usage_warning not in ('{{ usage_warnings() | join("', '") }}') then 1
      else 0
    end
  ) as other_warnings_count,
  sum(coalesce(unexplained_tokens, 0)) as unexplained_tokens,
  sum(case when is_tier_inherited then 1 else 0 end) as tier_inherited_count,
  sum(case when price_status = 'unpriced_model' then 1 else 0 end) as unpriced_model_count,
  sum(case when price_status = 'unpriced_usage_class' then 1 else 0 end) as unpriced_usage_class_count,
  sum(case when price_status = 'usage_unknown' then 1 else 0 end) as usage_unknown_count
from {{ ref('int_llm_requests__attributed') }}
where {{ on_built_days() }}
group by usage_date, source_name, usage_observer
