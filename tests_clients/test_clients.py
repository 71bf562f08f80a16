"""What the library records of a real client's call is what the provider counted, streamed or not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import cohere
import litellm
import pytest
from botocore.config import Config
from google import genai
from trueup_middleware import Meter
from trueup_middleware.call import Call
from trueup_middleware.usage.reading import read_usage

from tests_clients.provider import Provider, providers

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
CONVERSE: Any = {"modelId": "amazon.nova-lite-v1:0", "messages": [{"role": "user", "content": [{"text": "hello"}]}]}
INVOKE: Any = {"modelId": "anthropic.claude-haiku-4-5", "body": b"{}"}


def _gemini(url: str) -> Any:
    return genai.Client(api_key="none", http_options={"base_url": url})


def _bedrock(url: str) -> Any:
    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    return boto3.client(
        "bedrock-runtime", endpoint_url=url, region_name="us-east-1", config=Config(retries={"max_attempts": 1}), **keys
    )


def _litellm(url: str) -> dict[str, Any]:
    return {"model": "openai/gpt-4.1", "api_base": f"{url}/v1", "api_key": "none", "messages": HELLO}


def _read(stream: Any) -> None:
    assert list(stream)


def gemini(call: Call, url: str) -> None:
    with _gemini(url) as client:
        call.finish(client.models.generate_content(model="gemini-2.5-flash", contents="hello"))


def gemini_stream(call: Call, url: str) -> None:
    with _gemini(url) as client:
        _read(call.stream(client.models.generate_content_stream(model="gemini-2.5-flash", contents="hello")))


def bedrock_converse(call: Call, url: str) -> None:
    call.finish(_bedrock(url).converse(**CONVERSE))


def bedrock_converse_stream(call: Call, url: str) -> None:
    _read(call.stream(_bedrock(url).converse_stream(**CONVERSE)["stream"]))


def bedrock_invoke(call: Call, url: str) -> None:
    answer = _bedrock(url).invoke_model(**INVOKE)
    call.finish(answer)
    assert json.loads(answer["body"].read())["content"]  # it is still the caller's


def bedrock_invoke_stream(call: Call, url: str) -> None:
    _read(call.stream(_bedrock(url).invoke_model_with_response_stream(**INVOKE)["body"]))


def cohere_chat(call: Call, url: str) -> None:
    call.finish(cohere.ClientV2("none", base_url=url).chat(model="command-a-03-2025", messages=HELLO))


def cohere_chat_stream(call: Call, url: str) -> None:
    _read(call.stream(cohere.ClientV2("none", base_url=url).chat_stream(model="command-a-03-2025", messages=HELLO)))


def litellm_completion(call: Call, url: str) -> None:
    call.finish(litellm.completion(**_litellm(url)))


def litellm_stream(call: Call, url: str) -> None:
    _read(call.stream(litellm.completion(**_litellm(url), stream=True, stream_options={"include_usage": True})))


def litellm_async(call: Call, url: str) -> None:
    async def ask() -> None:
        call.finish(await litellm.acompletion(**_litellm(url)))

    asyncio.run(ask())


def litellm_async_stream(call: Call, url: str) -> None:
    async def ask() -> None:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        followed = call.stream(await litellm.acompletion(**_litellm(url), **options))
        assert [event async for event in followed]

    asyncio.run(ask())


def litellm_of_another_provider(call: Call, url: str) -> None:
    options = {"model": "anthropic/claude-haiku-4-5", "api_base": url, "api_key": "none"}
    call.finish(litellm.completion(messages=HELLO, **options))


CALLS: dict[str, list[Callable[[Call, str], None]]] = {
    "gcp.gemini": [gemini, gemini_stream],
    "aws.bedrock": [bedrock_converse, bedrock_converse_stream, bedrock_invoke, bedrock_invoke_stream],
    "cohere": [cohere_chat, cohere_chat_stream],
    "anthropic": [litellm_of_another_provider],
    "openai": [litellm_completion, litellm_stream, litellm_async, litellm_async_stream],
}


def _id(value: str | Callable[..., None]) -> str:
    return value if isinstance(value, str) else value.__name__


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with providers() as running:
        yield running


@pytest.mark.parametrize(("name", "ask"), [(name, ask) for name, calls in CALLS.items() for ask in calls], ids=_id)
def test_the_line_says_what_the_provider_counted(
    name: str, ask: Callable[[Call, str], None], provider: Provider, tmp_path: Path
) -> None:
    meter = Meter(tmp_path)
    with meter.request(model="asked-for") as call:
        ask(call, provider.url)
    assert meter.close()
    assert meter.counts().mistakes == 0
    (line,) = [json.loads(text) for path in tmp_path.glob("*.jsonl") for text in path.read_text().splitlines()]
    usage, counted = read_usage(line), provider.counted[-1]
    assert (line["outcome"], line["provider"]) == ("success", name)
    assert (usage.input_tokens, usage.output_tokens) == (counted.input_tokens, counted.output_tokens)
    if name != "cohere":  # it counts what it cached, and bills it as the rest
        assert usage.class_tokens["cache_read"] == counted.cached_tokens
