"""One attempt to call a model: from the question whether it may be made to the line that says what became of it.

Belongs here: the life of a call. Does not belong here: reading answers (`usage`), prices, files, budgets, spans: it
asks those that do, through `services`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterable, Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self, TypedDict, cast, overload

from trueup_middleware import record
from trueup_middleware.gate import Admission, CallIntent, Refused
from trueup_middleware.outcomes import failure
from trueup_middleware.services import Services
from trueup_middleware.streaming import AsyncMeteredStream, MeteredStream
from trueup_middleware.usage.answers import Observation, observe, provider_of

_REFUSED_STATUS: Final = 429


class CallAttributes(TypedDict, total=False):
    """What an application may say of a call; the names are those of the log line.

    `max_input_tokens` and `max_output_tokens` bound what the call can cost, for a gate. `retry_of` is the attempt that
    this one repeats.
    """

    feature: str | None
    tenant_id: str | None
    user_id: str | int | None
    operation_id: str | None
    provider: str | None
    model: str | None
    operation_name: str | None
    conversation_id: str | None
    session_id: str | None
    prompt_name: str | None
    prompt_version: str | None
    release: str | None
    environment: str | None
    region: str | None
    provider_account: str | None
    provider_project: str | None
    provider_api_key_id: str | None
    trace_id: str | None
    span_id: str | None
    tags: Mapping[str, str] | None
    plan_tier: str | None
    max_input_tokens: int | None
    max_output_tokens: int | None
    retry_of: Call | None


class Call:
    """One attempt. Use it as a `with` or `async with` block, and give it the answer.

    Attributes:
        request_id: The id of this attempt.
        attempt_number: 1 for the first of its operation's chain of retries.
        model: The model to call: the one asked for, or the one that a gate put in its place.
        warnings: Codes of the soft limits that are exceeded.
    """

    def __init__(self, services: Services, attributes: dict[str, Any]) -> None:
        self._services = services
        self._said = attributes
        self.request_id = secrets.token_hex(16)
        before: Call | None = attributes.get("retry_of")
        self.attempt_number = 1 if before is None else before.attempt_number + 1
        self._first: Call = self if before is None else before._first
        self._before = before
        self.operation_id = record.text(attributes.get("operation_id"))
        if self.operation_id is None:
            self.operation_id = self.request_id if before is None else before.operation_id
        self.model: str | None = attributes.get("model")
        self.provider: str | None = attributes.get("provider")
        self.warnings: tuple[str, ...] = ()
        self._admission: Admission | None = None
        self._stream: MeteredStream | AsyncMeteredStream | None = None
        self._is_ended = False
        self._first_token_at: int | None = None
        self._started_ns = time.time_ns()
        self._began = time.perf_counter_ns()

    def __enter__(self) -> Self:
        """Ask the gate.

        Raises:
            Refused: The call must not be made; its line is written.
        """
        self._started_ns = time.time_ns()
        user = self._said.get("user_id")
        self._user_hash = self._services.user_hash(user)
        try:
            self._admission = self._services.admit(self._intent())
        except Refused as refusal:
            self._end(Observation(), "rate_limited", http_status=_REFUSED_STATUS, error_type=refusal.reason)
            raise
        if self._admission is not None:
            self.model = self._admission.model or self.model
            self.warnings = self._admission.warnings
        self._began = time.perf_counter_ns()
        return self

    async def __aenter__(self) -> Self:
        """As `__enter__`."""
        return self.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the call, unless an answer did or a stream that nobody has begun to read will."""
        if error is not None:
            self.fail(error)
        elif self._stream is None:
            self._end(Observation(), "success")
        elif self._stream.is_begun:
            self._stream.abandon()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As `__exit__`."""
        self.__exit__(kind, error, trace)

    def finish(self, response: object = None, **said: Any) -> None:
        """End the call with a provider's answer.

        Args:
            response: The client's answer, or its JSON; None when there is none to show.
            said: Fields of the line that the answer does not say, such as `response_cache_hit`, or counts of one's own
                (`input_tokens`, `output_tokens`, …).
        """
        self._end(self._observe(response), said.pop("outcome", None), **said)

    def take(self, response: Any) -> Any:
        """End the call with an answer, or follow a stream; return what the application reads on."""
        if isinstance(response, Iterable | AsyncIterable) and hasattr(response, "close"):
            return self.stream(cast("Iterable[Any]", response))
        if hasattr(response, "__next__") or hasattr(response, "__anext__"):
            return self.stream(response)
        self.finish(response)
        return response

    @overload
    def stream(self, stream: AsyncIterable[Any]) -> AsyncMeteredStream: ...
    @overload
    def stream(self, stream: Iterable[Any]) -> MeteredStream: ...
    def stream(self, stream: Any) -> MeteredStream | AsyncMeteredStream:
        """Return the client's stream, followed: the call ends when it ends, is closed, or breaks.

        A stream that nobody has begun to read may leave the block; it then ends the call wherever it is read.
        """
        followed = (AsyncMeteredStream if hasattr(stream, "__aiter__") else MeteredStream)(stream, self)
        self._stream = followed
        return followed

    def fail(self, error: BaseException, observation: Observation | None = None) -> None:
        """End the call with the exception that ended it; of the exception only its kind and status are kept."""
        if self._stream is not None and observation is None and not isinstance(error, Exception):
            self._stream.abandon()  # it knows what has come before the cancellation
            return
        known = failure(error)
        found = observation or Observation(provider=provider_of(error))
        self._end(found, known.outcome, http_status=known.http_status, error_type=known.error_type)

    def first_token(self) -> None:
        """The answer has begun."""
        if self._first_token_at is None:
            self._first_token_at = time.perf_counter_ns()

    def end(self, observation: Observation, outcome: str) -> None:
        """End the call with what a stream has said."""
        self._end(observation, outcome)

    # -- within ---------------------------------------------------------------------------------------------

    def _intent(self) -> CallIntent:
        said = self._said
        return CallIntent(
            request_id=self.request_id,
            started_at=datetime.fromtimestamp(self._started_ns / 1e9, UTC),
            feature=said.get("feature"),
            tenant_id=said.get("tenant_id"),
            user_hash=self._user_hash,
            provider=self.provider,
            model=self.model,
            operation_name=said.get("operation_name") or "chat",
            plan_tier=said.get("plan_tier"),
        )

    def _observe(self, response: object) -> Observation:
        if response is None:
            return Observation()
        try:
            return observe(response)
        except Exception:  # an answer that cannot be read is still the application's answer
            self._services.mistake("an answer could not be read")
            return Observation()

    def _end(self, found: Observation, outcome: str | None, **said: Any) -> None:
        if self._is_ended:
            return
        self._is_ended = True
        ended = time.perf_counter_ns()
        try:
            fields = self._fields(found, outcome or found.outcome or "success", ended)
            fields.update(said)
            self._services.writer.put(record.line(fields))
            self._services.settle(self._admission, None, fields["outcome"])
        except Exception:  # the call goes on
            self._services.mistake("a call could not be recorded")

    def _fields(self, found: Observation, outcome: str, ended: int) -> dict[str, Any]:
        said = self._said
        provider = self.provider or found.provider
        asked = self.model
        # Bedrock and Cohere do not say which model answered, and Bedrock's prices are by the id that was asked for.
        model = asked if provider == "aws.bedrock" and asked else found.model or asked
        user = self._user_hash
        first = self._first
        is_fallback = self._before is not None and (first.model, first.provider) != (self.model, self.provider)
        return {
            "event": record.EVENT,
            "ts": _rfc3339(self._started_ns),
            "request_id": self.request_id,
            "provider": provider or "unknown",
            "model": record.text(model) or "unknown",
            "request_model": record.text(asked),
            "feature": record.text(said.get("feature")),
            "tenant_id": record.text(said.get("tenant_id")),
            "user_id": None if user is None else record.HASHED_USER + user,
            "outcome": outcome,
            "latency_ms": round((ended - self._began) / 1e6, 3),
            "time_to_first_token_ms": (
                None if self._first_token_at is None else round((self._first_token_at - self._began) / 1e6, 3)
            ),
            "operation_name": said.get("operation_name") or found.operation_name or "chat",
            "usage_api": found.usage_api if found.usage else None,
            "usage": found.usage,
            **(found.flat or {}),
            "service_tier": found.service_tier,
            "inference_geo": found.inference_geo,
            "response_id": record.text(found.response_id),
            "operation_id": self.operation_id,
            "attempt_number": self.attempt_number,
            "retry_of": None if self._before is None else self._before.request_id,
            "is_fallback": is_fallback,
            "tags": record.labels(said.get("tags")),
            **{name: record.text(said.get(name)) for name in _PLAIN_TEXTS},
        }


_PLAIN_TEXTS: Final = (
    *("conversation_id", "session_id", "prompt_name", "prompt_version", "release", "environment", "region"),
    *("provider_account", "provider_project", "provider_api_key_id", "trace_id", "span_id"),
)


def _rfc3339(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest // 1000:06d}Z"
