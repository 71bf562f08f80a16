"""A process that holds dbt ready: imported once, asked many times.

Belongs here: the far end of `runner.DbtProcess`. It reads one JSON request a line, `{"flags": [...],
"arguments": [...], "project": [...]}`, from standard input and answers on the descriptor named by its only argument
with one JSON object a line: `node` when a node begins or ends, `done` with the results of a command. A request without
arguments loads the project and is not answered.
Does not belong here: any decision about what to build.

The project is parsed for no home: a parse does not see the variables of an installation, and the folders that sources
read are put in afterwards, in memory. Otherwise dbt would parse everything anew for another home, because the path of
the warehouse is part of the profile that it compares a saved parse with.

Why a process of its own: dbt keeps global state and DuckDB its memory; both end with this process. Why one
process for all commands: importing dbt takes 4 s, loading the parsed project 2 s, a further command 0.3 s (lab).
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest

_UNWRITTEN = "--no-write-json"
"""Only a parse writes `manifest.json`: others read it meanwhile, and it takes half a second."""

_PLACES = ("TRUEUP_HOME", "TRUEUP_PRICING")
_LOCATION = "external_location"


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
        parsed: dbtRunnerResult | None = None
        if manifest is None or is_parse:
            # Kept for all commands: each would read the parsed project anew, in 2 s.
            parsed = parse([*flags, "parse", *request["project"]])
            manifest = parsed.result
        if not request["arguments"]:
            continue
        if parsed is not None and (is_parse or not parsed.success):
            result = parsed
        else:
            runner: Any = dbtRunner(manifest=manifest, callbacks=[on_event])
            result = runner.invoke([*flags, *request["arguments"], *request["project"]])
        _release_warehouse()
        say(
            kind="done",
            success=result.success,
            error=None if result.exception is None else str(result.exception),
            results=[_node_result(node) for node in getattr(result.result, "results", [])],
        )


def parse(command: Sequence[str]) -> dbtRunnerResult:
    """Parse the project for no home, and return it as it is for the one that the environment names.

    What dbt writes holds no path of a home, so every other home may start from it.
    """
    with _no_installation() as own:
        result = dbtRunner().invoke(list(command))
    if isinstance(result.result, Manifest):
        _settle(result.result, {f"/{name}": own[name] for name in _PLACES})
    return result


@contextmanager
def _no_installation() -> Generator[Mapping[str, str]]:
    """Take the product's variables out of the environment, and yield them; folders have their own name as a path."""
    own = {name: value for name, value in os.environ.items() if name.startswith("TRUEUP_")}
    for name in own:
        del os.environ[name]
    os.environ.update({name: f"/{name}" for name in _PLACES})
    try:
        yield own
    finally:
        for name in _PLACES:
            del os.environ[name]
        os.environ.update(own)


def _settle(manifest: Manifest, places: Mapping[str, str]) -> None:
    """Put folders in the place of their names where sources say which files they read."""
    name = re.compile("|".join(places))

    def settled(text: str) -> str:
        return name.sub(lambda match: places[match[0]], text)

    for source in manifest.sources.values():
        if source.relation_name is not None:
            source.relation_name = settled(source.relation_name)
        found = (source.meta, source.config.meta, source.config.extra)
        for properties in {id(each): each for each in found if _LOCATION in each}.values():
            properties[_LOCATION] = settled(properties[_LOCATION])


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
