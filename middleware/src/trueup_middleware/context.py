"""What holds for every call of a request: tenant, user, operation. It follows threads of asyncio and contextvars.

Belongs here: carrying attributes. Does not belong here: where a web framework keeps them (`asgi`, `wsgi`).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final

#: What may be bound; the names are those of the log line, and `plan_tier`, which only telemetry and gates see.
BINDABLE: Final = frozenset(
    (
        *("feature", "tenant_id", "user_id", "operation_id", "conversation_id", "session_id", "trace_id", "span_id"),
        *("prompt_name", "prompt_version", "release", "environment", "plan_tier", "tags"),
        *("provider_account", "provider_project", "provider_api_key_id", "region"),
    )
)

_bound: ContextVar[MappingProxyType[str, Any]] = ContextVar("trueup_bound", default=MappingProxyType({}))


def bound() -> MappingProxyType[str, Any]:
    """Return what is bound here."""
    return _bound.get()


@contextmanager
def bind(**attributes: Any) -> Generator[None]:
    """Let attributes hold for every call in the block; an inner block overrules an outer one.

    Args:
        attributes: Names of `BINDABLE`; None binds nothing.

    Raises:
        TypeError: A name that cannot be bound: a misspelt `tenant_id` would be unattributed cost.
    """
    if unknown := attributes.keys() - BINDABLE:
        raise TypeError(f"cannot bind {', '.join(sorted(unknown))}; known: {', '.join(sorted(BINDABLE))}")
    given = {name: value for name, value in attributes.items() if value is not None}
    token = _bound.set(MappingProxyType({**_bound.get(), **given}))
    try:
        yield
    finally:
        _bound.reset(token)
