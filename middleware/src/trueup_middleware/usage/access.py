"""Reading values out of objects that may be mappings, pydantic models or plain classes.

Belongs here: access without knowing the type. Does not belong here: what a name means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast


def get(holder: object, *path: str) -> Any:
    """Return the value at a path of names; None where a step is missing."""
    for name in path:
        if holder is None:
            return None
        if isinstance(holder, dict):  # not Mapping: that check alone took a fifth of a call's time
            holder = cast("dict[str, object]", holder).get(name)
        else:
            holder = getattr(holder, name, None)
    return holder


def get_text(holder: object, *path: str) -> str | None:
    """Return the text at a path; None where there is none, or something else."""
    value = get(holder, *path)
    value = getattr(value, "value", value)  # an enumeration
    return value if isinstance(value, str) and value else None


def items(holder: object, *path: str) -> Iterable[Any]:
    """Return the list at a path; nothing where there is none."""
    value = get(holder, *path)
    return cast("Iterable[Any]", value) if isinstance(value, list | tuple) else ()


def as_mapping(holder: object) -> dict[str, Any] | None:
    """Return an object's members as a mapping, by the names that the provider's JSON has; None when it has none."""
    if holder is None:
        return None
    if isinstance(holder, Mapping):
        return dict(cast("Mapping[str, Any]", holder))
    dump: Callable[..., Any] | None = getattr(holder, "model_dump", None)
    if callable(dump):
        # by_alias: google-genai names its fields in snake case and sends them in camel case.
        dumped = dump(mode="json", by_alias=True, exclude_none=True)
        return cast("dict[str, Any]", dumped) if isinstance(dumped, dict) else None
    members: Any = getattr(holder, "__dict__", None)
    return dict(cast("dict[str, Any]", members)) if isinstance(members, dict) else None
