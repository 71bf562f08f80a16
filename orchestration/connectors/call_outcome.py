"""How a failed call ended, from what the caller was told: an HTTP status and the name of an error.

Belongs here: the five words of the request contract (`success`, `timeout`, `rate_limited`, `error`,
`cancelled`) and how other people's error names map to them. Does not belong here: whether a user accepted the
answer; that is an outcome event.
"""

from __future__ import annotations

from typing import Literal

CallOutcome = Literal["success", "timeout", "rate_limited", "error", "cancelled"]

_BY_HTTP_STATUS: dict[int, CallOutcome] = {
    408: "timeout",
    429: "rate_limited",
    499: "cancelled",  # nginx and gRPC gateways: the client closed the request
    504: "timeout",
}

# Parts of names, looked for in this order in the lower-cased name without punctuation: `RateLimitError`,
# `rate_limit_exceeded`, `ThrottlingException`, `APITimeoutError`, `DEADLINE_EXCEEDED`, `APIUserAbortError`.
_BY_NAME_PART: tuple[tuple[str, CallOutcome], ...] = (
    ("ratelimit", "rate_limited"),
    ("throttl", "rate_limited"),
    ("toomanyrequests", "rate_limited"),
    ("resourceexhausted", "rate_limited"),
    ("timeout", "timeout"),
    ("timedout", "timeout"),
    ("deadlineexceeded", "timeout"),
    ("cancel", "cancelled"),
    ("aborterror", "cancelled"),
    ("generatorexit", "cancelled"),
    ("keyboardinterrupt", "cancelled"),
)


def failed_call_outcome(error_type: str | None, http_status: int | None) -> CallOutcome:
    """Return the outcome of a call that is known to have failed; `error` when nothing says more.

    The HTTP status is what the provider answered, so it wins over the name of a client's exception.
    """
    if http_status in _BY_HTTP_STATUS:
        return _BY_HTTP_STATUS[http_status]
    name = "".join(character for character in (error_type or "").lower() if character.isalnum())
    for part, outcome in _BY_NAME_PART:
        if part in name:
            return outcome
    return "error"


def http_status_of(value: object) -> int | None:
    """Read an HTTP status from a number or a numeric string; None when it is not one (100 to 599)."""
    if isinstance(value, bool) or not isinstance(value, int | str | float):
        return None
    try:
        status = int(value)
    except (ValueError, OverflowError):
        return None
    return status if 100 <= status <= 599 else None
