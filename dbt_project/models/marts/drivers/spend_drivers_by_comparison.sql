-- One row per comparison that ends on the newest day (day on day, week on week, day against the week before) and driver, of
-- all requests, largest first. Summed from the leaves of spend_change_drivers: a page reads some hundred rows of it, where
-- decomposing 36,000 cells anew takes 4 s.
with known_days as (
  select
    min(usage_date) as first_date,
    max(usage_date) as last_date
  from {{ ref('unit_economics_by_feature_day') }}
  where attempts_count > 0
),

leaves as (
  -- Whole baselines alone, so that the mean day of a week is of seven days.
  select
    changes.*,
    case changes.comparison when 'day_on_day' then 1 when 'week_on_week' then 2 else 3 end as comparison_key
  from {{ ref('spend_change_drivers') }} as changes
  inner join known_days on changes.usage_date = known_days.last_date
  where changes.comparison <> 'before_after_release' and changes.baseline_first_date >= known_days.first_date
),

spans as (
  select
    comparison_key,
    comparison,
    usage_date,
    baseline_first_date,
    baseline_last_date,
    current_first_date,
    cast(sum(baseline_cost_usd) as decimal(38, 12)) as baseline_cost_usd,
    cast(sum(current_cost_usd) as decimal(38, 12)) as current_cost_usd
  from leaves
  group by 1, 2, 3, 4, 5, 6
),

comparisons as (
  select
    comparison_key,
    'all requests' as scope_words,
    case comparison
      when 'day_vs_trailing_week' then 'its 7-day mean'
      when 'day_on_day' then cast(baseline_last_date as varchar)
      else cast(baseline_first_date as varchar) || '..' || cast(baseline_last_date as varchar)
    end as baseline_words
  from spans
),

releases as (
  -- The newest of each feature that went out after the baseline began.
  select
    spans.comparison_key,
    dim_releases.feature,
    {{ value_at_max('dim_releases.release_id', '(dim_releases.deployed_at, dim_releases.release_id)') }} as release_id
  from {{ ref('dim_releases') }} as dim_releases
  inner join spans
    on dim_releases.deployed_date > spans.baseline_first_date and dim_releases.deployed_date <= spans.usage_date
  group by spans.comparison_key, dim_releases.feature
),

effects as (
  {{ change_drivers('leaves', 'releases') }}
),

worded as (
  select
    effects.*,
    comparisons.scope_words,
    comparisons.baseline_words
  from effects
  inner join comparisons on effects.comparison_key = comparisons.comparison_key
),

drivers as (
  {{ ranked_drivers('worded', ['comparison_key']) }}
),

sentences as (
  {{ driver_sentences('drivers', ['comparison_key']) }}
)

select
  spans.comparison,
  spans.usage_date,
  spans.baseline_first_date,
  spans.baseline_last_date,
  spans.current_first_date,
  drivers.driver_rank,
  drivers.driver,
  drivers.tenant_id,
  drivers.feature,
  drivers.provider,
  drivers.model,
  drivers.release_id,
  drivers.effect_usd,
  drivers.share_of_change,
  drivers.driver_words,
  spans.baseline_cost_usd,
  spans.current_cost_usd,
  drivers.change_usd,
  sentences.sentence
from drivers
inner join spans on drivers.comparison_key = spans.comparison_key
inner join sentences on drivers.comparison_key = sentences.comparison_key
