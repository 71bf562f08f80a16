"""One source that cannot be read fails by itself, and says why; the others land."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import dagster as dg
import pytest

from orchestration.components.folder import active_sources
from orchestration.settings import Settings

COMPANY = """\
type: orchestration.components.SourceComponent
attributes:
  source_name: company
  kind: company_tables
  config:
    tables: {plans: "{{ folder }}/plans.csv"}
"""
OPENAI = """\
---
type: orchestration.components.SourceComponent
attributes:
  source_name: openai
  kind: openai_organization
  config:
    base_url_env: TEST_OPENAI_URL
    api_key_env: TEST_OPENAI_KEY
    http: {retries: 0}
"""
DAY = "2026-10-05"


@contextmanager
def refusing_provider() -> Iterator[str]:
    """Answer every request on loopback with 401."""

    class Refuse(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def pull(settings: Settings, sources: Path) -> dg.ExecuteInProcessResult:
    (sources / "own.yaml").write_text(COMPANY + OPENAI)
    (sources / "plans.csv").write_text("plan_id,plan_name\npro,Pro\n")
    found = active_sources(settings, dg.ComponentTree.for_test().load_context)
    return dg.materialize([source.build_asset(settings) for source in found], partition_key=DAY, raise_on_error=False)


def landed(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key}


def failure(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data
    assert event.step_key == "pull_openai"
    assert data.user_failure_data is not None
    return data.user_failure_data.description or ""


def test_a_missing_secret_fails_only_its_source_and_names_the_variable(
    settings: Settings, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_OPENAI_KEY", raising=False)
    monkeypatch.setenv("TEST_OPENAI_URL", "http://127.0.0.1:9")
    result = pull(settings, sources)
    assert not result.success
    assert landed(result) == {"plans"}
    assert "source openai: the environment variable TEST_OPENAI_KEY is not set; what to do: set" in failure(result)


def test_a_refused_key_fails_only_its_source_is_not_tried_again_and_is_not_shown(
    settings: Settings, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing_provider() as url:
        monkeypatch.setenv("TEST_OPENAI_URL", url)
        monkeypatch.setenv("TEST_OPENAI_KEY", "not-a-key")
        result = pull(settings, sources)
    assert not result.success
    assert landed(result) == {"plans"}
    message = failure(result)
    assert "401" in message
    assert "TEST_OPENAI_KEY" in message
    assert "not-a-key" not in message
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    assert (settings.landing / "company").is_dir()
    assert not list((settings.landing / "openai").rglob("*.parquet"))


def test_what_was_read_is_accounted_for_in_a_check(settings: Settings, sources: Path) -> None:
    result = pull(settings, sources)
    checks = {event.check_name: event for event in result.get_asset_check_evaluations()}
    assert checks["nothing_lost"].passed
    assert checks["nothing_lost"].metadata["rows_read"].value == 1
    assert checks["quarantine_empty"].passed


def test_rows_in_quarantine_are_a_warning_with_reasons(settings: Settings, sources: Path) -> None:
    (sources / "own.yaml").write_text(COMPANY)
    (sources / "plans.csv").write_text("plan_id,included_operations\npro,10\nteam,many\n")
    (company,) = active_sources(settings, dg.ComponentTree.for_test().load_context)
    result = dg.materialize([company.build_asset(settings)])
    checks = {event.check_name: event for event in result.get_asset_check_evaluations()}
    assert result.success
    assert checks["nothing_lost"].passed
    assert not checks["quarantine_empty"].passed
    assert checks["quarantine_empty"].severity is dg.AssetCheckSeverity.WARN
    assert checks["quarantine_empty"].metadata["rows_quarantined"].value == 1
