"""A small sample company on which the main job has run once, for every test that wants to look at the result."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from company import DAYS, Company
from metered_app import MeteredApp, metered_app
from real_inputs import SHARED, build_recordings, build_spans
from test_real_openai_client import LandedClient, land_real_client_spans

# Recordings lie beside a checkout, not in it.
collect_ignore = [] if SHARED.is_dir() else ["test_public_recordings.py"]


@pytest.fixture(scope="session")
def real_client(tmp_path_factory: pytest.TempPathFactory) -> LandedClient:
    """The spans of the real client, and what its provider counted."""
    return land_real_client_spans(tmp_path_factory.mktemp("real_client"))


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeteredApp]:
    """An application with the library, going by the limits and switches of `spans`."""
    folder = tmp_path_factory.mktemp("spans")
    with metered_app(folder, folder / "home" / "limits") as app:
        yield app


@pytest.fixture(scope="session")
def spans(real_client: LandedClient, application: MeteredApp) -> Company:
    """An installation on the client's spans, the recorded ones, and an application's log. Look, and leave it as it is.

    Its tests share a group of xdist's, so that it is built once.
    """
    application.answer("acme")
    application.index("word " * 250_000)
    assert application.meter.flush()
    return build_spans(application.logs.parent, real_client.spans_file, application)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """An installation on what a gateway logged, and on the public trace. Look, and leave it as it is."""
    return build_recordings(tmp_path_factory.mktemp("recordings"))


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
