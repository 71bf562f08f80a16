-- One row per day on which verdicts were given, day of the operation they judge, tenant and feature.
{{ config(materialized='incremental', incremental_strategy='window', event_time='usage_date', tags=['daily']) }}
select
  usage_date,
  operation_date,
  tenant_id,
  feature,
  count(*) as events_count,
  sum(accepted_outcomes_count) as accepted_outcomes_count,
  sum(rejected_outcomes_count) as rejected_outcomes_count,
  sum(reversed_outcomes_count) as reversed_outcomes_count,
  sum(case when is_duplicate then 1 else 0 end) as duplicates_count,
  sum(case when match_method = 'unmatched' then 1 else 0 end) as unmatched_count,
  cast(sum(case when accepted_outcomes_count <> 0 then value_usd end) as decimal(38, 12)) as value_usd,
  cast(sum(cost_in_vain_usd) as decimal(38, 12)) as cost_in_vain_usd
from {{ ref('fct_outcomes') }}
where {{ on_built_days() }}
group by 1, 2, 3, 4
