-- One row per model, tier and UTC day on which its list price of output differs from the day before by over 1 %.
with prices as (
  select
    usage_date,
    provider,
    model,
    service_tier,
    1000000 * sum(output_cost_usd) / nullif(sum(priced_output_tokens), 0) as usd_per_mtok
  from llm_usage_by_plan_feature_model_day
  where
    usage_date between cast($first_date as date) - 1 and $last_date
    and priced_output_tokens > 0
    and ($provider is null or list_contains($provider, provider))
    and ($model is null or list_contains($model, model))
  group by usage_date, provider, model, service_tier
),

compared as (
  select
    *,
    lag(usd_per_mtok) over (partition by provider, model, service_tier order by usage_date) as previous_usd_per_mtok
  from prices
)

select *
from compared
where abs(usd_per_mtok - previous_usd_per_mtok) > 0.01 * previous_usd_per_mtok
order by usage_date, provider, model, service_tier
