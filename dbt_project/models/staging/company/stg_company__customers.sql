-- Every copy of the customers table that has landed: its history is the history of the pulls.
select
  source_name,
  pull_id,
  usage_date as pulled_on,
  tenant_id,
  customer_id,
  name as customer_name,
  coalesce(billing_timezone, 'UTC') as billing_timezone,
  owner_email,
  created_at
from {{ landed_log('customers') }} as landed
