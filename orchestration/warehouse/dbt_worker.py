"""A process that holds dbt ready: imported once, asked many times.

Belongs here: the far end of `runner.DbtProcess`. It reads one JSON request a line, `{"flags": [...],
"arguments": [...], "project": [...]}`, from standard input and answers on the descriptor named by its only argument
with one JSON object a line: `node` when a node begins or ends, `done` with the results of a command.
Does not belong here: any decision about what to build.

Why a process of its own: dbt keeps global state and DuckDB its memory; both end with this process. Why one
process for all commands: importing dbt takes 4 s, loading the parsed project 2 s, a further command 0.3 s (lab).
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, TextIO

from dbt.cli.main import dbtRunner, dbtRunnerResult

_UNWRITTEN = "--no-write-json"
"""Only a parse writes `manifest.json`: others read it meanwhile, and it takes half a second."""


def main(answers: TextIO) -> None:
    """Serve requests until standard input ends."""

    def say(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    def on_event(event: Any) -> None:
        name = event.info.name
        if name in ("NodeStart", "LogBatchResult", "NodeFinished"):
            say(kind="node", event=name, unique_id=event.data.node_info.unique_id)

    manifest: Any = None
    for line in sys.stdin:
        request = json.loads(line)
        is_parse = request["arguments"] == ["parse"]
        flags = request["flags"] if is_parse else [*request["flags"], _UNWRITTEN]
        command: list[str] = [*flags, *request["arguments"], *request["project"]]
        if manifest is None and not is_parse:
            # Kept for all commands: each would read the parsed project anew, in 2 s.
            manifest = dbtRunner().invoke([*request["flags"], _UNWRITTEN, "parse", *request["project"]]).result
        runner: Any = dbtRunner(manifest=None if is_parse else manifest, callbacks=[on_event])
        result: dbtRunnerResult = runner.invoke(command)
        if is_parse:
            manifest = result.result
        _release_warehouse()
        say(
            kind="done",
            success=result.success,
            error=None if result.exception is None else str(result.exception),
            results=[_node_result(node) for node in getattr(result.result, "results", [])],
        )


def _release_warehouse() -> None:
    """Close the warehouse file, so that others can open it between two commands.

    dbt-duckdb keeps the database open as long as its process lives.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415

    environment = DuckDBConnectionManager._ENV  # pyright: ignore[reportPrivateUsage]
    if environment is not None:
        environment.close()
    DuckDBConnectionManager.close_all_connections()


def _node_result(result: Any) -> dict[str, Any]:
    return {
        "unique_id": result.node.unique_id,
        "status": str(result.status),
        "seconds": result.execution_time,
        "failures": result.failures,
        "message": result.message,
    }


if __name__ == "__main__":
    with os.fdopen(int(sys.argv[1]), "w") as stream:
        main(stream)
