-- One row per value of a dimension: effective cost in both periods, which sums to the whole of both
select
  any_dimension as part,
  sum(case when usage_date between $baseline_first and $baseline_last then cost_usd else 0 end)
    as baseline_cost_usd,
  sum(case when usage_date between $current_first and $current_last then cost_usd else 0 end) as current_cost_usd
from usage
where
  usage_date between $baseline_first and $baseline_last
  or usage_date between $current_first and $current_last
group by part
