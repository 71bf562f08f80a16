"""How a call ended, out of the exception that ended it.

Belongs here: outcome, HTTP status and kind of error, by duck-typing. Does not belong here: messages of exceptions;
they may hold prompts and keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

_RATE_LIMIT_NAMES: Final = ("RateLimit", "Throttl", "TooManyRequests", "ResourceExhausted", "QuotaExceeded")
_CANCELLED: Final = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt)
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Failure:
    """What a line says of a call that did not answer."""

    outcome: str
    http_status: int | None
    error_type: str


def failure(error: BaseException) -> Failure:
    """Return how a call ended that ended in `error`.

    A provider's refusal keeps its HTTP status, because a refused call costs nothing and one that broke may.
    """
    status = _http_status(error)
    name = _code(error) or type(error).__name__
    names = [cls.__name__ for cls in type(error).__mro__]
    if isinstance(error, _CANCELLED):
        outcome = "cancelled"
    elif status == 429 or any(word in each for word in _RATE_LIMIT_NAMES for each in [*names, name]):
        outcome = "rate_limited"
    elif isinstance(error, TimeoutError) or status in (408, 504) or any("Timeout" in name for name in names):
        outcome = "timeout"
    else:
        outcome = "error"
    return Failure(outcome, status, name[:_LONGEST_NAME])


def _http_status(error: BaseException) -> int | None:
    """Return the status that the provider answered with: openai, anthropic, cohere, litellm; google-genai; boto3."""
    for value in (
        getattr(error, "status_code", None),
        getattr(getattr(error, "response", None), "status_code", None),
        _boto_part(error, "ResponseMetadata").get("HTTPStatusCode"),
        getattr(error, "code", None),
    ):
        if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:
            return value
    return None


def _code(error: BaseException) -> str | None:
    """Return the code of a botocore ClientError, whose class says nothing."""
    code = _boto_part(error, "Error").get("Code")
    return code if isinstance(code, str) and code.isalnum() else None


def _boto_part(error: BaseException, name: str) -> Mapping[str, Any]:
    response = getattr(error, "response", None)
    part = cast("Mapping[str, Any]", response).get(name) if isinstance(response, Mapping) else None
    return cast("Mapping[str, Any]", part) if isinstance(part, Mapping) else {}
