"""Running dbt commands, one after the other, and reading their results.

Belongs here: the process, its protocol, the lock on the warehouse. Does not belong here: which models and
days to ask for (`args`, `state`), and what Dagster is told about it (`orchestration/defs/warehouse.py`).

Why not dagster-dbt's resource: for each command it starts dbt twice (once to ask its version) and loads an
adapter in its own process; three commands then take 20 s before the first model runs (lab, 2 cores).
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from orchestration.settings import Settings
from orchestration.warehouse.args import project_arguments
from orchestration.warehouse.project import DBT_PROJECT, dbt_environment

NodeListener = Callable[[str, str], None]
"""Called with the event (`NodeStart`, `LogBatchResult`, `NodeFinished`) and the unique id of the node."""


class DbtError(Exception):
    """A dbt command did not run to its end; the message holds what dbt said."""


@dataclass(frozen=True)
class NodeResult:
    """What became of one model or data test.

    Attributes:
        unique_id: The node.
        status: dbt's word: `success`, `error`, `skipped`, `partial success`; for tests `pass`, `warn`,
            `fail`, `error`, `skipped`.
        seconds: Wall time.
        failures: Rows that a data test found; None for models.
        message: What dbt says about it.
    """

    unique_id: str
    status: str
    seconds: float
    failures: int | None
    message: str | None


@dataclass(frozen=True)
class CommandResult:
    """The results of one dbt command, in the order in which the nodes ended."""

    nodes: tuple[NodeResult, ...]
    success: bool


class DbtProcess:
    """A dbt process that is started when it is first needed and serves commands until `close`."""

    def __init__(self, settings: Settings, project: Path = DBT_PROJECT) -> None:
        self._settings = settings
        self._project = project
        self._worker: _Worker | None = None

    def serves(self, settings: Settings) -> bool:
        """Tell whether the process works for this installation."""
        return self._settings == settings

    def warm_up(self) -> None:
        """Start the process without waiting for it: it loads dbt and the project while sources are pulled."""
        if self._worker is None:
            self._worker = _Worker(self._settings)
            self._worker.send(self._request([]))

    def run(self, arguments: Sequence[str], on_node: NodeListener | None = None) -> CommandResult:
        """Run one dbt command and return what became of each node.

        Nodes that failed are results, not errors.

        Raises:
            DbtError: When dbt could not run the command, or its process died.
        """
        worker = self._worker = self._worker or _Worker(self._settings)
        for message in worker.ask(self._request(arguments)):
            if message["kind"] == "node" and on_node is not None:
                on_node(message["event"], message["unique_id"])
            if message["kind"] == "done":
                if message["error"] is not None:
                    raise DbtError(f"dbt {' '.join(arguments)}: {message['error']}")
                return CommandResult(
                    nodes=tuple(NodeResult(**node) for node in message["results"]), success=message["success"]
                )
        self._worker = None
        raise worker.died(arguments)

    def _request(self, arguments: Sequence[str]) -> Mapping[str, Sequence[str]]:
        return {
            "flags": ["--quiet", "--no-use-colors"],
            "arguments": list(arguments),
            "project": project_arguments(self._project, self._settings.home),
        }

    def close(self) -> None:
        """End the process; a closed one starts again when it is needed."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None


_QUIET = {"PYTHONWARNINGS": "ignore:resource_tracker"}
"""A process that is stopped while it loads dbt leaves two semaphores, which Python removes with a warning."""


class _Worker:
    """The process itself: requests go to its standard input, answers come from a pipe of their own."""

    def __init__(self, settings: Settings) -> None:
        self._log = settings.home / "dbt" / "logs" / "output.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        read_end, write_end = os.pipe()
        with self._log.open("a") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own arguments
                [sys.executable, "-m", "orchestration.warehouse.dbt_worker", str(write_end)],
                env={**os.environ, **dbt_environment(settings), **_QUIET},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=[write_end],
            )
        os.close(write_end)
        self._answers = os.fdopen(read_end)
        self._is_asked = False

    def send(self, request: Mapping[str, Sequence[str]]) -> None:
        """Send a request without waiting for its answer; one without arguments has none."""
        with suppress(BrokenPipeError):
            self._stdin.write(f"{json.dumps(request)}\n".encode())
            self._stdin.flush()

    def ask(self, request: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
        """Yield what the process answers, until it ends or the caller has heard enough."""
        self._is_asked = True
        self.send(request)
        for line in self._answers:
            yield json.loads(line)

    def died(self, arguments: Sequence[str]) -> DbtError:
        """Return the error for a process that ended in the middle of a command, and tidy up after it."""
        code = self._process.wait()
        self.close()
        tail = self._log.read_text(errors="replace").strip().splitlines()[-15:]
        return DbtError(
            "\n".join([f"dbt ended with code {code} during {' '.join(arguments)}; the end of {self._log}:", *tail])
        )

    def close(self) -> None:
        """Ask the process to end, and wait for it; one that was asked nothing holds nothing, and is stopped."""
        if not self._is_asked:
            self._process.terminate()
        with suppress(BrokenPipeError):
            self._stdin.close()
        self._answers.close()
        self._process.wait()

    @property
    def _stdin(self) -> IO[bytes]:
        stream = self._process.stdin
        if stream is None:
            raise DbtError("the dbt process was started without a standard input")
        return stream


_handed_over: list[DbtProcess] = []


def hand_over(process: DbtProcess) -> None:
    """Leave a process that has parsed the project to the next run in this process, which ends it."""
    _handed_over.append(process)


def take_over(settings: Settings) -> DbtProcess:
    """Return the process that was handed over, or a new one, not yet started."""
    while _handed_over:
        process = _handed_over.pop()
        if process.serves(settings):
            return process
        process.close()
    return DbtProcess(settings)


@contextmanager
def warehouse_lock(settings: Settings) -> Generator[None]:
    """Hold the warehouse file for one reader or writer; wait for others.

    Dagster's pool keeps ops of one instance apart; this lock also holds where no pool is configured, and
    between a command line and a daemon. DuckDB does not wait: of three parallel builds on one file two die
    (lab).
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "warehouse.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
