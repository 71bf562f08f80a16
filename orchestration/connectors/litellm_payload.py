"""One LiteLLM `StandardLoggingPayload` → one row of `litellm_requests`.

Belongs here: what LiteLLM's fields mean and how its conventions differ from the request contract. Pure: no
files, no landing. Content (`messages`, `response`, `proxy_server_request`) is never looked at.

Source: litellm 1.109 `types/utils.py` (`StandardLoggingPayload`) and `proxy/spend_tracking`. `prompt_tokens`
includes cache reads and writes, also for Anthropic; `completion_tokens` includes reasoning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias, cast

from orchestration.connectors.call_outcome import failed_call_outcome, http_status_of
from orchestration.connectors.genai_attributes import provider_name

Payload: TypeAlias = Mapping[str, Any]

EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
LATEST_AHEAD = timedelta(hours=48)
_INT64_MAX = 2**63 - 1
_TWELVE_DECIMALS = Decimal(1).scaleb(-12)
_TAG = "tag:"
_BARE_TAG = "bare_tag"

# LiteLLM names routes of one provider apart; the bill does not.
_PROVIDERS = {
    "text-completion-openai": "openai",
    "azure_text": "azure.ai.openai",
    "bedrock_converse": "aws.bedrock",
    "vertex_ai_beta": "gcp.vertex_ai",
}
# Tags that hold a person or a browser, not a way to group spend.
_DROPPED_TAGS = ("user-agent:", "user:", "user_id:", "user-id:", "end_user:", "email:")


class BadPayloadError(ValueError):
    """A payload that cannot be landed; `reason` is the stable quarantine code."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Attribution:
    """Where tenant, feature and user are found, best first.

    An entry is the dotted path of a field (`metadata.user_api_key_team_id`), `tag:<prefix>` for what follows
    in the first request tag with that prefix (`tag:feature:`), or `bare_tag`: the first tag without a colon.
    """

    tenant: Sequence[str]
    feature: Sequence[str]
    user: Sequence[str]


def read_payload(payload: Payload, attribution: Attribution, latest: datetime) -> dict[str, Any]:
    """Read the columns of `litellm_requests`, with the raw user id as `user_id` instead of `user_hash`.

    Args:
        payload: One parsed line.
        attribution: Where to look for tenant, feature and user.
        latest: Starts after this moment are refused.

    Raises:
        BadPayloadError: Identity, start or status is missing or unusable, or a count is no whole number.
    """
    call_id, response_id = _text(payload.get("litellm_call_id")), _text(payload.get("id"))
    request_id = call_id or response_id
    if request_id is None:
        raise BadPayloadError("missing:litellm_call_id")
    started_at = _moment(payload, "startTime", required=True)
    if started_at is None or not EARLIEST <= started_at <= latest:
        raise BadPayloadError("timestamp_out_of_range")
    status = payload.get("status")
    if status not in ("success", "failure", None):  # None: success, from before the field existed
        raise BadPayloadError("invalid:status")
    failed = status == "failure"
    error = _mapping(payload.get("error_information"))
    error_type = _text(error.get("error_class")) or _text(error.get("error_code"))
    tags = [tag for tag in _list(payload.get("request_tags")) if isinstance(tag, str) and tag]
    cost_usd = _cost_usd(payload)
    tokens = _tokens(payload)
    if failed and not tokens["input_tokens"] and not tokens["output_tokens"]:
        # The failure handler writes 0 where no usage came back: nobody knows what the provider counted.
        tokens = dict.fromkeys(tokens, None)
        cost_usd = cost_usd or None
    usage = _usage_object(payload)

    def find(sources: Sequence[str]) -> str | None:
        return next((text for source in sources if (text := _look_up(payload, tags, source))), None)

    return {
        "request_id": request_id,
        # A call that no provider answered repeats its own id here; that would join to nothing or wrongly.
        "response_id": None if response_id == call_id else response_id,
        "started_at": started_at,
        "provider": _provider(payload.get("custom_llm_provider")),
        "model": _text(payload.get("model")),
        "request_model": _text(payload.get("model_group")),
        "feature": find(attribution.feature),
        "tenant_id": find(attribution.tenant),
        "user_id": find(attribution.user),
        "outcome": failed_call_outcome(error_type, http_status_of(error.get("error_code"))) if failed else "success",
        "error_type": error_type if failed else None,
        "latency_ms": _latency_ms(payload, started_at),
        "time_to_first_token_ms": _time_to_first_token_ms(payload, started_at),
        "call_type": _text(payload.get("call_type")),
        **tokens,
        "service_tier": _text(usage.get("service_tier"))
        or _text(_mapping(payload.get("cost_breakdown")).get("service_tier")),
        "inference_geo": _text(usage.get("inference_geo")),
        "trace_id": _text(payload.get("trace_id")),
        "conversation_id": _text(payload.get("session_id")),
        "response_cache_hit": _response_cache_hit(payload.get("cache_hit")),
        "cost_usd": cost_usd,
        "tags": _tags_json(tags),
    }


def _tokens(payload: Payload) -> dict[str, int | None]:
    usage = _usage_object(payload)
    prompt = _mapping(usage.get("prompt_tokens_details"))
    completion = _mapping(usage.get("completion_tokens_details"))
    by_lifetime = {
        **_mapping(usage.get("cache_creation")),
        **_mapping(prompt.get("cache_creation_token_details")),
    }
    server_tools = _mapping(usage.get("server_tool_use"))
    return {
        "input_tokens": _count("prompt_tokens", payload.get("prompt_tokens")),
        "output_tokens": _count("completion_tokens", payload.get("completion_tokens")),
        "cache_read_tokens": _first_count(("cache_read_input_tokens", usage), ("cached_tokens", prompt)),
        "cache_write_5m_tokens": _first_count(("ephemeral_5m_input_tokens", by_lifetime)),
        "cache_write_1h_tokens": _first_count(("ephemeral_1h_input_tokens", by_lifetime)),
        "cache_write_tokens": _first_count(
            ("cache_creation_input_tokens", usage),
            ("cache_creation_tokens", prompt),
            ("cache_write_tokens", prompt),
        ),
        "reasoning_tokens": _first_count(("reasoning_tokens", completion)),
        "web_search_requests": _first_count(("web_search_requests", server_tools), ("web_search_requests", prompt)),
    }


def _usage_object(payload: Payload) -> Mapping[str, Any]:
    """Return the provider's usage as LiteLLM keeps it; it moved between two places across versions."""
    metadata = _mapping(payload.get("metadata"))
    hidden = _mapping(payload.get("hidden_params"))
    return _mapping(metadata.get("usage_object")) or _mapping(hidden.get("usage_object"))


def _first_count(*places: tuple[str, Mapping[str, Any]]) -> int | None:
    """Return the first count that is present; 0 is a count, null and absent are not."""
    for name, holder in places:
        if holder.get(name) is not None:
            return _count(name, holder[name])
    return None


def _count(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise BadPayloadError(f"wrong_type:{name}")
    if value < 0:
        raise BadPayloadError(f"negative:{name}")
    if value > _INT64_MAX:
        raise BadPayloadError(f"wrong_type:{name}")
    return int(value)


def _cost_usd(payload: Payload) -> Decimal | None:
    """Return LiteLLM's own estimate: evidence beside our number, never instead of it.

    The text of the number is what LiteLLM wrote: the shortest that gives back its float, and `str` of the
    parsed float is that text again.
    """
    value = payload.get("response_cost")
    if value is None or isinstance(value, bool):
        return None
    try:
        cost_usd = Decimal(str(value)).quantize(_TWELVE_DECIMALS)
    except InvalidOperation as error:
        raise BadPayloadError("wrong_type:response_cost") from error
    is_unknown = any(payload.get(note) for note in ("response_cost_failure_debug_info", "zero_cost_diagnostic"))
    return None if cost_usd == 0 and is_unknown else cost_usd


def _moment(payload: Payload, name: str, *, required: bool = False) -> datetime | None:
    """Read epoch seconds (a number) or RFC 3339 with a zone, to the microsecond."""
    value = payload.get(name)
    if value is None or value == "":
        if required:
            raise BadPayloadError(f"missing:{name}")
        return None
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                raise BadPayloadError(f"wrong_type:{name}")
            return moment.astimezone(UTC)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadPayloadError(f"wrong_type:{name}")
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=round(value * 1_000_000))
    except OverflowError:
        raise BadPayloadError("timestamp_out_of_range") from None
    except ValueError as error:
        if isinstance(error, BadPayloadError):
            raise
        raise BadPayloadError(f"wrong_type:{name}") from error


def _latency_ms(payload: Payload, started_at: datetime) -> float | None:
    ended_at = _moment(payload, "endTime")
    return (ended_at - started_at) / timedelta(milliseconds=1) if ended_at and ended_at >= started_at else None


def _time_to_first_token_ms(payload: Payload, started_at: datetime) -> float | None:
    # Without streaming `completionStartTime` is the end of the call.
    first_at = _moment(payload, "completionStartTime") if payload.get("stream") is True else None
    return (first_at - started_at) / timedelta(milliseconds=1) if first_at and first_at >= started_at else None


def _response_cache_hit(value: Any) -> bool | None:
    """Whether LiteLLM answered from its own cache; it says nothing about the provider's prompt cache."""
    if isinstance(value, str):  # the spend log's spelling
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def _provider(value: Any) -> str | None:
    return provider_name(_PROVIDERS.get(value, value) if isinstance(value, str) else None)


def _look_up(payload: Payload, tags: Sequence[str], source: str) -> str | None:
    if source == _BARE_TAG:
        return next((tag for tag in tags if ":" not in tag), None)
    if source.startswith(_TAG):
        prefix = source.removeprefix(_TAG)
        return next((rest for tag in tags if tag.startswith(prefix) and (rest := tag.removeprefix(prefix))), None)
    value: Any = payload
    for name in source.split("."):
        value = _mapping(value).get(name)
    return _text(value)


def _tags_json(tags: Sequence[str]) -> str | None:
    kept = [tag for tag in tags if not tag.lower().startswith(_DROPPED_TAGS)]
    return json.dumps(kept, ensure_ascii=False) if kept else None


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, list) else ()
