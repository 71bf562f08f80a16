"""What the answers and streams of each client say: in the client's own types where it is installed, else its JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from anthropic.types import Message, RawMessageDeltaEvent, RawMessageStartEvent
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseCompletedEvent
from trueup_middleware import Meter

Logged = Callable[[], list[dict[str, Any]]]

_CHUNK = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4.1-2025-04-14"}
_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-20260901",
    "content": [{"type": "text", "text": "the answer"}, {"type": "tool_use", "id": "t", "name": "n", "input": {}}],
    "usage": {
        "input_tokens": 3,
        "output_tokens": 1,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
        "service_tier": "standard",
        "inference_geo": "us",
    },
}
_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-5",
    "status": "completed",
    "service_tier": "flex",
    "output": [
        {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search", "query": "secret"}},
        {"type": "function_call", "call_id": "f", "name": "n", "arguments": "{}"},
    ],
    "usage": {
        "input_tokens": 75,
        "input_tokens_details": {"cached_tokens": 5},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 10},
        "total_tokens": 95,
    },
}

ANSWERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "openai_chat": (
        ChatCompletion.model_validate(
            {
                **_CHUNK,
                "object": "chat.completion",
                "model": "gpt-4.1",
                "service_tier": "default",
                "choices": [],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
            }
        ),
        {
            "provider": "openai",
            "usage_api": "openai.chat",
            "model": "gpt-4.1",
            "response_id": "c-1",
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        },
    ),
    "openai_responses": (
        Response.model_construct(**_RESPONSE),
        {
            "usage_api": "openai.responses",
            "service_tier": "flex",
            "web_search_requests": 1,
            "tool_calls": 1,
            "usage": _RESPONSE["usage"],
        },
    ),
    "openai_embeddings": (
        CreateEmbeddingResponse.model_validate(
            {
                "object": "list",
                "model": "text-embedding-3-small",
                "data": [],
                "usage": {"prompt_tokens": 7, "total_tokens": 7},
            }
        ),
        {
            "usage_api": "openai.embeddings",
            "operation_name": "embeddings",
            "model": "text-embedding-3-small",
            "usage": {"prompt_tokens": 7, "total_tokens": 7},
        },
    ),
    "anthropic_message": (
        Message.model_validate(_MESSAGE),
        {
            "provider": "anthropic",
            "usage_api": "anthropic.messages",
            "inference_geo": "us",
            "tool_calls": 1,
            "usage": _MESSAGE["usage"],
        },
    ),
    "google_genai": (
        SimpleNamespace(
            model_version="gemini-2.5-pro",
            response_id="g-1",
            usage_metadata={
                "prompt_token_count": 50,
                "candidates_token_count": 8,
                "prompt_tokens_details": [{"modality": "TEXT", "token_count": 50}],
            },
        ),
        {
            "usage_api": "gemini.generate_content",
            "model": "gemini-2.5-pro",
            "usage": {
                "promptTokenCount": 50,
                "candidatesTokenCount": 8,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 50}],
            },
        },
    ),
    "boto3_converse": (
        {
            "ResponseMetadata": {"RequestId": "r-1", "HTTPStatusCode": 200, "HTTPHeaders": {}},
            "output": {"message": {"content": [{"text": "the answer"}]}},
            "usage": {"inputTokens": 14, "outputTokens": 85, "totalTokens": 1645, "cacheWriteInputTokens": 1546},
        },
        {
            "provider": "aws.bedrock",
            "usage_api": "bedrock.converse",
            "response_id": "r-1",
            "model": "asked",
            "usage": {"inputTokens": 14, "outputTokens": 85, "totalTokens": 1645, "cacheWriteInputTokens": 1546},
        },
    ),
    "boto3_invoke_model": (
        {
            "ResponseMetadata": {
                "RequestId": "r-2",
                "HTTPHeaders": {
                    "x-amzn-bedrock-input-token-count": "12",
                    "x-amzn-bedrock-output-token-count": "34",
                },
            },
            "body": object(),
        },
        {"provider": "aws.bedrock", "usage_api": "bedrock.converse", "usage": {"inputTokens": 12, "outputTokens": 34}},
    ),
    "cohere_chat": (
        SimpleNamespace(
            id="co-1",
            usage=SimpleNamespace(
                billed_units=SimpleNamespace(input_tokens=20.0, output_tokens=5.0),
                tokens=SimpleNamespace(input_tokens=80.0),
            ),
        ),
        {
            "provider": "cohere",
            "usage_api": "cohere",
            "response_id": "co-1",
            "usage": {"billed_units": {"input_tokens": 20.0, "output_tokens": 5.0}, "tokens": {"input_tokens": 80.0}},
        },
    ),
    "cohere_rerank": (
        SimpleNamespace(id="co-2", results=[], meta=SimpleNamespace(billed_units=SimpleNamespace(search_units=1.0))),
        {"operation_name": "rerank", "usage": {"billed_units": {"search_units": 1.0}}},
    ),
    "litellm": (
        SimpleNamespace(
            id="l-1",
            object="chat.completion",
            model="claude-sonnet-5",
            _hidden_params={"custom_llm_provider": "anthropic"},
            usage=SimpleNamespace(
                prompt_tokens=133,
                completion_tokens=9,
                cache_creation_input_tokens=30,
                prompt_tokens_details=SimpleNamespace(cached_tokens=100),
            ),
        ),
        {
            "provider": "anthropic",
            "model": "claude-sonnet-5",
            "input_tokens": 133,
            "output_tokens": 9,
            "cache_read_tokens": 100,
            "cache_write_tokens": 30,
        },
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read_by_its_shape(meter: Meter, logged: Logged, name: str) -> None:
    answer, expected = ANSWERS[name]
    with meter.request(model="asked") as call:
        assert call.take(answer) is answer
    (line,) = logged()
    assert {field: line.get(field) for field in expected} == expected
    assert "secret" not in str(line)
    assert "answer" not in str(line)


def _event(kind: str, **said: Any) -> Any:
    return SimpleNamespace(type=kind, **said)


def _chunks(*, with_usage: bool) -> list[Any]:
    delta = [{"index": 0, "delta": {"content": "the answer"}, "finish_reason": None}]
    chunks = [{**_CHUNK, "choices": delta}, {**_CHUNK, "choices": delta}]
    if with_usage:
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        chunks.append({**_CHUNK, "choices": [], "usage": usage})
    return [ChatCompletionChunk.model_validate(chunk) for chunk in chunks]


def _message_events() -> list[Any]:
    delta = {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 40}}
    return [
        RawMessageStartEvent.model_validate({"type": "message_start", "message": _MESSAGE}),
        _event("content_block_delta", delta="the answer"),
        RawMessageDeltaEvent.model_validate({"type": "message_delta", **delta}),
        _event("message_stop"),
    ]


STREAMS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "openai_chat": (
        _chunks(with_usage=True),
        {"response_id": "c-1", "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}},
    ),
    "openai_chat_without_usage": (_chunks(with_usage=False), {"response_id": "c-1", "usage": None}),
    "openai_responses": (
        [
            _event("response.output_text.delta", delta="the answer"),
            ResponseCompletedEvent.model_construct(
                type="response.completed", response=Response.model_construct(**_RESPONSE)
            ),
        ],
        {"response_id": "resp_1", "usage": _RESPONSE["usage"]},
    ),
    "anthropic": (_message_events(), {"response_id": "msg_1", "usage": {**_MESSAGE["usage"], "output_tokens": 40}}),
    "google_genai": (
        [
            {"candidates": [{}], "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 1}},
            {
                "candidates": [{"finish_reason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 9},
            },
        ],
        {"usage_api": "gemini.generate_content", "usage": {"promptTokenCount": 5, "candidatesTokenCount": 9}},
    ),
    "boto3_converse_stream": (
        [
            {"messageStart": {}},
            {"contentBlockDelta": {}},
            {"messageStop": {}},
            {"metadata": {"usage": {"inputTokens": 3, "outputTokens": 4}, "metrics": {"latencyMs": 1}}},
        ],
        {"provider": "aws.bedrock", "usage": {"inputTokens": 3, "outputTokens": 4}},
    ),
    "boto3_invoke_model_stream": (
        [
            {"chunk": {"bytes": b"{}"}},
            {
                "chunk": {
                    "bytes": b'{"amazon-bedrock-invocationMetrics": {"inputTokenCount": 3, "outputTokenCount": 4}}'
                }
            },
        ],
        {"provider": "aws.bedrock", "usage": {"inputTokens": 3, "outputTokens": 4}},
    ),
    "cohere": (
        [
            _event("message-start", id="co-3"),
            _event("content-delta"),
            _event("message-end", delta={"usage": {"billed_units": {"input_tokens": 2, "output_tokens": 3}}}),
        ],
        {"response_id": "co-3", "usage": {"billed_units": {"input_tokens": 2, "output_tokens": 3}}},
    ),
}


class _Stream:
    """A client's stream: iterable once, and closed by whoever has had enough."""

    def __init__(self, events: list[Any], error: BaseException | None = None) -> None:
        self._events = events
        self._error = error
        self.is_closed = False

    def __iter__(self) -> Iterator[Any]:
        yield from self._events
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self.is_closed = True


class _AsyncStream(_Stream):
    async def __aiter__(self) -> AsyncIterator[Any]:
        for event in self._events:
            yield event

    async def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_passes_through_and_is_read_on_its_way(meter: Meter, logged: Logged, name: str) -> None:
    events, expected = STREAMS[name]
    with meter.request(provider="openai" if name == "openai_chat" else None, model="asked") as call:
        assert list(call.stream(_Stream(events))) == events

    async def read() -> list[Any]:
        async with meter.request(model="asked") as call:
            return [event async for event in call.stream(_AsyncStream(events))]

    assert asyncio.run(read()) == events
    for line in logged():
        assert line["outcome"] == "success"
        assert {field: line.get(field) for field in expected} == expected
        assert line["time_to_first_token_ms"] <= line["latency_ms"]
        assert "answer" not in str(line)


def test_a_stream_that_is_left_early_is_cancelled_and_its_output_is_unknown(meter: Meter, logged: Logged) -> None:
    """Anthropic says one output token when a message begins; that is not what it will bill."""
    stream = _Stream(_message_events())
    with meter.request(model="asked") as call, call.stream(stream) as events:
        next(events)
        next(events)
    assert stream.is_closed
    (line,) = logged()
    assert line["outcome"] == "cancelled"
    assert line["usage"]["input_tokens"] == 3
    assert "output_tokens" not in line["usage"]


def test_a_stream_that_breaks_keeps_what_it_has_said(meter: Meter, logged: Logged) -> None:
    with pytest.raises(ConnectionError), meter.request(model="asked") as call:
        list(call.stream(_Stream(_message_events()[:2], ConnectionError("the prompt"))))
    (line,) = logged()
    assert (line["outcome"], line["error_type"], line["response_id"]) == ("error", "ConnectionError", "msg_1")


def test_a_stream_may_leave_the_block_and_ends_its_call_where_it_is_read(meter: Meter, logged: Logged) -> None:
    def handler() -> Iterator[Any]:
        with meter.request(model="asked") as call:
            return call.stream(_Stream(_message_events()))

    events = handler()
    assert logged() == []
    assert len(list(events)) == 4
    assert [line["outcome"] for line in logged()] == ["success"]


def test_a_stream_that_nobody_reads_is_cancelled_when_it_is_garbage(meter: Meter, logged: Logged) -> None:
    with meter.request(model="asked") as call:
        call.stream(_Stream(_message_events()))
    del call
    assert [line["outcome"] for line in logged()] == ["cancelled"]


def test_an_exception_of_the_application_cancels_the_stream(meter: Meter, logged: Logged) -> None:
    with pytest.raises(ZeroDivisionError), meter.request(model="asked") as call:
        for _ in call.stream(_Stream(_message_events())):
            raise ZeroDivisionError
    (line,) = logged()
    assert (line["outcome"], line["response_id"]) == ("cancelled", "msg_1")


def test_an_answer_of_no_known_shape_is_a_line_without_usage(meter: Meter, logged: Logged) -> None:
    class Hostile:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("the prompt")

    for answer in (None, "the prompt", 7, object(), Hostile(), {"usage": "the prompt"}, {"usage": {"text": "prompt"}}):
        with meter.request(model="asked") as call:
            call.finish(answer)
    lines = logged()
    assert len(lines) == 7
    assert all("usage" not in line for line in lines)
    assert "prompt" not in str(lines)
