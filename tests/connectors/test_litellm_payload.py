"""What a LiteLLM payload means."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litellm_payloads import T0_SECONDS, failure, payload

from orchestration.connectors.litellm_payload import Attribution, BadPayloadError, read_payload

LATEST = datetime(2026, 11, 23, tzinfo=UTC)
ATTRIBUTION = Attribution(tenant=("end_user",), feature=("tag:feature:",), user=("metadata.user_api_key_user_id",))


def read(sent: dict[str, Any], attribution: Attribution = ATTRIBUTION) -> dict[str, Any]:
    return read_payload(sent, attribution, LATEST)


def test_an_anthropic_call_with_both_cache_lifetimes() -> None:
    assert read(payload()) == {
        "request_id": "a97fbf64",
        "response_id": "chatcmpl-7cce61bd",
        "started_at": datetime(2026, 11, 21, 8, 21, 40, 140415, tzinfo=UTC),
        "provider": "anthropic",
        "model": "claude-sonnet-4-5",
        "request_model": "smart",
        "feature": "draft",
        "tenant_id": "acme",
        "user_id": "raw-user-7",
        "outcome": "success",
        "error_type": None,
        "latency_ms": 250.0,
        "time_to_first_token_ms": None,
        "call_type": "acompletion",
        "input_tokens": 4329,
        "output_tokens": 118,
        "cache_read_tokens": 300,
        "cache_write_5m_tokens": 2000,
        "cache_write_1h_tokens": 1000,
        "cache_write_tokens": 3000,
        "reasoning_tokens": 40,
        "web_search_requests": 2,
        "service_tier": "standard",
        "inference_geo": "global",
        "trace_id": "c40be5f3",
        "conversation_id": None,
        "response_cache_hit": None,
        "cost_usd": Decimal("0.019257000000"),
        "tags": '["feature:draft"]',
    }


def test_openai_usage_has_cached_tokens_in_the_details_only() -> None:
    usage = {
        "prompt_tokens_details": {"cached_tokens": 606},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    row = read(payload(metadata={"usage_object": usage}))
    assert (row["cache_read_tokens"], row["reasoning_tokens"]) == (606, 0)
    assert (row["cache_write_tokens"], row["cache_write_5m_tokens"], row["web_search_requests"]) == (None,) * 3


def test_c17_a_sent_zero_wins_over_the_other_place() -> None:
    usage = {"cache_read_input_tokens": 0, "prompt_tokens_details": {"cached_tokens": 90}}
    assert read(payload(metadata={"usage_object": usage}))["cache_read_tokens"] == 0


def test_a_failure_that_no_provider_answered_has_unknown_tokens_and_cost() -> None:
    row = read(failure())
    assert {row[name] for name in ("input_tokens", "output_tokens", "cache_read_tokens", "cost_usd")} == {None}
    assert (row["outcome"], row["error_type"], row["response_id"]) == (
        "error",
        "ServiceUnavailableError",
        None,
    )


def test_x6_a_failure_after_the_provider_answered_keeps_what_it_counted() -> None:
    row = read(failure(prompt_tokens=100, completion_tokens=7, response_cost=0.001, id="chatcmpl-9"))
    assert (row["input_tokens"], row["output_tokens"], row["cost_usd"]) == (100, 7, Decimal("0.001"))
    assert row["response_id"] == "chatcmpl-9"


@pytest.mark.parametrize(
    ("code", "name", "outcome"),
    [
        ("429", "RateLimitError", "rate_limited"),
        ("408", "Timeout", "timeout"),
        ("", "APITimeoutError", "timeout"),
        ("499", "Cancelled", "cancelled"),
        (None, None, "error"),
    ],
)
def test_failures_are_told_apart(code: str | None, name: str | None, outcome: str) -> None:
    assert read(failure(error_information={"error_code": code, "error_class": name}))["outcome"] == outcome


@pytest.mark.parametrize(
    ("sent", "hit"), [(True, True), (False, False), (None, None), ("True", True), ("None", None), ("", None)]
)
def test_c12_d11_cache_hit_is_the_gateways_own_cache_and_never_a_prompt_cache(sent: Any, hit: bool | None) -> None:
    row = read(payload(cache_hit=sent, response_cost=0.0))
    assert row["response_cache_hit"] is hit
    assert row["cache_read_tokens"] == 300
    assert row["cost_usd"] == 0


def test_a_zero_cost_that_litellm_could_not_work_out_is_unknown() -> None:
    assert read(payload(response_cost=0.0))["cost_usd"] == 0
    assert read(payload(response_cost=0.0, zero_cost_diagnostic={"reason": "no price"}))["cost_usd"] is None
    assert read(payload(response_cost=None))["cost_usd"] is None


@settings(deadline=None)
@given(st.decimals(min_value=0, max_value=1000, places=12))
def test_cost_keeps_twelve_decimals_of_the_text(cost_usd: Decimal) -> None:
    assert read(payload(response_cost=str(cost_usd)))["cost_usd"] == cost_usd


@settings(deadline=None)
@given(st.floats(min_value=0, max_value=10))
def test_cost_of_a_json_number_is_its_text(cost_usd: float) -> None:
    parsed = json.loads(json.dumps(payload(response_cost=cost_usd)))
    expected = Decimal(json.dumps(cost_usd)).quantize(Decimal("1e-12"))
    assert read(parsed)["cost_usd"] == expected


def test_time_to_first_token_is_known_for_streams_only() -> None:
    assert read(payload(stream=True))["time_to_first_token_ms"] == 100.0
    assert read(payload(stream=False))["time_to_first_token_ms"] is None


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("azure", "azure.ai.openai"),
        ("bedrock_converse", "aws.bedrock"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("text-completion-openai", "openai"),
        ("groq", "groq"),
        ("", None),
        (None, None),
    ],
)
def test_provider_names_are_the_contracts(written: str | None, name: str | None) -> None:
    assert read(payload(custom_llm_provider=written))["provider"] == name


@pytest.mark.parametrize(
    ("sources", "tenant"),
    [
        (("metadata.user_api_key_team_id", "end_user"), "acme"),
        (("model_parameters.user",), "beta"),
        (("tag:tenant:", "bare_tag"), "t9"),
        (("bare_tag",), "bare"),
        (("metadata.usage_object.nothing.there", "model.x"), None),
        ((), None),
    ],
)
def test_tenant_is_found_where_the_site_says(sources: tuple[str, ...], tenant: str | None) -> None:
    sent = payload(request_tags=["tenant:t9", "bare", 3])
    assert read(sent, Attribution(tenant=sources, feature=(), user=()))["tenant_id"] == tenant


def test_tags_that_name_a_person_or_a_browser_are_not_kept() -> None:
    row = read(payload(request_tags=["a", "user_id:raw-user-7", "User-Agent: x", "email:x@y"]))
    assert row["tags"] == '["a"]'
    assert read(payload(request_tags=None))["tags"] is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"litellm_call_id": None, "id": None}, "missing:litellm_call_id"),
        ({"startTime": None}, "missing:startTime"),
        ({"startTime": "2026-11-21T08:21:40"}, "wrong_type:startTime"),
        ({"startTime": [1]}, "wrong_type:startTime"),
        ({"startTime": 1.0}, "timestamp_out_of_range"),
        ({"startTime": 1e300}, "timestamp_out_of_range"),
        ({"startTime": T0_SECONDS * 1000}, "timestamp_out_of_range"),
        ({"status": "perhaps"}, "invalid:status"),
        ({"prompt_tokens": "12"}, "wrong_type:prompt_tokens"),
        ({"prompt_tokens": 1.5}, "wrong_type:prompt_tokens"),
        ({"completion_tokens": -1}, "negative:completion_tokens"),
        ({"completion_tokens": 1e19}, "wrong_type:completion_tokens"),
        ({"response_cost": "dear"}, "wrong_type:response_cost"),
    ],
)
def test_what_cannot_be_landed_says_why(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadPayloadError) as caught:
        read(payload(**changes))
    assert caught.value.reason == reason


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(payload())), st.none() | st.integers() | st.text() | st.lists(st.none())))
def test_law_any_payload_is_read_or_refused(changes: dict[str, Any]) -> None:
    with suppress(BadPayloadError):
        assert read(payload(**changes))["request_id"]
