"""What a whole answer says: openai, anthropic, google-genai, boto3 Bedrock, cohere, litellm, or their JSON.

Belongs here: telling the shapes apart and naming what stands where. Does not belong here: streams (`streams`), and
what the counts mean (`reading`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

from trueup_middleware.record import counts
from trueup_middleware.usage.access import as_mapping, get, get_text, items

_PROVIDER_OF_MODULE: Final = {
    "openai": "openai",
    "anthropic": "anthropic",
    "cohere": "cohere",
    "google": "gcp.gemini",
    "botocore": "aws.bedrock",
}

#: Where `with_raw_response` has its types.
_RAW_RESPONSES: Final = frozenset(
    f"{client}.{module}" for client in ("openai", "anthropic") for module in ("_response", "_legacy_response")
)
_INVOKE_HEADERS: Final = {
    "x-amzn-bedrock-input-token-count": "inputTokens",
    "x-amzn-bedrock-output-token-count": "outputTokens",
    "x-amzn-bedrock-cache-read-input-token-count": "cacheReadInputTokens",
    "x-amzn-bedrock-cache-write-input-token-count": "cacheWriteInputTokens",
}


@dataclass(slots=True)
class Observation:
    """What an answer says; None is what it does not say.

    Attributes:
        provider: OpenTelemetry's `gen_ai.provider.name`.
        model: The model that answered.
        response_id: The provider's id of the answer.
        operation_name: `chat`, `embeddings`, `rerank`, …
        usage_api: How to read `usage`, as the log's schema names it.
        usage: The provider's usage object, numbers only.
        flat: Counts that have fields of their own on the line.
        service_tier: The tier that served.
        inference_geo: Where it was computed, when the provider states it.
        outcome: How the provider says that the call ended, when it is no success.
    """

    provider: str | None = None
    model: str | None = None
    response_id: str | None = None
    operation_name: str | None = None
    usage_api: str | None = None
    usage: dict[str, Any] | None = None
    flat: dict[str, int] | None = None
    service_tier: str | None = None
    inference_geo: str | None = None
    outcome: str | None = None


def provider_of(thing: object) -> str | None:
    """Return the provider whose client made a response, a stream or an exception; None when its module is unknown."""
    return _provider_of_type(type(thing))


@lru_cache(maxsize=1024)
def _provider_of_type(kind: type) -> str | None:
    roots = [cls.__module__.partition(".")[0] for cls in kind.__mro__]
    # LiteLLM's answers derive from openai's base class, whoever gave them.
    return (
        None if "litellm" in roots else next((_PROVIDER_OF_MODULE[r] for r in roots if r in _PROVIDER_OF_MODULE), None)
    )


def observe(response: object) -> Observation:
    """Return what an answer says of itself. An answer of no known shape says nothing, which is no error."""
    provider = provider_of(response)
    if type(response).__module__ in _RAW_RESPONSES:
        response = getattr(response, "parse")()  # noqa: B009 - `with_raw_response`: parsed once, and kept by the client
    # By the client's own type where it tells: asking a pydantic model for what it has not is slow.
    if provider == "openai":
        found = openai_response(response) if get_text(response, "object") == "response" else _openai(response)
    elif provider == "anthropic" and get_text(response, "type") == "message":
        found = anthropic_message(response)
    else:
        found = _by_shape(response)
    found.provider = found.provider or provider
    return found


def _by_shape(response: object) -> Observation:
    kind = get_text(response, "object") or get_text(response, "type")
    if get(response, "_hidden_params") is not None and get(response, "usage") is not None:
        return litellm(response)
    if kind == "response":
        return openai_response(response)
    if kind == "message" and get(response, "usage", "input_tokens") is not None:
        return anthropic_message(response)
    if get(response, "usage_metadata") is not None or get(response, "usageMetadata") is not None:
        return gemini(response)
    if get(response, "usage", "billed_units") is not None or get(response, "meta", "billed_units") is not None:
        return cohere(response)
    if get(response, "usage", "inputTokens") is not None:
        return bedrock_converse(response)
    if get(response, "ResponseMetadata") is not None:
        return _bedrock_invoke(response)
    if get(response, "usage") is not None or kind is not None:
        return _openai(response)
    return Observation()


def openai_chat(response: object) -> Observation:
    """Read a chat completion, or the last chunk of one."""
    calls = sum(len(list(items(choice, "message", "tool_calls"))) for choice in items(response, "choices"))
    return Observation(
        model=get_text(response, "model"),
        response_id=get_text(response, "id"),
        usage_api="openai.chat",
        usage=_usage(get(response, "usage")),
        flat={"tool_calls": calls} if calls else None,
        service_tier=get_text(response, "service_tier"),
    )


def openai_response(response: object) -> Observation:
    """Read an answer of the Responses API; its searches are charged apiece and stand among its output."""
    kinds = [get_text(item, "type") for item in items(response, "output")]
    found = {"web_search_requests": kinds.count("web_search_call"), "tool_calls": kinds.count("function_call")}
    return Observation(
        model=get_text(response, "model"),
        response_id=get_text(response, "id"),
        usage_api="openai.responses",
        usage=_usage(get(response, "usage")),
        flat={name: count for name, count in found.items() if count} or None,
        service_tier=get_text(response, "service_tier"),
        outcome={"failed": "error", "cancelled": "cancelled"}.get(get_text(response, "status") or ""),
    )


def _openai(response: object) -> Observation:
    usage = get(response, "usage")
    kind = get_text(response, "object")
    if kind in ("chat.completion", "text_completion") or get(usage, "completion_tokens") is not None:
        return openai_chat(response)
    found = Observation(model=get_text(response, "model"), response_id=get_text(response, "id"), usage=_usage(usage))
    if get(usage, "prompt_tokens") is not None:
        found.usage_api, found.operation_name = "openai.embeddings", "embeddings"
    elif get(usage, "input_token_details") is not None or get(usage, "seconds") is not None:
        found.usage_api, found.operation_name = "openai.transcriptions", "audio"
    elif get(usage, "pages_processed") is not None:
        found.usage_api = "mistral.ocr"
    elif get(usage, "input_tokens") is not None:
        found.usage_api, found.operation_name = "openai.images", "image"
    elif kind is None or found.usage is None:
        return Observation(model=found.model, response_id=found.response_id)
    return found


def anthropic_message(message: object) -> Observation:
    """Read a message; also a streamed one's beginning."""
    calls = sum(get_text(block, "type") == "tool_use" for block in items(message, "content"))
    usage = get(message, "usage")
    return Observation(
        model=get_text(message, "model"),
        response_id=get_text(message, "id"),
        usage_api="anthropic.messages",
        usage=_usage(usage),
        flat={"tool_calls": calls} if calls else None,
        service_tier=anthropic_tier(usage),
        inference_geo=anthropic_geo(usage),
    )


def anthropic_tier(usage: object) -> str | None:
    """Return the tier that sets the price: fast mode is a speed and not a service tier in Anthropic's words."""
    return "fast" if get_text(usage, "speed") == "fast" else get_text(usage, "service_tier")


def anthropic_geo(usage: object) -> str | None:
    """Return the inference geography; `not_available` is said by models that know none."""
    geo = get_text(usage, "inference_geo")
    return None if geo == "not_available" else geo


def gemini(response: object) -> Observation:
    """Read an answer of google-genai, or a chunk of one: each holds the counts so far."""
    usage = get(response, "usage_metadata") or get(response, "usageMetadata")
    return Observation(
        model=get_text(response, "model_version") or get_text(response, "modelVersion"),
        response_id=get_text(response, "response_id") or get_text(response, "responseId"),
        usage_api="gemini.generate_content",
        usage=_usage(_camel_case(as_mapping(usage))),
    )


def cohere(response: object) -> Observation:
    """Read an answer of chat, embed or rerank; Cohere does not say which model gave it."""
    usage = get(response, "usage")
    usage = get(response, "meta") if usage is None else usage
    kept = {name: as_mapping(get(usage, name)) for name in ("billed_units", "tokens")}
    operation = None
    if get(response, "results") is not None:
        operation = "rerank"
    elif get(response, "embeddings") is not None:
        operation = "embeddings"
    return Observation(
        provider="cohere",
        response_id=get_text(response, "id") or get_text(response, "generation_id"),
        operation_name=operation,
        usage_api="cohere",
        usage=_usage(kept),
    )


def bedrock_converse(response: object) -> Observation:
    """Read an answer of Converse, or the metadata of its stream; the model is the one that was asked for."""
    return Observation(
        provider="aws.bedrock",
        response_id=get_text(response, "ResponseMetadata", "RequestId"),
        usage_api="bedrock.converse",
        usage=_usage(get(response, "usage")),
        service_tier=get_text(response, "serviceTier", "type"),
    )


def _bedrock_invoke(response: object) -> Observation:
    """Read the headers of InvokeModel; its body can be read once only, and that is the caller's."""
    headers = as_mapping(get(response, "ResponseMetadata", "HTTPHeaders")) or {}
    usage = {ours: int(headers[name]) for name, ours in _INVOKE_HEADERS.items() if str(headers.get(name)).isdigit()}
    return Observation(
        provider="aws.bedrock",
        response_id=get_text(response, "ResponseMetadata", "RequestId"),
        usage_api="bedrock.converse" if usage else None,
        usage=usage or None,
    )


def litellm(response: object) -> Observation:
    """Read LiteLLM's answer: OpenAI's shape whose input holds every cached token, whoever served it."""
    usage = get(response, "usage")
    details = get(usage, "prompt_tokens_details")
    written = _whole(get(usage, "cache_creation_input_tokens"), get(details, "cache_creation_tokens"))
    by_time = get(details, "cache_creation_token_details")
    found = {
        "input_tokens": _whole(get(usage, "prompt_tokens")),
        "output_tokens": _whole(get(usage, "completion_tokens")),
        "cache_read_tokens": _whole(get(details, "cached_tokens"), get(usage, "cache_read_input_tokens")),
        "cache_write_tokens": written,
        "cache_write_5m_tokens": _whole(get(by_time, "ephemeral_5m_input_tokens")),
        "cache_write_1h_tokens": _whole(get(by_time, "ephemeral_1h_input_tokens")),
        "reasoning_tokens": _whole(get(usage, "completion_tokens_details", "reasoning_tokens")),
        "input_audio_tokens": _whole(get(details, "audio_tokens")),
        "web_search_requests": _whole(
            get(usage, "server_tool_use", "web_search_requests"), get(details, "web_search_requests")
        ),
    }
    is_embedding = get_text(response, "object") == "list"
    # Of some providers, Anthropic among them, it says who served only in the model's name.
    prefix, slash, _ = (get_text(response, "_hidden_params", "litellm_model_name") or "").partition("/")
    provider = prefix if slash else None
    return Observation(
        provider=get_text(response, "_hidden_params", "custom_llm_provider") or provider,
        model=get_text(response, "model"),
        response_id=get_text(response, "id"),
        operation_name="embeddings" if is_embedding else None,
        flat={name: count for name, count in found.items() if count is not None},
        service_tier=get_text(response, "service_tier"),
    )


def _whole(*values: object) -> int | None:
    for value in values:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def _usage(usage: object) -> dict[str, Any] | None:
    kept = counts(as_mapping(usage))
    return kept or None


def _camel_case(value: Any) -> Any:
    """Return Gemini's counts under the names of its REST API, in which the warehouse reads them."""
    if isinstance(value, Mapping):
        return {_camel(str(key)): _camel_case(member) for key, member in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list):
        return [_camel_case(item) for item in cast("list[Any]", value)]
    return value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
