"""Carrying tenant and operation through a request of a WSGI application (Flask, Django, …).

Belongs here: WSGI. Does not belong here: finding out who the tenant is, as in `asgi`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from trueup_middleware import context

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]


class BindRequest:
    """Binds, for every request, what the application says of it, and an operation of its own."""

    def __init__(self, app: App, attributes: Callable[[Environ], Mapping[str, Any]]) -> None:
        """Wrap an application.

        Args:
            app: The application.
            attributes: Returns what is known of a request: names of `context.BINDABLE`. Without an `operation_id` the
                request is the operation.
        """
        self._app = app
        self._attributes = attributes

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request; what is bound also holds while its answer is streamed."""
        bound = {"operation_id": secrets.token_hex(16), **self._attributes(environ)}
        with context.bind(**bound):
            answer = self._app(environ, start_response)
        return _Answer(answer, bound)


class _Answer:
    """The application's answer, each piece made with the request's attributes bound."""

    def __init__(self, answer: Iterable[bytes], bound: dict[str, Any]) -> None:
        self._answer = answer
        self._bound = bound

    def __iter__(self) -> Iterator[bytes]:
        pieces = iter(self._answer)
        while True:
            with context.bind(**self._bound):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def close(self) -> None:
        """Close the application's answer, as WSGI asks for."""
        close = getattr(self._answer, "close", None)
        if close is not None:
            with context.bind(**self._bound):
                close()
