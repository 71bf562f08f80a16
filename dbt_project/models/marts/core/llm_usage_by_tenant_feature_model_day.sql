-- One row per day, tenant, feature, provider, model, operation, service tier, release, environment and cost basis: the
-- daily cube. Everything above it sums this, so every roll-up has the same total.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
select
  usage_date,
  tenant_id,
  feature,
  provider,
  priced_model as model,
  operation_name,
  service_tier,
  coalesce(release, '') as release,
  coalesce(environment, '') as environment,
  count(*) as attempts_count,
  sum(case when is_response_cache_hit then 1 else 0 end) as response_cache_hits_count,
  sum(case when is_retry then 1 else 0 end) as retries_count,
  sum(case when is_fallback then 1 else 0 end) as fallbacks_count,
  sum(case when outcome = 'success' then 1 else 0 end) as succeeded_attempts_count,
  sum(case when outcome in ('error', 'timeout', 'rate_limited') then 1 else 0 end) as failed_attempts_count,
  sum(case when outcome = 'cancelled' then 1 else 0 end) as cancelled_attempts_count,
  sum(case when price_status in ('unpriced_model', 'unpriced_usage_class') then 1 else 0 end) as unpriced_attempts_count,
  sum(
    case
      when
        (input_tokens is null or output_tokens is null)
        and price_status not in ('priced', 'response_cache_hit', 'refused_by_provider')
        then 1
      else 0
    end
  ) as usage_missing_attempts_count,
  sum(case when usage_warning is not null then 1 else 0 end) as usage_warnings_count,
  sum(case when cost_basis = 'estimated' then 1 else 0 end) as estimated_attempts_count,
  sum(coalesce(input_tokens, 0)) as input_tokens,
  sum(coalesce(output_tokens, 0)) as output_tokens,
  sum(coalesce(reasoning_tokens, 0)) as reasoning_tokens,
  sum(coalesce(cache_read_class_tokens, 0)) as cache_read_tokens,
  sum(
    coalesce(cache_write_5m_class_tokens, 0) + coalesce(cache_write_1h_class_tokens, 0)
    + coalesce(cache_write_30m_class_tokens, 0) + coalesce(cache_write_12h_class_tokens, 0)
  ) as cache_write_tokens,
  sum(case when operation_name = 'embeddings' then coalesce(input_tokens, 0) else 0 end) as embedding_tokens,
  sum(case when operation_name = 'chat' then coalesce(output_tokens, 0) else 0 end) as generation_tokens,
  -- Of attempts that have a price, so that cost over tokens is a price and nothing else (macros/decomposition.sql).
  {%- for alias, count in priced_counts().items() %}
  sum(case when price_status = 'priced' then coalesce({{ count }}, 0) else 0 end) as {{ alias }},
  {%- endfor %}
  {%- for component in cost_components() %}
  cast(sum({{ component }}_cost_usd) as decimal(38, 12)) as {{ component }}_cost_usd,
  {%- endfor %}
  cast(sum(list_cost_usd) as decimal(38, 12)) as list_cost_usd,
  cast(sum(contracted_cost_usd) as decimal(38, 12)) as contracted_cost_usd,
  cast(sum(billed_cost_usd) as decimal(38, 12)) as billed_cost_usd,
  cast(sum(effective_cost_usd) as decimal(38, 12)) as effective_cost_usd,
  cast(sum(case when cost_basis = 'estimated' then effective_cost_usd else 0 end) as decimal(38, 12))
    as estimated_cost_usd,
  cast(sum(avoided_cost_usd) as decimal(38, 12)) as avoided_cost_usd,
  -- What attempts cost that brought no answer; every one of them is in one of these.
  {%- for alias, condition in wasted_attempts().items() %}
  {{ usd('sum(case when ' ~ condition ~ ' then effective_cost_usd end)') }} as {{ alias }}{% if not loop.last %},{% endif %}
  {%- endfor %}
from {{ ref('fct_llm_requests') }}
where {{ on_built_days() }}
group by 1, 2, 3, 4, 5, 6, 7, 8, 9
