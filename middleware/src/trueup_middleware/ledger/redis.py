"""Accounts in Redis or Valkey, shared by all processes of an installation.

Belongs here: keys, and calling `redis.lua`. Does not belong here: arithmetic, and what to do when the store is
away (`guarded`).

Nothing but names of tenants, features and models, hashes of users, and numbers is stored. Every key expires.
All keys bear one hash tag, so that a cluster keeps them in one slot and the script may touch them together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from trueup_middleware.ledger.base import HOUR_MS, Balance, Claim, Granted, LedgerUnavailableError, Short
from trueup_middleware.ledger.memory import MARKER_MS

if TYPE_CHECKING:
    from redis import Redis


class RedisLedger:
    """A `Ledger` in Redis 6.2 or later, or Valkey.

    Args:
        client: A `redis.Redis` or `valkey.Valkey`. Its socket timeouts are what a call may wait at most.
        namespace: Installations that share a server have one each.
    """

    def __init__(self, client: Redis, namespace: str = "trueup") -> None:
        from redis.exceptions import RedisError  # noqa: PLC0415 - an optional dependency

        self._errors: tuple[type[Exception], ...] = (RedisError, OSError)
        self._prefix = f"{{{namespace}}}:"
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

    def reserve(self, reservation_id: str, claims: Sequence[Claim], now_ms: int) -> Granted | Short:
        """See `Ledger.reserve`."""
        keys = [key for claim in claims for key in self._keys(claim.account)]
        arguments: list[str | int] = ["reserve", now_ms, reservation_id]
        for claim in claims:
            limit = "" if claim.limit is None else claim.limit
            arguments += [claim.amount, limit, claim.held_until_ms, _kept_for(claim.kept_until_ms, now_ms)]
        answer = self._run(keys, arguments)
        if answer and answer[0] == "short":
            _, index, total, settled, next_end = answer
            return Short(int(index), int(total), int(settled), int(float(next_end)) if next_end else None)
        return Granted(tuple(int(total) for total in answer))

    def settle(self, reservation_id: str, claims: Sequence[Claim], actual: int, now_ms: int, started_ms: int) -> bool:
        """See `Ledger.settle`."""
        money = [claim for claim in claims if not claim.is_rate]
        return self._end(reservation_id, money, actual, now_ms, started_ms)

    def release(self, reservation_id: str, claims: Sequence[Claim], now_ms: int) -> bool:
        """See `Ledger.release`."""
        return self._end(reservation_id, claims, "", now_ms, now_ms)

    def correct(
        self, account: str, hours: range, settled_by_hour: Mapping[int, int], kept_until_ms: int, now_ms: int
    ) -> int:
        """See `Ledger.correct`."""
        arguments: list[str | int] = ["correct", now_ms, hours.start, hours.stop, _kept_for(kept_until_ms, now_ms)]
        for hour, settled in settled_by_hour.items():
            if hour in hours:
                arguments += [hour, settled]
        return sum(int(change) for change in self._run(self._keys(account), arguments))

    def balance(self, account: str, now_ms: int) -> Balance:
        """See `Ledger.balance`."""
        fields, holds = self._run(self._keys(account), ["balance", now_ms])
        found = {name: int(value) for name, value in zip(fields[::2], fields[1::2], strict=True)}
        return Balance(
            total=found.get("total", 0),
            settled=found.get("settled", 0),
            settled_by_hour={int(name[1:]): value for name, value in found.items() if name[0] == "h" and value},
            held=sum(int(member.rpartition(":")[2]) for member in holds),
        )

    def _end(
        self, reservation_id: str, claims: Sequence[Claim], actual: int | str, now_ms: int, started_ms: int
    ) -> bool:
        keys = [f"{self._prefix}ended:{reservation_id}"]
        arguments: list[str | int] = ["settle", now_ms, reservation_id, MARKER_MS, actual, started_ms // HOUR_MS]
        for claim in claims:
            keys += self._keys(claim.account)
            arguments += [claim.amount, _kept_for(claim.kept_until_ms, now_ms)]
        return bool(self._run(keys, arguments))

    def _keys(self, account: str) -> list[str]:
        return [f"{self._prefix}account:{account}", f"{self._prefix}holds:{account}"]

    def _run(self, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        try:
            return _text(self._script(keys=keys, args=arguments))
        except self._errors as error:
            raise LedgerUnavailableError(type(error).__name__) from error


def _kept_for(kept_until_ms: int, now_ms: int) -> int:
    return max(1, kept_until_ms - now_ms)


def _text(answer: Any) -> Any:
    """Decode what a client answers that was not told to decode."""
    if isinstance(answer, list):
        return [_text(value) for value in answer]  # pyright: ignore[reportUnknownVariableType]
    return answer.decode() if isinstance(answer, bytes) else answer
