"""The meter: every call of a model goes through it, and leaves one line.

Belongs here: what an application sets up once and asks for calls. Does not belong here: a call's life (`call`).

Nothing of it breaks a call. Only a gate's `Refused` is raised; any other mistake in here is counted and logged.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar, Unpack, cast

from trueup_middleware import context
from trueup_middleware.call import Call, CallAttributes
from trueup_middleware.gate import BackgroundWork, Gate
from trueup_middleware.prices import PriceFile
from trueup_middleware.services import Services, Telemetry
from trueup_middleware.watched import WatchedFile
from trueup_middleware.writer import LineWriter, WriterCounts

F = TypeVar("F", bound=Callable[..., Any])

USER_HASH_KEY_ENV: Final = "TRUEUP_USER_HASH_KEY"
"""The key under which the warehouse hashes user ids too."""

_NAMES: Final = frozenset(CallAttributes.__annotations__)


@dataclass(frozen=True, slots=True)
class MeterCounts:
    """What became of the calls of a meter.

    Attributes:
        lines: What became of their lines.
        unpriced: Calls that ended and have no known cost.
        users_dropped: Calls whose user was not logged, because there is no key to hash it with.
        mistakes: Times that something in here went wrong and the call went on.
    """

    lines: WriterCounts
    unpriced: int
    users_dropped: int
    mistakes: int


class Meter:
    """Records calls. One for a process; safe to share between threads and tasks."""

    def __init__(
        self,
        log: Path | str | LineWriter,
        *,
        prices: PriceFile | Path | str | None = None,
        gate: Gate | None = None,
        telemetry: Telemetry | None = None,
        user_hash_key: bytes | None = None,
        **defaults: Unpack[CallAttributes],
    ) -> None:
        """Open nothing yet.

        Args:
            log: The folder for the lines, or a writer.
            prices: The price book that `trueup prices export` wrote; a path is read again when the file has changed.
            gate: Asked before every call.
            telemetry: Makes spans and metrics, such as `trueup_middleware.telemetry.OpenTelemetry()`.
            user_hash_key: Key of the HMAC of user ids; by default the environment's `TRUEUP_USER_HASH_KEY`. Without
                one no user is logged.
            defaults: What holds for every call: `release`, `environment`, ….
        """
        self.writer = log if isinstance(log, LineWriter) else LineWriter(Path(log))
        key = user_hash_key or os.environ.get(USER_HASH_KEY_ENV, "").encode() or None
        if isinstance(prices, Path | str):
            watched = _WatchedPrices(Path(prices))
            self.writer.chores.append(watched.look)
            known_prices = watched.known
        else:
            known_prices = _constant(prices)
        if isinstance(gate, BackgroundWork):
            self.writer.errands.append(gate.work_in_background())
            self.writer.heirs.append(partial(_settle_recovered, gate))
        self._services = Services(self.writer, prices=known_prices, gate=gate, telemetry=telemetry, user_hash_key=key)
        self._defaults = defaults

    def request(self, **attributes: Unpack[CallAttributes]) -> Call:
        """Return a call to be made in a `with` block, synchronous or not.

        What is not said here, or is None, is taken from `context.bind`, then from the meter's defaults.

        Raises:
            TypeError: A name that no call has: a misspelt `tenant_id` would be unattributed cost.
        """
        if not _NAMES.issuperset(attributes):
            unknown = attributes.keys() - _NAMES
            raise TypeError(f"a call has no {', '.join(sorted(unknown))}; known: {', '.join(sorted(_NAMES))}")
        said = {name: value for name, value in attributes.items() if value is not None}
        return Call(self._services, {**self._defaults, **context.bound(), **said})

    def metered(self, **attributes: Unpack[CallAttributes]) -> Callable[[F], F]:
        """Decorate a function, synchronous or not, that returns a provider's answer or stream."""

        def decorate(function: F) -> F:
            if inspect.iscoroutinefunction(function):

                @functools.wraps(function)
                async def awaited(*args: Any, **kwargs: Any) -> Any:
                    async with self.request(**attributes) as call:
                        return call.take(await function(*args, **kwargs))

                return cast("F", awaited)

            @functools.wraps(function)
            def called(*args: Any, **kwargs: Any) -> Any:
                with self.request(**attributes) as call:
                    return call.take(function(*args, **kwargs))

            return cast("F", called)

        return decorate

    def counts(self) -> MeterCounts:
        """Return what became of the calls so far."""
        services = self._services
        return MeterCounts(self.writer.counts(), services.unpriced, services.users_dropped, services.mistakes)

    def flush(self, timeout_seconds: float = 5.0) -> bool:
        """Wait until every line is written; tell whether it is."""
        return self.writer.flush(timeout_seconds)

    def close(self, timeout_seconds: float = 5.0) -> bool:
        """Write what is queued and take nothing more; tell whether all of it is written."""
        return self.writer.close(timeout_seconds)


def _settle_recovered(gate: BackgroundWork, lines: list[bytes]) -> None:
    """Settle what dead processes had not yet; of a call that had not ended nobody knows the cost, and its hold ends."""
    for line in lines:
        fields = json.loads(line)
        if (cost_usd := fields.get("cost_usd")) is not None:
            nano_usd = int(Decimal(cost_usd).scaleb(9).to_integral_value(ROUND_CEILING))
            gate.settle_recovered(fields["request_id"], nano_usd, datetime.fromisoformat(fields["ts"]))


def _constant(prices: PriceFile | None) -> Callable[[], PriceFile | None]:
    return lambda: prices


class _WatchedPrices:
    """The price book of a path: read when the meter is made, and again, out of the way of calls, when it changes."""

    def __init__(self, path: Path) -> None:
        nothing: PriceFile | None = None
        self._file = WatchedFile(path, PriceFile.parse, nothing)
        self._known = self._file.current()

    def look(self) -> None:
        """Read the file if it has changed."""
        self._known = self._file.current()

    def known(self) -> PriceFile | None:
        """Return what was read last."""
        return self._known
