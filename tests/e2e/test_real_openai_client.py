"""The real `openai` client under its real instrumentation, against a provider that keeps its own book.

What the provider counted, the spans must say, row by row, after they went through a file and the landing zone.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from instrumented_app import PLANTED_PROMPT, PLANTED_USER
from openai_loopback import Counted, openai_loopback

from orchestration.connectors.otel_genai import OtelGenai, OtelGenaiConfig
from orchestration.landing.results import TableResult
from orchestration.landing.store import LandingStore

KEY = "a key for tests"
LEGACY: dict[str, str] = {}
LATEST = {
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
    # The worst case for privacy: the application puts its prompts on the spans.
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
}


@dataclass(frozen=True)
class LandedClient:
    """A run of the application: where its spans landed, and what its provider counted."""

    landing: Path
    spans_file: Path
    counted: list[Counted]
    result: TableResult

    def rows(self) -> list[dict[str, Any]]:
        """Return the landed calls, oldest first."""
        files = str(self.landing / "traces" / "otel_genai_spans" / "usage_date=*" / "*.parquet")
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            found = connection.execute("select * from read_parquet(?) order by started_at", [files])
            return found.to_arrow_table().to_pylist()


def land_real_client_spans(folder: Path, environment: dict[str, str] | None = None) -> LandedClient:
    """Run the application against a fresh provider and land its spans.

    The fourth HTTP request is refused with 429, which the client tries again by itself; the sixth is one that
    the provider refuses with 400.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spans_file = folder / "spans.jsonl"
    app = Path(__file__).with_name("instrumented_app.py")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    with openai_loopback(refusals={4: 429}) as provider:
        subprocess.run(
            [sys.executable, str(app), provider.base_url, str(spans_file)],
            env={**kept, **(environment or {})},
            check=True,
            capture_output=True,
            timeout=120,
        )
    landing = folder / "landing"
    connector = OtelGenai("traces", OtelGenaiConfig(path=str(spans_file)), lambda _: KEY)
    result = LandingStore(landing).run("traces", connector)
    return LandedClient(landing, spans_file, provider.counted, result.tables["otel_genai_spans"])


@pytest.fixture(scope="module", params=[LEGACY, LATEST], ids=["otel_1_30", "otel_latest"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LandedClient:
    return land_real_client_spans(tmp_path_factory.mktemp("client"), request.param)


def answered(counted: Iterable[Counted]) -> list[Counted]:
    """What the client saw of the provider's book: a refusal that it retried is not a call of its own."""
    return [entry for entry in counted if entry.http_status != 429]


def test_every_call_lands_once_in_order(client: LandedClient) -> None:
    rows = client.rows()
    assert len(rows) == len(answered(client.counted)) == 6
    assert len(client.counted) == 7
    assert (client.result.rows_read, client.result.rows_landed, client.result.rows_skipped) == (11, 6, 5)


def test_tokens_are_what_the_provider_counted_row_by_row(client: LandedClient) -> None:
    stream_without_usage = client.rows()[5]
    assert (stream_without_usage["input_tokens"], stream_without_usage["output_tokens"]) == (None, None)
    assert client.counted[-1].input_tokens is not None
    for row, entry in list(zip(client.rows(), answered(client.counted), strict=True))[:5]:
        assert (row["response_id"], row["input_tokens"], row["output_tokens"]) == (
            entry.response_id,
            entry.input_tokens,
            entry.output_tokens,
        )
        assert row["request_model"] == entry.model


def test_input_is_all_input(client: LandedClient) -> None:
    """The provider's prompt count includes what it read from its cache, and so does the span's."""
    with_usage = [row for row in client.rows() if row["input_tokens"] is not None]
    assert len(with_usage) == 4
    assert {row["input_includes_cache"] for row in with_usage} == {True}
    assert {row["usage_warning"] for row in client.rows()} == {None}


def test_a_refused_call_is_a_row_with_unknown_tokens(client: LandedClient) -> None:
    (refused,) = [row for row in client.rows() if row["outcome"] != "success"]
    assert (refused["outcome"], refused["error_type"]) == ("error", "BadRequestError")
    assert (refused["input_tokens"], refused["output_tokens"], refused["response_id"]) == (None, None, None)


def test_tenant_feature_and_release_come_from_the_request_around_the_call(client: LandedClient) -> None:
    assert [(row["tenant_id"], row["feature"]) for row in client.rows()] == [
        ("acme", "support_copilot"),
        ("acme", "support_copilot"),
        ("beta", "search_assist"),
        ("acme", "classifier"),
        ("beta", "classifier"),
        ("acme", "search_assist"),
    ]
    assert {(row["release"], row["service_name"], row["environment"]) for row in client.rows()} == {
        ("2026.11.2", "assistant", "production")
    }


def test_calls_of_one_request_share_its_trace(client: LandedClient) -> None:
    traces = [row["trace_id"] for row in client.rows()]
    assert traces[0] == traces[1]
    assert len(set(traces)) == 5


def test_the_spans_say_who_answered_and_on_which_tier(client: LandedClient) -> None:
    embeddings, *chats = client.rows()
    assert (embeddings["operation_name"], embeddings["model"]) == ("embeddings", "text-embedding-3-small")
    assert {(row["operation_name"], row["provider"]) for row in chats} == {("chat", "openai")}
    answers = [row for row in chats if row["outcome"] == "success"]
    assert {row["service_tier"] for row in answers} == {"default"}
    assert {row["model"] for row in answers} == {"gpt-4.1-2025-04-14", "gpt-4.1-mini-2025-04-14"}


def test_the_generation_of_names_is_told(client: LandedClient) -> None:
    prompts_are_on_the_spans = PLANTED_PROMPT in client.spans_file.read_text()
    expected = "otel_1_37" if prompts_are_on_the_spans else "otel_1_27"
    assert {row["semconv_generation"] for row in client.rows()} == {expected}


def test_neither_prompt_nor_user_gets_into_the_landing_zone(client: LandedClient) -> None:
    assert PLANTED_USER in client.spans_file.read_text()
    hashed = hmac.new(KEY.encode(), PLANTED_USER.encode(), hashlib.sha256).hexdigest()
    assert {row["user_hash"] for row in client.rows()} == {hashed}
    landed = repr(client.rows())
    assert PLANTED_PROMPT not in landed
    assert PLANTED_USER not in landed
    for path in client.landing.rglob("*"):
        if path.is_file():
            assert b"merger" not in path.read_bytes()
            assert PLANTED_USER.encode() not in path.read_bytes()
