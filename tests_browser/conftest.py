"""A real server on the published sample company, and a real Chromium: `make test-browser`.

Apart from `make test`, because a CI machine has Python and no browser.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from urllib3 import PoolManager, Retry

from orchestration.settings import PROJECT_ROOT, Settings


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The installation that is looked at."""
    settings = Settings.from_env()
    if not (settings.published / "marts.duckdb").exists():
        pytest.exit(f"nothing is published in {settings.published}: run `make run` first", returncode=1)
    return settings


@pytest.fixture(scope="session")
def pictures(settings: Settings) -> Path:
    """Folder of the screenshots."""
    folder = settings.home / "browser"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def address(settings: Settings) -> Iterator[str]:
    """Where the dashboards are served."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "dashboards/app.py", f"--server.port={port}"],
        cwd=PROJECT_ROOT,
        env={**os.environ, "TRUEUP_HOME": str(settings.home)},
        stdout=subprocess.DEVNULL,
    )
    try:
        patient = Retry(total=12, backoff_factor=0.2)
        PoolManager(retries=patient).request("GET", f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's Chromium; nothing is downloaded."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.exit("no Chromium is installed: `apt-get install chromium`", returncode=1)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
