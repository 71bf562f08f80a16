-- When each source was last heard of, by what was known then: a day before that can be judged.
select
  source_name,
  max(pulled_at) as newest_pulled_at
from {{ source('landing', 'manifest') }}
where pull_id < {{ as_known_pull_id() }}
group by source_name
