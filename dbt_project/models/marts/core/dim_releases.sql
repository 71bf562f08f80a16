-- One row per release and feature it touched.
{{ config(tags=['rollup']) }}
select
  release_id,
  feature,
  deployed_at,
  deployed_date,
  prompt_name,
  prompt_version,
  model,
  note
from {{ ref('stg_company__releases') }}
