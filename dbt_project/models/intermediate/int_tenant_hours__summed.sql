-- One row per day, tenant and UTC hour with a request: what it cost at contracted prices, which is known at once; a bill
-- knows no hours.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
select
  usage_date,
  tenant_id,
  cast(extract(hour from started_at) as integer) as utc_hour,
  cast(sum(contracted_cost_usd) as decimal(38, 12)) as contracted_cost_usd
from {{ ref('int_llm_requests__attributed') }}
where {{ on_built_days() }}
group by 1, 2, 3
