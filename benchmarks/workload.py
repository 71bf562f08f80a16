"""The input of the benchmarks: `llm.request` lines as a busy application writes them.

Belongs here: generating lines, fast and deterministically. Does not belong here: measuring.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb

# One line in two hundred is logged twice, as real logs do; both sides must count it once.
_LINES = """
    select
        'llm.request' as event,
        epoch_ms(make_timestamp({start_us} + (number * {step_us})::bigint)) as ts,
        'req_' || {day} || '_' || number as request_id,
        case when h % 3 = 0 then 'anthropic' else 'openai' end as provider,
        case h % 3 when 0 then 'claude-sonnet-4-5-20250929' when 1 then 'gpt-4.1-2025-04-14'
            else 'gpt-4.1-mini-2025-04-14' end as model,
        ['support_copilot', 'rag_answers', 'draft_writer', 'search_assist', 'ticket_classifier'][1 + (h2 % 5)::bigint]
            as feature,
        'tenant_' || lpad(((h2 // 5) % 85)::varchar, 3, '0') as tenant_id,
        'user_' || (h2 % 5000) as user_id,
        case when h2 % 50 = 0 then 'error' else 'success' end as outcome,
        case when h2 % 50 = 0 then 500 else 200 end as http_status,
        (h % 4000)::int as latency_ms,
        'chat' as operation_name,
        (500 + h % 8500)::bigint as input_tokens,
        (10 + h2 % 900)::bigint as output_tokens,
        case when h % 5 = 0 then ((500 + h % 8500) // 2)::bigint else 0 end as cache_read_tokens,
        'standard' as service_tier,
        'proj_' || (h % 3) as provider_project,
        'resp_' || {day} || '_' || md5(number::varchar) as response_id,
        md5({day} || '-' || (number // 2)) as trace_id,
        'op_' || {day} || '_' || (number // 2) as operation_id,
        1 as attempt_number,
        '2025.10.' || (1 + {day} // 14) as release,
        'production' as environment
    from (
        select number, hash(number + {day} * 1000003) % 1000003 as h, hash(number * 31 + {day}) % 1000003 as h2
        from range({requests}) as numbers (number)
    )
"""


def write_day(folder: Path, first_day: date, day_number: int, requests: int) -> int:
    """Write one day's lines; return how many calls they tell of."""
    day = first_day + timedelta(days=day_number)
    path = folder / f"day={day}.jsonl"
    lines = _LINES.format(
        start_us=(day - date(1970, 1, 1)).days * 86_400_000_000,
        step_us=86_400_000_000 / requests,
        day=day_number,
        requests=requests,
    )
    with duckdb.connect() as database:
        database.execute("set threads = 2; set memory_limit = '2GB'")
        database.execute(
            f"copy (select * from ({lines}) union all select * from ({lines}) where hash(request_id) % 200 = 0) "
            f"to '{path}' (format json)"
        )
    return requests


def write_days(folder: Path, first_day: date, days: range, requests: int) -> int:
    """Write several days, counted from `first_day`, with `requests` calls each; return the number of calls."""
    folder.mkdir(parents=True, exist_ok=True)
    return sum(write_day(folder, first_day, day, requests) for day in days)
