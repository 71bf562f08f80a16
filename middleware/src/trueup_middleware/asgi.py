"""Carrying tenant and operation through a request of an ASGI application (Starlette, FastAPI, Django, …).

Belongs here: ASGI. Does not belong here: finding out who the tenant is; the application says so, because what a client
claims in a header is not to be billed by.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from trueup_middleware import context

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class BindRequest:
    """Binds, for every HTTP request and websocket, what the application says of it, and an operation of its own."""

    def __init__(self, app: App, attributes: Callable[[Scope], Mapping[str, Any]]) -> None:
        """Wrap an application.

        Args:
            app: The application.
            attributes: Returns what is known of a request: names of `context.BINDABLE`, such as `tenant_id` out of the
                verified session. Without an `operation_id` the request is the operation.
        """
        self._app = app
        self._attributes = attributes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        with context.bind(**{"operation_id": secrets.token_hex(16), **self._attributes(scope)}):
            await self._app(scope, receive, send)
