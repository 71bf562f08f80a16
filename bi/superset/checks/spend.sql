select sum(effective_cost_usd) as effective_cost_usd
from fct_llm_requests
