"""Recordings of real emitters land whole: every figure is worked out a second time with a plain JSON loop."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.connectors.litellm_log import LitellmLog, LitellmLogConfig
from orchestration.connectors.otel_genai import OtelGenai, OtelGenaiConfig
from orchestration.landing.results import PullResult
from orchestration.landing.store import LandingStore

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"
SPANS = SAMPLES / "otel_openai_v2_spans.jsonl"
LITELLM = SAMPLES / "litellm_standard_logging.jsonl"


def secret(name: str) -> str:
    return f"value of {name}"


def land_spans(root: Path) -> PullResult:
    connector = OtelGenai("traces", OtelGenaiConfig(path=str(SPANS)), secret)
    return LandingStore(root).run("traces", connector)


def land_litellm(root: Path) -> PullResult:
    config = LitellmLogConfig(path=str(LITELLM), feature_from=("bare_tag",))
    return LandingStore(root).run("gateway", LitellmLog("gateway", config, secret))


def query(root: Path, source_name: str, table: str, select: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        files = str(root / source_name / table / "usage_date=*" / "*.parquet")
        return connection.execute(f"select {select} from read_parquet(?)", [files]).fetchall()


def attributes_of(span: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values())) for pair in span["attributes"]}


@pytest.fixture(scope="module")
def spans() -> list[dict[str, Any]]:
    requests = [json.loads(line) for line in SPANS.read_text().splitlines()]
    return [
        span
        for request in requests
        for batch in request["resourceSpans"]
        for group in batch["scopeSpans"]
        for span in group["spans"]
    ]


def test_every_span_of_a_call_lands_with_the_tenant_feature_and_release_of_its_request(
    tmp_path: Path, spans: list[dict[str, Any]]
) -> None:
    result = land_spans(tmp_path).tables["otel_genai_spans"]
    assert (result.rows_read, result.rows_landed, result.rows_quarantined, result.rows_skipped) == (
        88,
        48,
        0,
        40,
    )

    parents = {span["spanId"]: attributes_of(span) for span in spans}
    expected = {
        span["spanId"]: (
            parents[span["parentSpanId"]]["app.tenant_id"],
            parents[span["parentSpanId"]]["app.feature"],
            parents[span["parentSpanId"]]["app.release"],
        )
        for span in spans
        if "gen_ai.operation.name" in attributes_of(span)
    }
    rows = query(tmp_path, "traces", "otel_genai_spans", "span_id, tenant_id, feature, release")
    assert {row[0]: row[1:] for row in rows} == expected
    assert len(rows) == len(expected) == 48


def test_span_tokens_add_up_by_model_and_operation(tmp_path: Path, spans: list[dict[str, Any]]) -> None:
    land_spans(tmp_path)
    expected: Counter[tuple[str, str, str]] = Counter()
    for attributes in map(attributes_of, spans):
        if "gen_ai.operation.name" in attributes:
            key = (attributes["gen_ai.operation.name"], attributes["gen_ai.response.model"])
            expected[*key, "input"] += int(attributes["gen_ai.usage.input_tokens"])
            expected[*key, "output"] += int(attributes.get("gen_ai.usage.output_tokens", 0))
    rows = query(
        tmp_path,
        "traces",
        "otel_genai_spans",
        "operation_name, model, input_tokens, coalesce(output_tokens, 0)",
    )
    found: Counter[tuple[str, str, str]] = Counter()
    for operation, model, input_tokens, output_tokens in rows:
        found[operation, model, "input"] += input_tokens
        found[operation, model, "output"] += output_tokens
    assert found == expected


def test_spans_say_what_they_are(tmp_path: Path) -> None:
    land_spans(tmp_path)
    assert query(
        tmp_path,
        "traces",
        "otel_genai_spans",
        "distinct provider, semconv_generation, scope_name, input_includes_cache, usage_warning, outcome, "
        "environment, service_name",
    ) == [
        (
            "openai",
            "otel_1_27",
            "opentelemetry.instrumentation.openai_v2",
            True,
            None,
            "success",
            "production",
            "api",
        )
    ]


def test_litellm_lands_every_payload_and_its_failure_has_unknown_tokens(tmp_path: Path) -> None:
    result = land_litellm(tmp_path).tables["litellm_requests"]
    assert (result.rows_read, result.rows_landed, result.rows_quarantined, result.rows_skipped) == (
        40,
        40,
        0,
        0,
    )
    failures = query(
        tmp_path,
        "gateway",
        "litellm_requests",
        "outcome, error_type, input_tokens, output_tokens, cost_usd, count(*) over ()",
    )
    failed = [row[:5] for row in failures if row[0] != "success"]
    assert failed == [("error", "ServiceUnavailableError", None, None, None)]


def test_litellm_tokens_and_cost_add_up_by_tenant_feature_and_model(tmp_path: Path) -> None:
    land_litellm(tmp_path)
    expected: dict[tuple[str, str, str], list[Decimal | int]] = {}
    for line in LITELLM.read_text().splitlines():
        sent = json.loads(line, parse_float=Decimal)
        if sent["status"] == "failure":
            continue
        usage = sent["metadata"]["usage_object"]
        details = usage["prompt_tokens_details"]
        lifetimes = details.get("cache_creation_token_details") or {}
        key = (sent["model_parameters"]["user"], sent["request_tags"][0], sent["model"])
        figures = (
            sent["prompt_tokens"],
            sent["completion_tokens"],
            details["cached_tokens"] or 0,
            lifetimes.get("ephemeral_5m_input_tokens") or 0,
            lifetimes.get("ephemeral_1h_input_tokens") or 0,
            usage["completion_tokens_details"]["reasoning_tokens"],
            sent["response_cost"].quantize(Decimal("1e-12")),
        )
        held = expected.setdefault(key, [0] * len(figures))
        expected[key] = [before + more for before, more in zip(held, figures, strict=True)]
    rows = query(
        tmp_path,
        "gateway",
        "litellm_requests",
        "tenant_id, feature, model, input_tokens, output_tokens, coalesce(cache_read_tokens, 0), "
        "coalesce(cache_write_5m_tokens, 0), coalesce(cache_write_1h_tokens, 0), reasoning_tokens, cost_usd",
    )
    found: dict[tuple[str, str, str], list[Decimal | int]] = {}
    for tenant, feature, model, *figures in rows:
        if figures[0] is not None:
            held = found.setdefault((tenant, feature, model), [0] * len(figures))
            found[tenant, feature, model] = [before + more for before, more in zip(held, figures, strict=True)]
    assert found == expected
    assert sum(figures[-1] for figures in found.values()) == Decimal("0.6217189")
    assert all(row[3] >= row[5] + row[6] + row[7] for row in rows if row[3] is not None)


def test_landing_a_recording_twice_changes_nothing(tmp_path: Path) -> None:
    assert land_spans(tmp_path).changed
    assert land_litellm(tmp_path).changed
    assert not land_spans(tmp_path).changed
    assert not land_litellm(tmp_path).changed


def test_no_content_gets_through(tmp_path: Path) -> None:
    """The recorded messages themselves (`hi`, `ok`) are too short to look for; their field names are not."""
    land_litellm(tmp_path)
    columns = query(tmp_path, "gateway", "litellm_requests", "*")
    assert not any(isinstance(value, str) and "content" in value for row in columns for value in row)
