"""LiteLLM's own cost function, in an environment of its own, to hold the price book against.

Belongs here: installing it and asking it. Does not belong here: what is asked (`against_litellm`), nor its price map,
which the book reads as a file (`litellm_source`).

It brings sixty packages and floors that fight with ours, so trueup neither installs nor imports it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, cast

from orchestration.pricebook import litellm_answers
from orchestration.pricebook.litellm_source import MAP_NAME

# Its floor of certifi was a release of the same week (litellm 1.109.1), which a registry's mirror may not have yet;
# nothing that is asked here opens a connection.
_REQUIREMENTS: Final = """
from importlib.metadata import requires
named = [line for line in requires("litellm") or [] if "extra ==" not in line and not line.startswith("certifi")]
print("\\n".join(named))
"""


class LitellmUnavailableError(Exception):
    """LiteLLM cannot be installed or run here; the message says why."""


@dataclass(frozen=True)
class Call:
    """One request as LiteLLM is asked about it.

    Attributes:
        key: Key of its price map.
        provider: Its name of the provider.
        service_tier: One of the book's tiers.
        usage: Disjoint classes → tokens: input, cache_read, cache_write_5m, _30m, _1h, output.
    """

    key: str
    provider: str
    service_tier: str
    usage: Mapping[str, int]


class LitellmFunction:
    """One version of LiteLLM, installed in a folder."""

    def __init__(self, environment: Path, version: str) -> None:
        """Install it there, unless it is.

        Args:
            environment: Folder of its virtual environment; made when missing.
            version: Release, which is also that of its price map.

        Raises:
            LitellmUnavailableError: When it cannot be installed.
        """
        self._python = environment / "bin" / "python"
        installed = environment / f"installed-{version}"
        if not installed.exists():
            shutil.rmtree(environment, ignore_errors=True)
            _output([sys.executable, "-m", "venv", str(environment)])
            pip = [str(self._python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _output([*pip, "--no-deps", f"litellm=={version}"])
            _output([*pip, *_output([str(self._python), "-c", _REQUIREMENTS]).splitlines()])
            installed.touch()

    @property
    def price_map(self) -> Path:
        """The price map that this release carries."""
        found = _output([str(self._python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
        return Path(found) / "litellm" / MAP_NAME

    def costs(self, calls: Sequence[Call], at: datetime) -> list[float | None]:
        """Return USD of each call at that moment, None where it does not know the model.

        Raises:
            LitellmUnavailableError: When it cannot be run.
        """
        asked = json.dumps({"at": at.isoformat(), "calls": [asdict(call) for call in calls]})
        return cast(list[float | None], json.loads(_output([str(self._python), litellm_answers.__file__], asked)))


def _output(command: list[str], given: str | None = None) -> str:
    # The map that lies in the package, not the one of today.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    try:
        done = subprocess.run(  # noqa: S603 - assembled here
            command, input=given, capture_output=True, text=True, check=False, env=environment
        )
    except OSError as error:
        raise LitellmUnavailableError(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        raise LitellmUnavailableError(f"{' '.join(command)[:200]}:\n{done.stderr.strip()[-1000:]}")
    return done.stdout.strip()
