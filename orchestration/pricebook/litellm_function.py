"""LiteLLM's own cost function, in an environment of its own, to hold the price book against.

Belongs here: installing it and asking it. Does not belong here: what is asked (`against_litellm`), nor its price map,
which the book reads as a file (`litellm_source`).

It brings sixty packages and floors that fight with ours, so trueup neither installs nor imports it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from orchestration.environments import ProgramUnavailableError, environment
from orchestration.pricebook import litellm_answers
from orchestration.pricebook.litellm_source import MAP_NAME

REQUIREMENTS = Path(__file__).with_name("litellm-requirements.txt")
PYTHONS = ("3.11", "3.12")


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

    def __init__(self, folder: Path, version: str) -> None:
        """Install it there, unless it is.

        Args:
            folder: Of its virtual environment; made when missing.
            version: Release, which is also that of its price map.

        Raises:
            ProgramUnavailableError: When it cannot be installed, or the lock holds another release.
        """
        if f"litellm=={version} " not in REQUIREMENTS.read_text():
            raise ProgramUnavailableError(f"{REQUIREMENTS.name} does not hold litellm {version}; lock that release")
        self._environment = environment(folder, REQUIREMENTS, PYTHONS)

    @property
    def price_map(self) -> Path:
        """The price map that this release carries."""
        found = self._environment.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
        return Path(found) / "litellm" / MAP_NAME

    def costs(self, calls: Sequence[Call], at: datetime) -> list[float | None]:
        """Return USD of each call at that moment, None where it does not know the model.

        Raises:
            ProgramUnavailableError: When it cannot be run.
        """
        asked = json.dumps({"at": at.isoformat(), "calls": [asdict(call) for call in calls]})
        # The map that lies in the package, not the one of today.
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        variables["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        answered = self._environment.run("python", litellm_answers.__file__, variables=variables, given=asked)
        return cast(list[float | None], json.loads(answered))
