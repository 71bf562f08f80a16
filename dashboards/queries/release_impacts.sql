-- One row per release and measure that it moved, beyond chance; releases of the period, newest first.
select
  deployed_date,
  release_id,
  feature,
  measure,
  value_before,
  value_after,
  adjusted_change_rate,
  tenants_count,
  unpriced_attempts_count
from release_impacts
where
  is_significant
  and deployed_date between $first_date and $last_date
  and ($feature is null or list_contains($feature, feature))
order by deployed_date desc, release_id, abs(adjusted_change_rate) desc nulls last, measure
