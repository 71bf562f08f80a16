-- Which pull of each source, table and day counts: the newest that was known then, also when it brought no rows.
select
  source_name,
  table_name,
  usage_date,
  max(pull_id) as pull_id
from {{ source('landing', 'manifest') }}
where pull_id < {{ as_known_pull_id() }}
group by source_name, table_name, usage_date
