"""The dbt project as data: its manifest, which of its models each op builds, and what those are made of.

Belongs here: reading `manifest.json`, writing it when the project has changed, and the code's fingerprints.
Does not belong here: Dagster (see `assets`), running models (see `runner`), and what has landed (see
`state`).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.warehouse.parse_cache import cache_of, keep, take

if TYPE_CHECKING:
    from orchestration.warehouse.runner import DbtProcess

DBT_PROJECT = PROJECT_ROOT / "dbt_project"

_NOT_PROJECT_CODE = frozenset({"target", "logs", "dbt_packages"})
_VARIABLE = re.compile(r"""\bvar\(\s*['"](\w+)""")
_PARSERS = ("dbt-core", "dbt-adapters", "dbt-duckdb")


class DbtOp(StrEnum):
    """The three dbt ops, by the tag of a model. Never mixed: a roll-up would be recorded as one day."""

    REFERENCE = "reference"
    """Prices, names and the views over landing: without partitions, needed before any day."""
    DAILY = "daily"
    """Facts and cubes by UTC day."""
    ROLLUP = "rollup"
    """What stands above the cubes, the dimensions and the alerts."""


class DbtProjectError(Exception):
    """The dbt project cannot be used as it is; the message says what to mend."""


@dataclass(frozen=True)
class OpInputs:
    """What the rows of one op are made of.

    Attributes:
        code: Fingerprint of the SQL, macros and variables that reach the op's tables.
        sources: `(dbt source, table)` pairs that the op's tables read, directly or through views.
    """

    code: str
    sources: frozenset[tuple[str, str]]

    def tables_of(self, source_name: str) -> frozenset[str]:
        """Return the tables read from one dbt source, such as `landing`."""
        return frozenset(table for name, table in self.sources if name == source_name)


class DbtManifest:
    """A parsed `manifest.json`, with the questions that the orchestration asks of it."""

    def __init__(self, content: Mapping[str, Any], path: Path, variables: Mapping[str, Any]) -> None:
        self._content = content
        self.variables = variables
        self.path = path

    @classmethod
    def read(cls, path: Path, project: Path = DBT_PROJECT) -> DbtManifest:
        """Read `manifest.json` from `path`, and the variables, which it does not hold, from its project."""
        variables = yaml.safe_load((project / "dbt_project.yml").read_bytes()).get("vars", {})
        return cls(json.loads(path.read_bytes()), path, variables)

    @cached_property
    def models(self) -> Mapping[str, Mapping[str, Any]]:
        """Models by unique id."""
        nodes: Mapping[str, Mapping[str, Any]] = self._content["nodes"]
        return {key: node for key, node in nodes.items() if node["resource_type"] == "model"}

    @cached_property
    def data_tests(self) -> Mapping[str, Mapping[str, Any]]:
        """Data tests by unique id."""
        nodes: Mapping[str, Mapping[str, Any]] = self._content["nodes"]
        return {key: node for key, node in nodes.items() if node["resource_type"] == "test"}

    @property
    def sources(self) -> Mapping[str, Mapping[str, Any]]:
        """Sources by unique id."""
        return self._content["sources"]

    @property
    def exposures(self) -> Mapping[str, Mapping[str, Any]]:
        """Readers of models by unique id."""
        return self._content["exposures"]

    @property
    def groups(self) -> Mapping[str, Mapping[str, Any]]:
        """Groups by unique id."""
        return self._content["groups"]

    @cached_property
    def op_of_model(self) -> Mapping[str, DbtOp]:
        """The op that builds each model, by unique id.

        A folder may tag all its models and one of them may name another op: the more particular op wins.

        Raises:
            DbtProjectError: When a model carries none of the tags, or reads a model that is built after it.
        """
        ops: dict[str, DbtOp] = {}
        for key, node in self.models.items():
            tagged = [op for op in (DbtOp.DAILY, DbtOp.ROLLUP, DbtOp.REFERENCE) if op in node["tags"]]
            if not tagged:
                raise DbtProjectError(
                    f"the model {node['name']} ({node['original_file_path']}) says in no tag "
                    f"when it is built; give it one of {', '.join(DbtOp)}"
                )
            ops[key] = tagged[0]
        order = list(DbtOp)
        for key, node in self.models.items():
            for parent in self._parents(node):
                if parent in ops and order.index(ops[parent]) > order.index(ops[key]):
                    raise DbtProjectError(
                        f"the model {node['name']} is built by the op {ops[key]} and reads "
                        f"{self.models[parent]['name']}, which the later op {ops[parent]} builds"
                    )
        return ops

    def models_of(self, op: DbtOp) -> Mapping[str, Mapping[str, Any]]:
        """Return the models that `op` builds, by unique id, parents before children."""
        return {key: self.models[key] for key in self._order if self.op_of_model[key] is op}

    @cached_property
    def _order(self) -> tuple[str, ...]:
        graph = {
            key: [parent for parent in self._parents(node) if parent in self.models]
            for key, node in sorted(self.models.items())
        }
        return tuple(TopologicalSorter(graph).static_order())

    def levels_of(self, op: DbtOp) -> Mapping[str, int]:
        """Return how many tables of the same op stand under each model of `op`, at most, by unique id."""
        levels: dict[str, int] = {}
        for key, node in self.models_of(op).items():
            below = max((levels[parent] for parent in self._parents(node) if parent in levels), default=0)
            levels[key] = below + (node["config"]["materialized"] != "view")
        return levels

    def tests_of(self, op: DbtOp) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """Return `{test id: (model id, test)}` for the data tests that run with `op`.

        A test belongs to the model it is attached to, and runs when the last of the models it reads is built.
        Tests of sources only (without a model) belong to no op.
        """
        order = list(DbtOp)
        tests: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for key, node in self.data_tests.items():
            read = [parent for parent in self._parents(node) if parent in self.models]
            if not read:
                continue
            last = max(read, key=lambda parent: order.index(self.op_of_model[parent]))
            if self.op_of_model[last] is not op:
                continue
            attached = node.get("attached_node")
            owner = attached if attached in read and self.op_of_model[attached] is op else last
            tests[key] = (owner, node)
        return tests

    def parents(self, key: str) -> list[str]:
        """Return the unique ids of the models and sources that a model reads."""
        return self._parents(self.models[key])

    @cached_property
    def inputs(self) -> Mapping[DbtOp, OpInputs]:
        """What the tables of each op are made of: their own code and that of every view under them.

        Views hold no rows, so a view alone has nothing that could be stale but its code.
        """
        return {op: self._inputs_of(op) for op in DbtOp}

    def _inputs_of(self, op: DbtOp) -> OpInputs:
        owned = self.models_of(op)
        code = set(owned)
        sources: set[tuple[str, str]] = set()
        queue = [key for key, node in owned.items() if node["config"]["materialized"] != "view"]
        seen = set(queue)
        while queue:
            key = queue.pop()
            code.add(key)
            for parent in self._parents(self.models[key]):
                if parent in self.sources:
                    source = self.sources[parent]
                    sources.add((source["source_name"], source["name"]))
                elif parent in self.models and parent not in seen:
                    seen.add(parent)
                    queue.append(parent)
        return OpInputs(code=self._code_fingerprint(code), sources=frozenset(sources))

    def _code_fingerprint(self, keys: Iterable[str]) -> str:
        digest = hashlib.sha256()
        for key in sorted(keys):
            node = self.models[key]
            # `meta`, descriptions and tests do not change a row; everything else of the configuration may.
            config = {name: value for name, value in node["config"].items() if name not in ("meta", "docs", "tags")}
            variables = self._variables_in(node["raw_code"])
            digest.update(json.dumps([key, node["checksum"], config, variables], sort_keys=True, default=str).encode())
        macros: Mapping[str, Mapping[str, Any]] = self._content["macros"]
        project = self._content["metadata"]["project_name"]
        for key in sorted(macros):
            if macros[key]["package_name"] == project:
                sql = macros[key]["macro_sql"]
                digest.update(json.dumps([key, sql, self._variables_in(sql)], sort_keys=True, default=str).encode())
        return digest.hexdigest()

    def _variables_in(self, code: str) -> dict[str, Any]:
        return {name: self.variables.get(name) for name in _VARIABLE.findall(code)}

    @staticmethod
    def _parents(node: Mapping[str, Any]) -> list[str]:
        return list(node["depends_on"]["nodes"])


def project_manifest(settings: Settings) -> DbtManifest:
    """Return the parsed project as its files are now.

    Everything that loads the code location asks, five modules in one start; the file is read once for all of them.

    Raises:
        DbtProjectError: When dbt cannot parse the project; the message holds what dbt said.
    """
    path = prepared_manifest(settings)
    return _read_once(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read_once(path: Path, _modified_ns: int) -> DbtManifest:
    return DbtManifest.read(path)


def project_fingerprint(project: Path) -> str:
    """Return a hash over every file of the dbt project and the versions of what parses it."""
    digest = hashlib.sha256()
    for distribution in _PARSERS:
        digest.update(f"{distribution} {version(distribution)}".encode() + b"\0")
    for path in sorted(_project_files(str(project))):
        digest.update(path.removeprefix(f"{project}/").encode() + b"\0")
        # As text, and not as paths: 200 files, six times in every start, took 130 ms.
        with open(path, "rb") as file:  # noqa: PTH123
            digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()


def dbt_environment(settings: Settings) -> dict[str, str]:
    """Return the environment variables that the dbt project reads, with absolute paths."""
    return {
        "TRUEUP_HOME": str(settings.home),
        "TRUEUP_PRICING": str(settings.pricing),
        "TRUEUP_AS_KNOWN_AT": settings.as_known_at.isoformat() if settings.as_known_at else "",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def prepared_manifest(settings: Settings, project: Path = DBT_PROJECT, process: DbtProcess | None = None) -> Path:
    """Return the path of a `manifest.json` that matches the project's files, parsing only when they changed.

    The file lies under `TRUEUP_HOME/dbt`, so that the project itself may be read-only. It is the same for every home
    (see `dbt_worker`), so a home that has none takes the newest one of the checkout.

    Args:
        settings: The installation.
        project: The dbt project.
        process: What parses, if need be; it then knows the project and need not read it again.

    Raises:
        DbtProjectError: When dbt cannot parse the project; the message holds what dbt said.
    """
    target = _target(settings)
    manifest = target / "manifest.json"
    stamp = settings.home / "dbt" / "manifest.fingerprint"
    fingerprint = project_fingerprint(project)
    if manifest.exists() and stamp.exists() and stamp.read_text() == fingerprint:
        return manifest
    with _exclusive(settings.home / "dbt" / "parse.lock"):
        if manifest.exists() and stamp.exists() and stamp.read_text() == fingerprint:
            return manifest
        stamp.unlink(missing_ok=True)
        if take(cache_of(project), target) != fingerprint:
            _parse(settings, project, process)
            keep(cache_of(project), target, fingerprint)
        stamp.write_text(fingerprint)
    return manifest


def parse_anew(project: Path = DBT_PROJECT) -> None:
    """Parse the project as if it had never been parsed, and keep that for the homes that start from it.

    Raises:
        DbtProjectError: When dbt cannot parse the project; the message holds what dbt said.
    """
    with TemporaryDirectory(prefix="trueup-parse-") as folder:
        home = Settings(home=Path(folder))
        _parse(home, project, None)
        keep(cache_of(project), _target(home), project_fingerprint(project))


def _target(settings: Settings) -> Path:
    return settings.home / "dbt" / "target"


def _parse(settings: Settings, project: Path, process: DbtProcess | None) -> None:
    from orchestration.warehouse.runner import DbtError, DbtProcess  # noqa: PLC0415 - it needs this module

    own = process or DbtProcess(settings, project)
    try:
        own.run(["parse"])
    except DbtError as error:
        raise DbtProjectError(f"dbt cannot parse {project}:\n{error}") from error
    finally:
        if process is None:
            own.close()


def _project_files(project: str) -> Iterator[str]:
    for folder, folders, files in os.walk(project):
        folders[:] = [name for name in folders if name not in _NOT_PROJECT_CODE]
        for name in files:
            if name.endswith((".sql", ".yml", ".yaml", ".csv", ".md")):
                yield f"{folder}/{name}"


@contextmanager
def _exclusive(lock: Path) -> Generator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
