-- One row per release, feature and measure: what the feature was before and after it, over as many days on both sides, at
-- most seven, its own day in neither. The adjusted change compares each tenant with itself and weighs tenants by their
-- operations on both sides, so that a shift between tenants is no effect of the release. Its interval (95 %, normal) comes
-- from how far tenants differ: few or unlike tenants make it wide, and under five there is none.
{%- set least_tenants = 5 %}
with days as (
  select
    usage_date,
    tenant_id,
    feature,
    operations_count,
    attempts_count,
    failed_attempts_count,
    accepted_outcomes_count,
    unpriced_attempts_count,
    input_tokens + output_tokens as tokens,
    effective_cost_usd
  from {{ ref('unit_economics_by_tenant_feature_day') }}
),

known_days as (
  select
    min(usage_date) as first_date,
    max(usage_date) as last_date
  from {{ ref('unit_economics_by_feature_day') }}
),

releases as (
  select
    dim_releases.release_id,
    dim_releases.feature,
    dim_releases.deployed_date,
    least(
      7,
      date_diff('day', dim_releases.deployed_date, known_days.last_date),
      date_diff('day', known_days.first_date, dim_releases.deployed_date)
    ) as days_count
  from {{ ref('dim_releases') }} as dim_releases
  cross join known_days
),

tenants as (
  select
    releases.release_id,
    releases.feature,
    releases.deployed_date,
    releases.days_count,
    days.tenant_id,
    {%- for side, condition in {
      'before': 'days.usage_date < releases.deployed_date', 'after': 'days.usage_date > releases.deployed_date'
    }.items() %}
    {%- for measure in [
      'operations_count', 'attempts_count', 'failed_attempts_count', 'accepted_outcomes_count', 'unpriced_attempts_count',
      'tokens',
    ] %}
    cast(coalesce(sum(case when {{ condition }} then days.{{ measure }} end), 0) as bigint) as {{ measure }}_{{ side }},
    {%- endfor %}
    cast(coalesce(sum(case when {{ condition }} then days.effective_cost_usd end), 0) as decimal(38, 12))
      as effective_cost_usd_{{ side }}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
  from days
  inner join releases
    on
      days.feature = releases.feature
      and days.usage_date >= releases.deployed_date - interval '1 day' * releases.days_count
      and days.usage_date <= releases.deployed_date + interval '1 day' * releases.days_count
  where releases.days_count > 0
  group by releases.release_id, releases.feature, releases.deployed_date, releases.days_count, days.tenant_id
),

measured as (
  {%- for measure, numerator, denominator in [
    ('cost_per_operation_usd', 'effective_cost_usd', 'operations_count'),
    ('tokens_per_operation', 'tokens', 'operations_count'),
    ('attempts_per_operation', 'attempts_count', 'operations_count'),
    ('error_rate', 'failed_attempts_count', 'attempts_count'),
    ('acceptance_rate', 'accepted_outcomes_count', 'operations_count'),
  ] %}
  select
    release_id,
    feature,
    deployed_date,
    days_count,
    '{{ measure }}' as measure,
    operations_count_before,
    operations_count_after,
    unpriced_attempts_count_before + unpriced_attempts_count_after as unpriced_attempts_count,
    {%- for side in ['before', 'after'] %}
    cast({{ numerator }}_{{ side }} as decimal(38, 12)) as numerator_{{ side }},
    {{ denominator }}_{{ side }} as denominator_{{ side }},
    {{ ratio(numerator ~ '_' ~ side, denominator ~ '_' ~ side) }} as value_{{ side }},
    {%- endfor %}
    case
      when {{ denominator }}_before > 0 and {{ denominator }}_after > 0
        then {{ denominator }}_before + {{ denominator }}_after
    end as weight
  from tenants
  {% if not loop.last %}union all{% endif %}
  {%- endfor %}
),

weights as (
  select
    release_id,
    feature,
    measure,
    sum(weight) as weight
  from measured
  group by release_id, feature, measure
),

weighted as (
  select
    measured.*,
    measured.value_after - measured.value_before as difference,
    {{ ratio('measured.weight', 'weights.weight') }} as share
  from measured
  inner join weights
    on
      measured.release_id = weights.release_id
      and measured.feature = weights.feature
      and measured.measure = weights.measure
),

adjusted as (
  select
    release_id,
    feature,
    measure,
    {{ steady_sum('share * difference') }} as adjusted_change
  from weighted
  group by release_id, feature, measure
),

compared as (
  select
    weighted.*,
    adjusted.adjusted_change
  from weighted
  inner join adjusted
    on
      weighted.release_id = adjusted.release_id
      and weighted.feature = adjusted.feature
      and weighted.measure = adjusted.measure
),

summed as (
  select
    release_id,
    feature,
    measure,
    min(deployed_date) as deployed_date,
    min(days_count) as days_count,
    count(share) as tenants_count,
    cast(sum(operations_count_before) as bigint) as operations_before_count,
    cast(sum(operations_count_after) as bigint) as operations_after_count,
    cast(sum(unpriced_attempts_count) as bigint) as unpriced_attempts_count,
    sum(numerator_before) as numerator_before,
    sum(denominator_before) as denominator_before,
    sum(numerator_after) as numerator_after,
    sum(denominator_after) as denominator_after,
    {{ steady_sum('share * value_before') }} as adjusted_before,
    max(adjusted_change) as adjusted_change,
    case
      when count(share) >= {{ least_tenants }}
        then sqrt({{ steady_sum('pow(share * (difference - adjusted_change), 2)') }} * count(share) / (count(share) - 1))
    end as standard_error
  from compared
  group by release_id, feature, measure
)

select
  release_id,
  feature,
  measure,
  deployed_date,
  cast(days_count as bigint) as days_count,
  tenants_count,
  operations_before_count,
  operations_after_count,
  unpriced_attempts_count,
  {{ ratio('numerator_before', 'denominator_before') }} as value_before,
  {{ ratio('numerator_after', 'denominator_after') }} as value_after,
  round(adjusted_change, 9) as adjusted_change,
  round(adjusted_change - 1.96 * standard_error, 9) as adjusted_change_low,
  round(adjusted_change + 1.96 * standard_error, 9) as adjusted_change_high,
  round(adjusted_change / nullif(adjusted_before, 0), 9) as adjusted_change_rate,
  coalesce(abs(adjusted_change) > 1.96 * standard_error, false) as is_significant
from summed
