"""One attempt to call a model: from the question whether it may be made to the line that says what became of it.

Belongs here: the life of a call. Does not belong here: reading answers (`usage`), prices, files, budgets, spans: it
asks those that do, through `services`.
"""

from __future__ import annotations

import secrets
import time
import weakref
from collections.abc import AsyncIterable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, Self, TypedDict, cast, overload

from trueup_middleware import record
from trueup_middleware.gate import Admission, CallIntent, Refused
from trueup_middleware.outcomes import failure
from trueup_middleware.services import PROCESS_DIED, Services, SpanOfCall
from trueup_middleware.streaming import AsyncMeteredStream, EitherMeteredStream, MeteredStream
from trueup_middleware.usage.answers import Observation, observe, provider_of
from trueup_middleware.writer import Slot

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
        self._stream: weakref.ref[MeteredStream | AsyncMeteredStream] | None = None
        self._is_ended = False
        self._first_token_at: int | None = None
        self._began = time.perf_counter_ns()
        self._known: dict[str, Any] = {}
        self._beginning = b""
        self._slot: Slot | None = None
        self._span: SpanOfCall | None = None

    def __enter__(self) -> Self:
        """Ask the gate, and note that the call is under way.

        Raises:
            Refused: The call must not be made; its line is written.
        """
        services = self._services
        started_ns = time.time_ns()
        user = services.user_hash(self._said.get("user_id"))
        self._known = self._known_before(_rfc3339(started_ns), user)
        if services.has_telemetry:
            self._start_span()
        try:
            self._admission = services.admit(lambda: self._intent(started_ns, user))
        except Refused as refusal:
            self._end(Observation(), "rate_limited", http_status=_REFUSED_STATUS, error_type=refusal.reason)
            services.leave_span(self._span)
            raise
        if self._admission is not None:
            self.warnings = self._admission.warnings
            if self._admission.model is not None:
                self.model = self._admission.model
                self._known["request_model"] = record.text(self.model)
        self._known["is_fallback"] = self._is_fallback()
        self._slot = services.reserve(self._line_of_the_dead)
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
        elif (stream := self._stream()) is not None and stream.is_begun:
            stream.abandon()
        self._services.leave_span(self._span)

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
        if hasattr(stream, "__aiter__"):
            followed = (EitherMeteredStream if hasattr(stream, "__iter__") else AsyncMeteredStream)(stream, self)
        else:
            followed = MeteredStream(stream, self)
        # Weak, so that a stream that nobody holds any more ends its call at once.
        self._stream = weakref.ref(followed)
        return followed

    def fail(self, error: BaseException, observation: Observation | None = None) -> None:
        """End the call with the exception that ended it; of the exception only its kind and status are kept."""
        stream = None if self._stream is None else self._stream()
        if stream is not None and observation is None:
            stream.abandon()  # the stream itself is sound, and knows what has come so far
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

    def _known_before(self, ts: str, user_hash: str | None) -> dict[str, Any]:
        """Return what stands on the line whatever becomes of the call; what is in it is encoded once."""
        said = self._said
        known: dict[str, Any] = {
            "event": record.EVENT,
            "ts": ts,
            "request_id": self.request_id,
            "request_model": record.text(self.model),
            "user_id": None if user_hash is None else record.HASHED_USER + user_hash,
            "operation_id": self.operation_id,
            "attempt_number": self.attempt_number,
            "retry_of": None if self._before is None else self._before.request_id,
            "tags": record.labels(said.get("tags")),
        }
        for name, value in said.items():
            if name in _PLAIN_TEXTS:
                known[name] = record.text(value)
        return known

    def _line_of_the_dead(self) -> bytes:
        self._beginning = record.opening(self._known)
        return record.closed(self._beginning, self._named_before() | _DIED)

    def _named_before(self) -> dict[str, Any]:
        """Return what an answer may say better."""
        return {
            "provider": self.provider or "unknown",
            "model": record.text(self.model) or "unknown",
            "operation_name": self._said.get("operation_name"),
        }

    def _start_span(self) -> None:
        known = self._known | self._named_before()
        self._span = self._services.start_span(known, self._said.get("plan_tier"))
        self._known |= {name: known.get(name) for name in ("trace_id", "span_id")}

    def _is_fallback(self) -> bool:
        first = self._first
        return self._before is not None and (first.model, first.provider) != (self.model, self.provider)

    def _intent(self, started_ns: int, user_hash: str | None) -> CallIntent:
        said = self._said
        bounds = (said.get("max_input_tokens"), said.get("max_output_tokens"))
        return CallIntent(
            request_id=self.request_id,
            started_at=datetime.fromtimestamp(started_ns / 1e9, UTC),
            feature=said.get("feature"),
            tenant_id=said.get("tenant_id"),
            user_hash=user_hash,
            provider=self.provider,
            model=self.model,
            operation_name=said.get("operation_name") or "chat",
            upper_bound_nano_usd=self._services.upper_bound_nano_usd(self._known | self._named_before(), *bounds),
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
        services = self._services
        outcome = outcome or found.outcome or "success"
        estimate = None
        try:
            after = self._known_after(found, outcome, ended)
            after |= {name: value for name, value in said.items() if name in record.FIELDS}
            fields = self._known | after
            estimate = services.estimate(fields)
            if estimate is not None:
                fields["cost_usd"] = after["cost_usd"] = estimate.cost_usd
            # A field stands once on a line, also when the application says it better at the end.
            is_apart = self._beginning and self._known.keys().isdisjoint(said)
            line = record.closed(self._beginning, after) if is_apart else record.line(fields)
        except Exception:  # a value that is none; what was known before the call is a line by itself
            services.mistake("an end could not be recorded")
            fields = self._known | self._named_before() | {"outcome": outcome}
            line = record.line(fields)
        services.writer.put(line, self._slot)
        services.end_span(self._span, fields, estimate)
        services.settle(self._admission, None if estimate is None else estimate.cost_nano_usd, outcome)

    def _known_after(self, found: Observation, outcome: str, ended: int) -> dict[str, Any]:
        provider = self.provider or found.provider
        asked = record.text(self.model)
        # Bedrock and Cohere do not say which model answered, and Bedrock's prices are by the id that was asked for.
        model = asked if provider == "aws.bedrock" and asked else record.text(found.model) or asked
        first_token_at = self._first_token_at
        return {
            "provider": provider or "unknown",
            "model": model or "unknown",
            "outcome": outcome,
            "latency_ms": _milliseconds(ended - self._began),
            "time_to_first_token_ms": None if first_token_at is None else _milliseconds(first_token_at - self._began),
            "operation_name": self._said.get("operation_name") or found.operation_name or "chat",
            "usage_api": found.usage_api if found.usage else None,
            "usage": found.usage,
            **(found.flat or {}),
            "service_tier": found.service_tier,
            "inference_geo": found.inference_geo,
            "response_id": record.text(found.response_id),
        }


_PLAIN_TEXTS: Final = frozenset(
    (
        *("feature", "tenant_id", "conversation_id", "session_id", "prompt_name", "prompt_version", "release"),
        *(
            "environment",
            "region",
            "provider_account",
            "provider_project",
            "provider_api_key_id",
            "trace_id",
            "span_id",
        ),
    )
)
_DIED: Final = {"outcome": "error", "error_type": PROCESS_DIED}


def _milliseconds(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)


def _rfc3339(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
