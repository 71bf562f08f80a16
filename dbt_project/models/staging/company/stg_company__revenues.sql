-- Invoice lines by the days of service they pay for, half-open; credits and refunds are negative.
select
  tenant_id,
  invoice_id,
  line_id,
  service_start_date,
  service_end_date,
  amount_usd,
  kind as revenue_kind
from {{ landed_state('revenue') }} as landed
