"""Runs the tests of this folder in the clients' own environment, with the library as it lies here."""

from __future__ import annotations

import os
import subprocess
import sys

from orchestration.environments import ProgramUnavailableError
from orchestration.settings import PROJECT_ROOT
from tests_clients.place import clients_environment


def main() -> int:
    """Run pytest there and return its code."""
    try:
        program = clients_environment()
    except ProgramUnavailableError as error:
        print(f"the clients are not checked: {error}", file=sys.stderr)
        return 1
    variables = {
        **os.environ,
        "PYTHONPATH": str(PROJECT_ROOT / "middleware" / "src"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would fetch its prices otherwise
    }
    command = [program.folder / "bin" / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests_clients"]
    return subprocess.run(command, cwd=PROJECT_ROOT, env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
