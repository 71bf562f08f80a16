-- One row per release of a feature in the period.
select
  deployed_date,
  deployed_at,
  release_id,
  feature,
  model,
  note
from dim_releases
where
  deployed_date between $first_date and $last_date
  and ($feature is null or list_contains($feature, feature))
order by deployed_at, release_id
