"""A small sample company on which the main job has run once, for every test that wants to look at the result."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

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
    """

    home: Path
    first_output: str

    def trueup(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command line in a process of its own, as a user does."""
        inherited = {name: value for name, value in os.environ.items() if name not in _OWN_VARIABLES}
        return subprocess.run(
            [sys.executable, "-c", "from orchestration.cli import app; app()", *arguments],
            env={**inherited, "TRUEUP_HOME": str(self.home), "COLUMNS": "160", **environment},
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


@pytest.fixture(scope="session")
def small_company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """A company of 8 days and 3,000 requests on which the main job has run. Look, and leave it as it is.

    The workers of one test run share it.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    home, output = shared / "small_company", shared / "small_company.out"
    with _exclusive(shared / "small_company.lock"):
        company = Company(home, output.read_text() if output.exists() else "")
        if not output.exists():
            generated = company.trueup("sample", "--days", str(DAYS), "--requests", "3000")
            assert generated.returncode == 0, generated.stdout + generated.stderr
            company.bill("openai", 1, company.restated_day("openai"))
            ran = company.trueup("run")
            output.write_text(f"{ran.returncode}\n{ran.stdout}\n{ran.stderr}")
            company = Company(home, output.read_text())
    return company


@pytest.fixture
def changing_company(small_company: Company, tmp_path: Path) -> Company:
    """A copy of the small company that a test may change."""
    shutil.copytree(small_company.home, tmp_path / "home", symlinks=True)
    return Company(tmp_path / "home", "")


@contextmanager
def _exclusive(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
