"""A small sample company on which the main job has run once, for every test that wants to look at the result."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from company import DAYS, Company
from later_runs import Run, run_again
from metered_app import MeteredApp, metered_app
from real_inputs import SHARED, build_spans
from test_real_openai_client import LandedClient, land_real_client_spans

from tests.alerting.receivers import Webhook, webhook

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
    """An installation on the client's spans, the recordings, and an application's log. Look, and leave it as it is."""
    application.answer("acme")
    application.index("word " * 250_000)
    assert application.meter.flush()
    return build_spans(application.logs.parent, real_client.spans_file, application)


@pytest.fixture(scope="session")
def small_company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """A company of 8 days and 3,000 requests on which the main job has run. Look, and leave it as it is."""
    company = Company(tmp_path_factory.mktemp("small_company") / "home", "")
    generated = company.trueup("sample", "--days", str(DAYS), "--requests", "3000")
    assert generated.returncode == 0, generated.stdout + generated.stderr
    company.bill("openai", 1, company.restated_day("openai"))
    ran = company.trueup("run")
    return replace(company, first_output=f"{ran.returncode}\n{ran.stdout}\n{ran.stderr}")


@pytest.fixture(scope="session")
def on_call() -> Iterator[Webhook]:
    """Where alerts of the moved company are sent to."""
    with webhook() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def moved(small_company: Company, on_call: Webhook, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A copy of the small company, run again where it now lies; an address is set that was not set before."""
    company = Company(tmp_path_factory.mktemp("moved") / "home", "")
    shutil.copytree(small_company.home, company.home, symlinks=True)
    return run_again(company, TRUEUP_CHANNEL_DATA_PLATFORM=on_call.url)


@pytest.fixture(scope="session")
def unchanged(moved: Run, on_call: Webhook) -> Run:
    """The moved company, run again with nothing new."""
    return run_again(moved.company, TRUEUP_CHANNEL_DATA_PLATFORM=on_call.url)


@pytest.fixture(scope="session")
def restated(unchanged: Run) -> Run:
    """The same, closed, and run again after its provider has restated a bill. Look, and leave it as it is."""
    company = unchanged.company
    closed = company.trueup("close", "2026-10", "--reason", "the provider may still restate")
    assert closed.returncode == 0, closed.stdout + closed.stderr
    company.bill("openai", 2, company.restated_day("openai"))
    return run_again(company)


@pytest.fixture
def changing_company(small_company: Company, tmp_path: Path) -> Company:
    """A copy of the small company that a test may change."""
    shutil.copytree(small_company.home, tmp_path / "home", symlinks=True)
    return Company(tmp_path / "home", "")
