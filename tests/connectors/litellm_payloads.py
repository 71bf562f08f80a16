"""Builder of LiteLLM `StandardLoggingPayload`s: what matters, and the content that must not leak."""

from __future__ import annotations

import copy
from typing import Any

PLANTED_PROMPT = "planted prompt text: the merger closes on Friday"
T0_SECONDS = 1_795_249_300.140415  # 2026-11-21T08:21:40.140415Z

_ANTHROPIC: dict[str, Any] = {
    "id": "chatcmpl-7cce61bd",
    "litellm_call_id": "a97fbf64",
    "trace_id": "c40be5f3",
    "session_id": "",
    "call_type": "acompletion",
    "cache_hit": None,
    "stream": None,
    "status": "success",
    "custom_llm_provider": "anthropic",
    "startTime": T0_SECONDS,
    "endTime": T0_SECONDS + 0.25,
    "completionStartTime": T0_SECONDS + 0.1,
    "model": "claude-sonnet-4-5",
    "model_group": "smart",
    "metadata": {
        "user_api_key_team_id": None,
        "user_api_key_user_id": "raw-user-7",
        "user_api_key_end_user_id": None,
        "usage_object": {
            "prompt_tokens": 4329,
            "completion_tokens": 118,
            "completion_tokens_details": {"reasoning_tokens": 40},
            "prompt_tokens_details": {
                "cached_tokens": 300,
                "cache_creation_tokens": 3000,
                "cache_creation_token_details": {
                    "ephemeral_5m_input_tokens": 2000,
                    "ephemeral_1h_input_tokens": 1000,
                },
            },
            "server_tool_use": {"web_search_requests": 2},
            "cache_creation_input_tokens": 3000,
            "cache_read_input_tokens": 300,
            "inference_geo": "global",
            "service_tier": "standard",
        },
    },
    "response_cost": 0.019257000000000003,
    "total_tokens": 4447,
    "prompt_tokens": 4329,
    "completion_tokens": 118,
    "request_tags": ["feature:draft", "User-Agent: openai/1"],
    "end_user": "acme",
    "messages": [{"role": "user", "content": PLANTED_PROMPT}],
    "response": {"choices": [{"message": {"content": PLANTED_PROMPT}}]},
    "model_parameters": {"user": "beta"},
    "error_information": None,
}


def payload(**changes: Any) -> dict[str, Any]:
    """A successful Anthropic call with `changes` on top; None is sent as null."""
    return {**copy.deepcopy(_ANTHROPIC), **changes}


def failure(**changes: Any) -> dict[str, Any]:
    """A call that the provider refused, as LiteLLM's failure handler writes it."""
    refused = {
        "id": "a97fbf64",
        "status": "failure",
        "metadata": {"usage_object": {}},
        "response_cost": 0.0,
        "total_tokens": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "response": {},
        "error_information": {"error_code": "503", "error_class": "ServiceUnavailableError"},
    }
    return payload(**{**refused, **changes})
