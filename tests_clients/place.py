"""Where the clients' environment lies; `benchmarks.middleware` finds LiteLLM in it too."""

from __future__ import annotations

from pathlib import Path

from orchestration.environments import Environment, environment
from orchestration.settings import PROJECT_ROOT

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def clients_environment() -> Environment:
    """Return it, made from nothing by hashes when it is not there.

    Raises:
        ProgramUnavailableError: There is no Python for it, or its packages cannot be installed.
    """
    return environment(PROJECT_ROOT / "data" / "environments" / "clients", REQUIREMENTS, ["3.11", "3.12"])
