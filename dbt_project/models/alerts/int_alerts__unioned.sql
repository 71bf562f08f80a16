-- One row per rule, scope and day in breach, over all rules.
{{ config(materialized='view') }}
{%- set rules = [
  'alert_tenant_spend_spikes', 'alert_feature_token_regressions', 'alert_error_rates', 'alert_budget_burns',
  'alert_embedding_overruns', 'alert_tenant_tier_overspends', 'alert_unpriced_requests', 'alert_unattributed_shares',
  'alert_estimate_drifts', 'alert_tenant_hour_spikes', 'alert_outcome_cost_regressions', 'alert_cache_hit_collapses',
  'alert_retry_rate_rises', 'alert_output_drifts', 'alert_premium_model_share_drifts', 'alert_log_coverage_drops',
  'alert_forecasts_over_budget', 'alert_price_changes', 'alert_late_sources', 'alert_silent_scopes',
] %}
{%- for rule in rules %}
select * from {{ ref(rule) }}
{% if not loop.last %}union all{% endif %}
{%- endfor %}
