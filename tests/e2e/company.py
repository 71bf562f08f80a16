"""A small sample company: where it lies, the command line on it, and what it was built from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from orchestration.settings import Settings

DAYS = 8
LAST_DAY = date(2026, 10, 31)

_OWN_VARIABLES = ("TRUEUP_SOURCES", "TRUEUP_START_DATE", "TRUEUP_AS_KNOWN_AT", "TRUEUP_PRICING", "PYTEST_CURRENT_TEST")


@dataclass(frozen=True)
class Company:
    """One `TRUEUP_HOME` and the command line on it.

    Attributes:
        home: The folder.
        first_output: What the run that built it printed.
        environment: Further variables of its environment.
    """

    home: Path
    first_output: str
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    def trueup(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command line in a process of its own, as a user does."""
        inherited = {name: value for name, value in os.environ.items() if name not in _OWN_VARIABLES}
        return subprocess.run(
            [sys.executable, "-c", "from orchestration.cli import app; app()", *arguments],
            env={**inherited, "TRUEUP_HOME": str(self.home), "COLUMNS": "160", **self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def settings(self) -> Settings:
        """Where its parts lie."""
        return Settings(home=self.home)

    @property
    def version(self) -> str:
        """The published version that readers see."""
        return (self.home / "published" / "marts.duckdb").resolve().name

    @property
    def built_days(self) -> Mapping[str, str]:
        """Fingerprint of each day that was built."""
        return json.loads(self.settings.warehouse_state.read_text())["days"]

    def bill(self, provider: str, revision: int, day: date) -> None:
        """Let a provider answer for a day as it did at first (revision 1) or as it does after restating it (2)."""
        path = self.home / "sample" / "bills" / f"{provider}.json"
        kept = path.with_suffix(".full")
        if not kept.exists():
            shutil.copyfile(path, kept)
        full = json.loads(kept.read_text())
        if revision == 1:
            full["days"][day.isoformat()] = full["revisions"]["1"][day.isoformat()]
        path.write_text(json.dumps(full))

    def restated_day(self, provider: str) -> date:
        """The day whose bill the provider restates."""
        content = json.loads((self.home / "sample" / "bills" / f"{provider}.json").read_text())
        return date.fromisoformat(min(content["revisions"]["1"]))
