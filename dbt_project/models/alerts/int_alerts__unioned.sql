-- One row per rule, scope and day in breach, over all rules.
{{ config(materialized='view') }}
{%- set rules = [
  'alert_tenant_spend_spikes', 'alert_feature_token_regressions', 'alert_error_rates', 'alert_budget_burns',
  'alert_embedding_overruns', 'alert_tenant_tier_overspends', 'alert_unpriced_requests', 'alert_unattributed_shares',
  'alert_estimate_drifts',
] %}
{%- for rule in rules %}
select * from {{ ref(rule) }}
{% if not loop.last %}union all{% endif %}
{%- endfor %}
