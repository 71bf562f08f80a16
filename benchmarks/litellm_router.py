"""Times LiteLLM's router, in LiteLLM's own environment; `benchmarks.middleware` runs it.

Belongs here: one process that prints its latencies as JSON. Does not belong here: anything of trueup, which is not
installed there.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would fetch its prices otherwise

import litellm
from litellm import Router

MODEL = "gpt-4.1"
MESSAGES = [{"role": "user", "content": "hello"}]


def timed(router: Router, calls: int) -> list[tuple[int, int]]:
    """Return the nanoseconds of each call by the clock and on a processor, after a tenth of them to warm up."""
    found: list[tuple[int, int]] = []
    for number in range(calls + calls // 10):
        began, began_cpu = time.perf_counter_ns(), time.thread_time_ns()
        router.completion(model=MODEL, messages=MESSAGES)
        ended_cpu, ended = time.thread_time_ns(), time.perf_counter_ns()
        if number >= calls // 10:
            found.append((ended - began, ended_cpu - began_cpu))
    return found


def router(**parameters: str) -> Router:
    """Return a router with one deployment."""
    deployment = {"model": f"openai/{MODEL}", "api_key": "sk-none", **parameters}
    return Router(model_list=[{"model_name": MODEL, "litellm_params": deployment}], num_retries=0)


if __name__ == "__main__":
    base_url, calls, http_calls = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    litellm.suppress_debug_info = True
    print(
        json.dumps(
            {
                "without": timed(router(mock_response="hello"), calls),
                "loopback": timed(router(api_base=f"{base_url}/v1"), http_calls),
            }
        )
    )
