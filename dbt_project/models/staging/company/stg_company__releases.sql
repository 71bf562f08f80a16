-- What was deployed when, for which feature.
select
  release_id,
  deployed_at,
  cast(deployed_at as date) as deployed_date,
  feature,
  prompt_name,
  prompt_version,
  model,
  note
from {{ landed_state('releases') }} as landed
