"""A stream that passes through to the application while its call is recorded.

Belongs here: iterating, ending the call when the stream ends, however it ends. Does not belong here: what events
mean (`usage.streams`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Protocol, Self

from trueup_middleware.usage.answers import Observation, provider_of
from trueup_middleware.usage.streams import StreamReader


class StreamedCall(Protocol):
    """What a stream tells its call."""

    def first_token(self) -> None:
        """The answer has begun."""
        ...

    def end(self, observation: Observation, outcome: str) -> None:
        """The stream has ended."""
        ...

    def fail(self, error: BaseException, observation: Observation | None = None) -> None:
        """The stream has broken."""
        ...


class _Metered:
    """What both kinds of stream have in common; other attributes are those of the client's own stream."""

    def __init__(self, stream: Any, call: StreamedCall) -> None:
        self._stream = stream
        self._call = call
        self._reader = StreamReader()
        self._reader.observation.provider = provider_of(stream)
        self._is_begun = False
        self._has_first = False
        self._is_ended = False

    @property
    def is_begun(self) -> bool:
        """Whether anybody has asked for an event yet."""
        return self._is_begun

    def abandon(self) -> None:
        """End the call: nobody reads on."""
        if not self._is_ended:
            self._is_ended = True
            said = self._reader.observation.outcome or "success"
            self._call.end(self._reader.observation, said if self._reader.is_complete else "cancelled")

    def _read(self, event: object) -> None:
        try:
            if self._reader.observation.provider is None:
                # google-genai's stream is a plain generator: only what it yields tells whose it is.
                self._reader.observation.provider = provider_of(event)
            self._reader.read(event)
        except Exception:  # an event of a shape that nobody knew must reach the application
            return
        if self._reader.has_content and not self._has_first:
            self._has_first = True
            self._call.first_token()

    def _exhausted(self) -> None:
        if not self._is_ended:
            self._is_ended = True
            self._call.end(self._reader.observation, self._reader.observation.outcome or "success")

    def _broken(self, error: BaseException) -> None:
        if not self._is_ended:
            self._is_ended = True
            self._call.fail(error, self._reader.observation)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __del__(self) -> None:
        if "_is_ended" in self.__dict__:
            self.abandon()


class MeteredStream(_Metered):
    """A synchronous stream."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if not self._is_begun:
            self._is_begun = True
            self._events = iter(self._stream)
        try:
            event = next(self._events)
        except StopIteration:
            self._exhausted()
            raise
        except BaseException as error:
            self._broken(error)
            raise
        self._read(event)
        return event

    def close(self) -> None:
        """Close the client's stream and end the call."""
        self.abandon()
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncMeteredStream(_Metered):
    """An asynchronous stream."""

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if not self._is_begun:
            self._is_begun = True
            self._events = aiter(self._stream)
        try:
            event = await anext(self._events)
        except StopAsyncIteration:
            self._exhausted()
            raise
        except BaseException as error:
            self._broken(error)
            raise
        self._read(event)
        return event

    async def aclose(self) -> None:
        """Close the client's stream and end the call."""
        self.abandon()
        close = getattr(self._stream, "aclose", None) or getattr(self._stream, "close", None)
        if close is not None:
            await close()

    async def close(self) -> None:
        """As `aclose`; openai and anthropic call it so."""
        await self.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class EitherMeteredStream(MeteredStream, AsyncMeteredStream):  # pyright: ignore[reportIncompatibleMethodOverride]
    """A stream that is both, as LiteLLM's says of itself: only who reads it knows. Its `close` is synchronous."""
