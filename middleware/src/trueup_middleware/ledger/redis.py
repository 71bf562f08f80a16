"""Accounts in Redis or Valkey, shared by all processes of an installation.

Belongs here: keys, and calling `redis.lua`. Does not belong here: arithmetic, and what to do when the store is
away (`guarded`).

Nothing but names of tenants, features and models, hashes of users, and numbers is stored. Every key expires.
All keys bear one hash tag, so that a cluster keeps them in one slot and the script may touch them together.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from trueup_middleware.ledger.base import (
    HOUR_MS,
    MARKER_MS,
    RATE_MS,
    Balance,
    Claim,
    Granted,
    LedgerUnavailableError,
    Settlement,
    Short,
)

if TYPE_CHECKING:
    from redis import Redis

_SHORT = ("short", b"short")


class RedisLedger:
    """A `Ledger` in Redis 6.2 or later, or Valkey.

    Args:
        client: A `redis.Redis` or `valkey.Valkey`. Its socket timeouts are what a call may wait at most.
        namespace: Installations that share a server have one each.
    """

    def __init__(self, client: Redis, namespace: str = "trueup") -> None:
        from redis.exceptions import NoScriptError, RedisError  # noqa: PLC0415 - an optional dependency

        self._unknown_script: type[Exception] = NoScriptError
        self._errors: tuple[type[Exception], ...] = (RedisError, OSError)
        self._client = client
        prefix = f"{{{namespace}}}:"
        self._ends, self._holds = f"{prefix}ends", f"{prefix}holds"
        self._account, self._requests, self._marker = f"{prefix}account:", f"{prefix}requests:", f"{prefix}ended:"
        self._script: Any = client.register_script((files("trueup_middleware.ledger") / "redis.lua").read_text())

    @classmethod
    def from_url(cls, url: str, *, timeout_seconds: float = 0.05, namespace: str = "trueup") -> RedisLedger:
        """Connect to `redis://…` or `rediss://…`; nothing is sent before the first call.

        A connection that the server has closed meanwhile, as in a restart, is opened once more. A server that does
        not answer in `timeout_seconds` is not asked twice.
        """
        from redis import Redis  # noqa: PLC0415 - an optional dependency
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.exceptions import ConnectionError as LostError  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        client = Redis.from_url(
            url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 1, supported_errors=(LostError,)),
            decode_responses=True,
        )
        return cls(client, namespace)

    def reserve(
        self, reservation_id: str, claims: Sequence[Claim], amount: int, held_until_ms: int, now_ms: int
    ) -> Granted | Short:
        """See `Ledger.reserve`."""
        rates: list[int] = []
        money: list[int] = []
        for index, claim in enumerate(claims):
            (rates if claim.is_rate else money).append(index)
        order = [*rates, *money]
        keys = [self._ends, self._holds]
        kept_until_ms = held_until_ms
        limits: list[str | int] = []
        for index in order:
            name, limit, until_ms, is_rate = claims[index]
            keys.append((self._requests if is_rate else self._account) + name)
            limits.append("" if limit is None else limit)
            if not is_rate:
                limits.append(until_ms)
                kept_until_ms = max(kept_until_ms, until_ms)
        answer = self._run(
            keys,
            ["reserve", now_ms, reservation_id, amount, held_until_ms, kept_until_ms, RATE_MS, len(rates), *limits],
        )
        if answer and answer[0] in _SHORT:
            _, place, total, fields, next_end = answer
            settled = sum(_settled_by_hour(fields).values())
            return Short(order[place], int(total), settled, int(float(next_end)) if next_end else None)
        totals = [0] * len(order)
        for index, total in zip(order, answer, strict=True):
            totals[index] = int(total)
        return Granted(tuple(totals))

    def settle(self, settlements: Sequence[Settlement], now_ms: int) -> list[bool]:
        """See `Ledger.settle`; all of them in one round trip."""
        questions: list[tuple[list[str], list[str | int]]] = []
        for reservation_id, claims, actual, started_ms in settlements:
            keys = self._keys_of(reservation_id)
            arguments: list[str | int] = ["settle", now_ms, reservation_id, MARKER_MS, actual, started_ms // HOUR_MS]
            for name, _, until_ms, is_rate in claims:
                if not is_rate:
                    keys.append(self._account + name)
                    arguments.append(until_ms)
            questions.append((keys, arguments))
        with self._answering():
            if len(questions) == 1:
                return [bool(self._script(*questions[0]))]
            try:
                return [bool(done) for done in self._run_all(questions)]
            except self._unknown_script:
                self._script.sha = self._client.script_load(self._script.script)
                return [bool(done) for done in self._run_all(questions)]

    def settle_held(self, reservation_id: str, actual: int, now_ms: int, started_ms: int) -> bool:
        """See `Ledger.settle_held`."""
        arguments = ["settle_held", now_ms, reservation_id, MARKER_MS, actual, started_ms // HOUR_MS]
        return bool(self._run(self._keys_of(reservation_id), arguments))

    def release(self, reservation_id: str, claims: Sequence[Claim], now_ms: int) -> bool:
        """See `Ledger.release`."""
        rates = (self._requests + claim.account for claim in claims if claim.is_rate)
        keys = [*self._keys_of(reservation_id), *rates]
        return bool(self._run(keys, ["release", now_ms, reservation_id, MARKER_MS]))

    def correct(
        self, account: str, hours: range, settled_by_hour: Mapping[int, int], kept_until_ms: int, now_ms: int
    ) -> int:
        """See `Ledger.correct`."""
        arguments: list[str | int] = ["correct", now_ms, hours.start, hours.stop, kept_until_ms]
        for hour, settled in settled_by_hour.items():
            if hour in hours:
                arguments += [hour, settled]
        return sum(int(change) for change in self._run([self._account + account], arguments))

    def balance(self, account: str, now_ms: int) -> Balance:
        """See `Ledger.balance`."""
        fields = self._run([self._account + account, self._ends, self._holds], ["balance", now_ms])
        by_hour = _settled_by_hour(fields)
        total, settled = int(dict(_pairs(fields)).get("total", 0)), sum(by_hour.values())
        return Balance(total, settled, {hour: amount for hour, amount in by_hour.items() if amount}, total - settled)

    def _keys_of(self, reservation_id: str) -> list[str]:
        return [self._marker + reservation_id, self._ends, self._holds]

    def _run_all(self, questions: Sequence[tuple[list[str], list[str | int]]]) -> list[Any]:
        # Not `self._script(…, pipeline)`: a pipeline with scripts asks first which of them the server knows.
        with self._client.pipeline(transaction=False) as pipeline:
            for keys, arguments in questions:
                pipeline.evalsha(self._script.sha, len(keys), *keys, *arguments)
            return pipeline.execute()

    def _run(self, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        with self._answering():
            return self._script(keys, arguments)

    @contextmanager
    def _answering(self) -> Generator[None]:
        try:
            yield
        except self._errors as error:
            raise LedgerUnavailableError(type(error).__name__) from error


def _pairs(fields: Sequence[str | bytes]) -> Iterator[tuple[str, str]]:
    """Yield the fields of a hash, whether or not the client was told to decode."""
    texts = [each.decode() if isinstance(each, bytes) else each for each in fields]
    return zip(texts[::2], texts[1::2], strict=True)


def _settled_by_hour(fields: Sequence[str | bytes]) -> dict[int, int]:
    return {int(name[1:]): int(value) for name, value in _pairs(fields) if name[0] == "h"}
