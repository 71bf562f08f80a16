"""One call, one line: whatever becomes of the call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from lines import read_lines, schema
from trueup_middleware import Admission, CallIntent, Meter, Refused
from trueup_middleware.context import bind
from trueup_middleware.record import FIELDS

from orchestration.connectors.log_rows import UserHasher

Logged = Callable[[], list[dict[str, Any]]]

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4.1-2025-04-14",
    "service_tier": "default",
    "choices": [{"message": {"content": "the answer", "tool_calls": [{"id": "a"}, {"id": "b"}]}}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}},
}


def test_an_answer_is_one_line(meter: Meter, logged: Logged) -> None:
    with meter.request(feature="search", tenant_id="acme", provider="openai", model="gpt-4.1", tags={"a": "b"}) as call:
        call.finish(CHAT)
    (line,) = logged()
    assert {name: line[name] for name in ("feature", "tenant_id", "provider", "request_model", "model", "outcome")} == {
        "feature": "search",
        "tenant_id": "acme",
        "provider": "openai",
        "request_model": "gpt-4.1",
        "model": "gpt-4.1-2025-04-14",
        "outcome": "success",
    }
    assert (line["usage_api"], line["usage"]) == ("openai.chat", CHAT["usage"])
    assert (line["response_id"], line["tool_calls"], line["tags"]) == ("chatcmpl-1", 2, {"a": "b"})


class _RateLimitError(Exception):
    status_code = 429


class _OverloadedError(Exception):
    status_code = 529


class _ReadTimeoutError(Exception): ...


class _ClientError(Exception):
    response: ClassVar = {"Error": {"Code": "ThrottlingException"}, "ResponseMetadata": {"HTTPStatusCode": 400}}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (_RateLimitError("the prompt"), ("rate_limited", 429, "_RateLimitError")),
        (_OverloadedError("the prompt"), ("error", 529, "_OverloadedError")),
        (_ReadTimeoutError("the prompt"), ("timeout", None, "_ReadTimeoutError")),
        (TimeoutError("the prompt"), ("timeout", None, "TimeoutError")),
        (_ClientError("the prompt"), ("rate_limited", 400, "ThrottlingException")),
        (asyncio.CancelledError("the prompt"), ("cancelled", None, "CancelledError")),
        (ValueError("the prompt"), ("error", None, "ValueError")),
    ],
)
def test_a_call_that_fails_is_a_line_and_its_exception_goes_on(
    meter: Meter, logged: Logged, error: BaseException, expected: tuple[str, int | None, str]
) -> None:
    with pytest.raises(type(error)), meter.request(feature="search", model="gpt-4.1"):
        raise error
    (line,) = logged()
    assert (line["outcome"], line.get("http_status"), line["error_type"]) == expected
    assert "prompt" not in str(line)


def test_what_is_bound_holds_for_every_call_inside(meter: Meter, logged: Logged) -> None:
    with bind(tenant_id="acme", operation_id="op-1", feature="search"):
        with meter.request(model="a") as call:
            call.finish(CHAT)
        with bind(feature="summaries"), meter.request(model="a") as call:
            call.finish(CHAT)
    with meter.request(model="a") as call:
        call.finish(CHAT)
    lines = logged()
    assert [(line.get("tenant_id"), line.get("feature")) for line in lines] == [
        ("acme", "search"),
        ("acme", "summaries"),
        (None, None),
    ]
    assert [line["operation_id"] == "op-1" for line in lines] == [True, True, False]


def test_a_line_may_have_the_fields_of_its_schema_and_no_other() -> None:
    assert schema().schema["properties"].keys() == FIELDS


def test_a_field_that_no_schema_knows_is_not_logged(meter: Meter, logged: Logged) -> None:
    with meter.request(model="a") as call:
        call.finish(CHAT, prompt="the prompt", input_tokens=7)
    (line,) = logged()
    assert "prompt" not in line
    assert line["input_tokens"] == 7


def test_a_misspelt_name_is_refused_before_it_becomes_unattributed_cost(meter: Meter) -> None:
    with pytest.raises(TypeError, match="tenant"), bind(tenant="acme"):
        pass
    with pytest.raises(TypeError, match="tenant"):
        meter.request(tenant="acme")  # type: ignore[call-arg]


def test_a_value_that_no_line_can_hold_costs_the_answer_and_not_the_line(meter: Meter, logged: Logged) -> None:
    with meter.request(feature="search", model="a") as call:
        call.finish(CHAT, latency_ms=float("nan"))
    (line,) = logged()
    assert (line["feature"], line["outcome"]) == ("search", "success")
    assert meter.counts().mistakes == 1


def test_retries_and_fallbacks_keep_the_operation_and_count(meter: Meter, logged: Logged) -> None:
    with pytest.raises(TimeoutError), meter.request(provider="openai", model="gpt-4.1") as first:
        raise TimeoutError
    with (
        pytest.raises(TimeoutError),
        meter.request(provider="openai", model="gpt-4.1", retry_of=first) as second,
    ):
        raise TimeoutError
    with meter.request(provider="anthropic", model="claude-sonnet-5", retry_of=second) as third:
        third.finish()
    lines = logged()
    assert len({line["operation_id"] for line in lines}) == 1
    assert [line["attempt_number"] for line in lines] == [1, 2, 3]
    assert [line.get("retry_of") for line in lines] == [None, lines[0]["request_id"], lines[1]["request_id"]]
    assert [line["is_fallback"] for line in lines] == [False, False, True]


class _Closed:
    """A gate that lets nothing through."""

    def admit(self, call: CallIntent) -> Admission:
        raise Refused("budget_exceeded", retry_after_seconds=60)

    def settle(self, admission: Admission, actual_cost_nano_usd: int | None, outcome: str) -> None:
        raise AssertionError

    def release(self, admission: Admission) -> None:
        raise AssertionError


def test_a_refusal_is_a_line_that_the_warehouse_costs_at_nothing(folder: Path) -> None:
    meter = Meter(folder, gate=_Closed())
    with pytest.raises(Refused) as refusal, meter.request(model="gpt-4.1"):
        raise AssertionError("the call must not be made")
    assert (refusal.value.status, refusal.value.retry_after_seconds) == (429, 60)
    assert meter.flush()
    (line,) = read_lines(folder)
    assert (line["outcome"], line["http_status"], line["error_type"]) == ("rate_limited", 429, "budget_exceeded")


def test_a_broken_gate_breaks_no_call(folder: Path) -> None:
    class Broken(_Closed):
        def admit(self, call: CallIntent) -> Admission:
            raise ZeroDivisionError

    meter = Meter(folder, gate=Broken())
    with meter.request(model="gpt-4.1") as call:
        call.finish(CHAT)
    assert meter.counts().mistakes == 1


def test_a_user_is_hashed_as_the_warehouse_would(meter: Meter, logged: Logged) -> None:
    with meter.request(user_id="maria@example.com", model="a") as call:
        call.finish(CHAT)
    (line,) = logged()
    warehouse = UserHasher(lambda: "key of the test")
    assert warehouse(line["user_id"]) == warehouse("maria@example.com")
    assert "maria" not in str(line)


def test_without_a_key_no_user_is_logged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRUEUP_USER_HASH_KEY", raising=False)
    meter = Meter(folder)
    with meter.request(user_id="maria@example.com", model="a") as call:
        call.finish(CHAT)
    assert meter.flush()
    assert meter.counts().users_dropped == 1
    assert b"maria" not in b"".join(path.read_bytes() for path in folder.iterdir())


def test_decorated_functions_are_recorded(meter: Meter, logged: Logged) -> None:
    @meter.metered(feature="search", model="gpt-4.1")
    def answer(question: str) -> dict[str, Any]:
        return CHAT

    @meter.metered(feature="summaries", model="gpt-4.1")
    async def summary(text: str) -> dict[str, Any]:
        return CHAT

    assert answer("why?") is CHAT
    assert asyncio.run(summary("long")) is CHAT
    assert [line["feature"] for line in logged()] == ["search", "summaries"]
