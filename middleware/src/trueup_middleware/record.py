"""One attempt as one `llm.request` line, in the shape that the warehouse reads.

Belongs here: the fields, their bounds, keeping content and identities out of them. Does not belong here: what a
provider's answer means (`usage`), and where lines go (`writer`).
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, cast

EVENT: Final = "llm.request"

#: What precedes a user id that was hashed before it was logged; the warehouse takes the hash as it is.
HASHED_USER: Final = "hmac-sha256:"

#: Every field that a line may have; a test holds it against the schema.
FIELDS: Final = frozenset(
    (
        *(
            "event",
            "ts",
            "request_id",
            "provider",
            "model",
            "request_model",
            "feature",
            "tenant_id",
            "user_id",
            "outcome",
        ),
        *("http_status", "error_type", "latency_ms", "time_to_first_token_ms", "operation_name", "usage_api", "usage"),
        *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"),
        *("cache_write_tokens", "reasoning_tokens", "input_audio_tokens", "output_audio_tokens", "input_image_tokens"),
        *("web_search_requests", "tool_calls", "rerank_units", "images", "audio_seconds", "characters"),
        *("service_tier", "region", "inference_geo", "provider_account", "provider_project", "provider_api_key_id"),
        *("response_id", "trace_id", "span_id", "operation_id", "conversation_id", "session_id", "attempt_number"),
        *("retry_of", "is_fallback", "response_cache_hit", "prompt_name", "prompt_version", "release", "environment"),
        *("cost_usd", "tags"),
    )
)

#: The kinds of outcome that a line may state.
OUTCOMES: Final = ("success", "timeout", "rate_limited", "error", "cancelled")

_LONGEST_TEXT = 512
_LONGEST_LABEL = 200
_MOST_LABELS = 32
# Words that usage objects use to say what is counted; any other text in one could be content.
_WHAT_IS_COUNTED = frozenset(
    ("service_tier", "serviceTier", "inference_geo", "modality", "trafficType", "ttl", "type", "object", "speed")
)
_WORD = re.compile(r"[A-Za-z0-9_.:-]{0,64}")
_DEEPEST_USAGE = 6
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def user_hash(user_id: object, key: bytes) -> str:
    """Return HMAC-SHA256 of a user's id as hex, as the warehouse's connectors make it of the same id and key."""
    return hmac.digest(key, str(user_id).encode("utf-8", "surrogatepass"), "sha256").hex()


def line(fields: Mapping[str, Any]) -> bytes:
    """Return the fields as one line of JSON with its newline; what is None is left out: unknown."""
    return opening(fields) + b"}\n"


def opening(fields: Mapping[str, Any]) -> bytes:
    """Return what a line begins with; `closed` ends it."""
    known = {name: value for name, value in fields.items() if value is not None}
    return _ENCODER.encode(known).encode("utf-8", "replace")[:-1]


def closed(beginning: bytes, fields: Mapping[str, Any]) -> bytes:
    """Return the line that begins so and ends with other fields, at least one of them known."""
    return beginning + b"," + line(fields)[1:]


def text(value: object) -> str | None:
    """Return an id or a name as text; None when there is none, cut where it is longer than any id."""
    if value is None or value == "":
        return None
    return str(value)[:_LONGEST_TEXT]


def labels(tags: Mapping[str, object] | None) -> dict[str, str] | None:
    """Return tags, text to text, no more and no longer than the warehouse keeps."""
    if not tags:
        return None
    items = list(tags.items())[:_MOST_LABELS]
    return {str(key)[:64]: str(value)[:_LONGEST_LABEL] for key, value in items if value is not None}


def counts(usage: object, depth: int = 0) -> Any:
    """Return a usage object with its numbers and the words that say what is counted, and nothing else."""
    if isinstance(usage, dict):
        if depth > _DEEPEST_USAGE:
            return None
        kept: dict[str, Any] = {}
        for key, member in cast("dict[object, object]", usage).items():
            name = str(key)
            if not _is_word(name):
                continue
            if isinstance(member, str):
                if name in _WHAT_IS_COUNTED and _is_word(member):
                    kept[name] = member
            elif isinstance(member, int | float | dict | list | tuple):
                kept[name] = member if type(member) is int else counts(cast("object", member), depth + 1)
        return kept
    if isinstance(usage, list | tuple):
        items = cast("list[object]", usage)
        return [counts(item, depth + 1) for item in items if not isinstance(item, str)][:64]
    return usage if isinstance(usage, int) or _is_finite(usage) else None


@lru_cache(maxsize=1024)
def _is_word(text: str) -> bool:
    return _WORD.fullmatch(text) is not None


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and value - value == 0
