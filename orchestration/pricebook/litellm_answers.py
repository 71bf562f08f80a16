"""What LiteLLM's own function says requests cost; a program that runs where LiteLLM is installed, and only there.

Belongs here: turning disjoint classes into LiteLLM's usage object, and asking. Does not belong here: anything of this
project: the environment that runs it has none of it. On standard input a JSON object {"at": moment, "calls": [...]},
on standard output a list of USD, or null where LiteLLM does not know the model.
"""

from __future__ import annotations

import importlib
import json
import sys
from datetime import datetime
from typing import Any


def main() -> None:
    """Answer every call of standard input."""
    asked = json.load(sys.stdin)
    litellm: Any = importlib.import_module("litellm")
    types: Any = importlib.import_module("litellm.types.utils")
    context: Any = importlib.import_module("litellm._internal_context")
    litellm.suppress_debug_info = True
    # It prices off-peak hours by the hour at which it is asked.
    with context.pinned_billing_time(datetime.fromisoformat(asked["at"])):
        json.dump([_cost(litellm, types, call) for call in asked["calls"]], sys.stdout)


def _cost(litellm: Any, types: Any, call: dict[str, Any]) -> float | None:
    tier = call["service_tier"]
    how = {"service_tier": tier} if tier not in ("standard", "batch") else {}
    if tier == "batch":
        how["call_type"] = "retrieve_batch"
    try:
        parts = litellm.cost_per_token(
            model=call["key"], custom_llm_provider=call["provider"], usage_object=_usage(types, call["usage"]), **how
        )
    except Exception as error:
        if type(error).__name__ == "ModelNotMappedError":
            return None
        raise
    return sum(parts)


def _usage(types: Any, usage: dict[str, int]) -> Any:
    long_writes = usage.get("cache_write_1h", 0)
    written = usage.get("cache_write_5m", 0) + usage.get("cache_write_30m", 0) + long_writes
    read, output = usage.get("cache_read", 0), usage.get("output", 0)
    total = usage.get("input", 0) + read + written
    by_retention = {"ephemeral_5m_input_tokens": written - long_writes, "ephemeral_1h_input_tokens": long_writes}
    details = types.PromptTokensDetailsWrapper(
        cached_tokens=read,
        cache_creation_tokens=written,
        cache_creation_token_details=by_retention if long_writes else None,
    )
    return types.Usage(
        prompt_tokens=total,
        completion_tokens=output,
        total_tokens=total + output,
        prompt_tokens_details=details,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written,
    )


if __name__ == "__main__":
    main()
