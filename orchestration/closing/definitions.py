"""What made the figures: the version of the definitions and of the code.

Belongs here: naming them. Does not belong here: comparing what they made.
"""

from __future__ import annotations

import subprocess
from importlib.metadata import PackageNotFoundError, version

import duckdb

from orchestration.settings import PROJECT_ROOT
from orchestration.warehouse.project import DbtManifest, DbtOp
from orchestration.warehouse.state import fingerprint


def definition_version(manifest: DbtManifest) -> str:
    """Return a hash over the SQL and macros of every model: equal versions define every figure alike."""
    return fingerprint(manifest.inputs[op].code for op in DbtOp)


def code_version() -> dict[str, str | None]:
    """Return the versions of the package, of the engine, and the commit of this checkout, NULL outside of one.

    A commit with `-dirty` behind it had changes that nobody committed.
    """
    try:
        package = version("trueup")
    except PackageNotFoundError:
        package = None
    return {"trueup": package, "commit": _commit(), "duckdb": duckdb.__version__}


def _commit() -> str | None:
    if not (PROJECT_ROOT / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],  # noqa: S607 - whichever git there is
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return described.stdout.strip() or None
