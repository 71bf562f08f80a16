-- One row per provider and day of whose counted tokens our logs hold a far smaller share than in the days before: a service
-- that calls the provider and logs nothing, or a log that stopped.
with days as (
  select
    usage_date,
    provider,
    coalesce(logged_tokens, 0) as logged_tokens,
    provider_tokens
  from {{ ref('recon_estimated_vs_billed_by_provider_day') }}
  where provider_tokens > 0
),

compared as (
  {{ with_earlier_days('days', 'provider', ['logged_tokens', 'provider_tokens'], 'log_coverage_drop') }}
),

measured as (
  select
    usage_date,
    'provider' as scope_kind,
    provider as scope_id,
    '' as plan_id,
    {{ ratio('logged_tokens', 'provider_tokens') }} as observed,
    {{ ratio('earlier_logged_tokens', 'earlier_provider_tokens') }} as baseline,
    provider_tokens as floor_value,
    earlier_days_count as history_days_count,
    cast(provider_tokens - logged_tokens as varchar) || ' tokens are in no log' as detail
  from compared
)

{{ breaches('measured', 'log_coverage_drop') }}
