"""Anthropic's organisation reports over real HTTP: cents as cents, every dimension, every page."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from loopback import Answer, Request, pages
from pulled import Pulled, ReportingProvider
from pydantic import ValidationError

from orchestration.connectors import connector_class
from orchestration.connectors.anthropic_organization import (
    COST_REPORT,
    USAGE_MESSAGES,
    AnthropicOrganization,
    AnthropicOrganizationConfig,
)
from orchestration.connectors.base import Window
from orchestration.connectors.http import ProviderError

KEY = "loopback-admin-key-7c21"
WINDOW = Window(date(2026, 11, 18), date(2026, 11, 21))
DAY = date(2026, 11, 20)
USAGE_PATH = "/v1/organizations/usage_report/messages"
COST_PATH = "/v1/organizations/cost_report"
BOUNDS = {
    "usage_date": DAY,
    "bucket_start": datetime(2026, 11, 20, tzinfo=UTC),
    "bucket_end": datetime(2026, 11, 21, tzinfo=UTC),
}


def bucket(day: date, *results: object) -> dict[str, object]:
    end = day + timedelta(days=1)
    return {
        "starting_at": f"{day}T00:00:00Z",
        "ending_at": f"{end}T00:00:00Z",
        "results": list(results),
    }


def cost(amount: object, **fields: object) -> dict[str, object]:
    return {"amount": amount, "currency": "USD", **fields}


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("landing")


@pytest.fixture
def server(landing: Path) -> Iterator[ReportingProvider]:
    """An organisation that used nothing."""
    with ReportingProvider(landing, "anthropic_bill") as running:
        running.serve(USAGE_PATH, pages({"data": []}))
        running.serve(COST_PATH, pages({"data": []}))
        yield running


def pull(server: ReportingProvider, window: Window | None = WINDOW, **config: object) -> Pulled:
    http = {"retries": 1, "backoff_seconds": 0, "read_timeout_seconds": 5}
    source = AnthropicOrganization(
        "anthropic_bill",
        AnthropicOrganizationConfig.model_validate({"base_url": server.url, "http": http, **config}),
        {"ANTHROPIC_ADMIN_KEY": KEY}.__getitem__,
    )
    return server.pull(source, window)


def test_the_registry_knows_it() -> None:
    assert connector_class("anthropic_organization") is AnthropicOrganization


def test_usage_lands_field_by_field(server: ReportingProvider) -> None:
    dimensions = {
        "api_key_id": "apikey_01A",
        "workspace_id": "wrkspc_01B",
        "model": "claude-sonnet-4-5",
        "service_tier": "standard",
        "context_window": "0-200k",
        "inference_geo": "global",
        "speed": None,
        "service_account_id": None,
    }
    result = {
        "uncached_input_tokens": 150_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 20_000, "ephemeral_1h_input_tokens": 1_000},
        "cache_read_input_tokens": 900_000,
        "output_tokens": 50_000,
        "server_tool_use": {"web_search_requests": 10},
        "account_id": None,
        **dimensions,
    }
    server.serve(USAGE_PATH, pages({"data": [bucket(DAY, result)]}))
    pulled = pull(server)
    assert pulled.rows(USAGE_MESSAGES) == [
        {
            **BOUNDS,
            **dimensions,
            "uncached_input_tokens": 150_000,
            "cache_read_input_tokens": 900_000,
            "cache_creation_ephemeral_5m_input_tokens": 20_000,
            "cache_creation_ephemeral_1h_input_tokens": 1_000,
            "output_tokens": 50_000,
            "web_search_requests": 10,
        }
    ]
    assert pulled.rows_read == {"anthropic_usage_messages": 1, "anthropic_cost_report": 0}


def test_absent_and_null_measures_are_unknown(server: ReportingProvider) -> None:
    results = [{"output_tokens": 0, "cache_creation": None, "server_tool_use": {}}, {"model": "claude"}]
    server.serve(USAGE_PATH, pages({"data": [bucket(DAY, *results)]}))
    first, second = pull(server).rows(USAGE_MESSAGES)
    assert (first["output_tokens"], second["output_tokens"]) == (0, None)
    for row in (first, second):
        assert row["uncached_input_tokens"] is None
        assert row["cache_creation_ephemeral_5m_input_tokens"] is None
        assert row["web_search_requests"] is None


def test_a_new_class_of_tokens_is_told(server: ReportingProvider, caplog: pytest.LogCaptureFixture) -> None:
    writes = {"ephemeral_5m_input_tokens": 1, "ephemeral_24h_input_tokens": 2}
    server.serve(USAGE_PATH, pages({"data": [bucket(DAY, {"cache_creation": writes})]}))
    with caplog.at_level(logging.WARNING):
        pull(server)
    assert caplog.messages == [
        f"source anthropic_bill: {USAGE_PATH}: fields not kept: cache_creation.ephemeral_24h_input_tokens"
    ]


def test_a_part_of_another_shape_fails_the_pull(server: ReportingProvider) -> None:
    server.serve(USAGE_PATH, pages({"data": [bucket(DAY, {"cache_creation": 21_000})]}))
    with pytest.raises(ProviderError, match=r"cache_creation\.ephemeral_5m_input_tokens in bucket 2026-11-20"):
        pull(server)


def test_a_cost_lands_in_cents(server: ReportingProvider) -> None:
    dimensions = {
        "description": "Claude Sonnet 4.5 - Input Tokens",
        "cost_type": "tokens",
        "token_type": "uncached_input_tokens",
        "model": "claude-sonnet-4-5",
        "service_tier": "standard",
        "context_window": "0-200k",
        "inference_geo": "global",
        "workspace_id": None,
    }
    search = {"description": "Web Search Usage", "cost_type": "web_search", "token_type": None}
    results = [cost("45.00", **dimensions), cost("10.0", **search)]
    server.serve(COST_PATH, pages({"data": [bucket(DAY, *results)]}))
    tokens, web_search = pull(server).rows(COST_REPORT)
    # 150,000 tokens at $3 a million are $0.45: 45 cents, and not 45 dollars.
    assert tokens == {**BOUNDS, **dimensions, "amount_cents": Decimal(45), "currency": "USD"}
    assert tokens["amount_cents"] * Decimal("0.01") == 150_000 * Decimal(3) / 1_000_000
    assert web_search["amount_cents"] == Decimal(10)
    assert web_search["token_type"] is None


@pytest.mark.parametrize(
    ("stated", "landed"),
    [
        ('"123.78912"', "123.78912"),
        ('"0.000000000001"', "0.000000000001"),
        ('"-250.5"', "-250.5"),
        ('"0"', "0"),
        ("141", "141"),
        ("1e-7", "0.0000001"),
    ],
)
def test_cents_land_exactly(server: ReportingProvider, stated: str, landed: str) -> None:
    page = {"data": [bucket(DAY, cost("HERE"))], "has_more": False, "next_page": None}
    server.serve(COST_PATH, Answer(json.dumps(page).replace('"HERE"', stated).encode()))
    assert [row["amount_cents"] for row in pull(server).rows(COST_REPORT)] == [Decimal(landed)]


@pytest.mark.parametrize(
    ("result", "what"),
    [
        ({"currency": "USD"}, "amount in bucket 2026-11-20 cannot be read.*it is missing"),
        ({"amount": None, "currency": "USD"}, "amount in bucket 2026-11-20 cannot be read.*it is missing"),
        ({"amount": "12 cents", "currency": "USD"}, '"12 cents" is not a decimal number'),
        ({"amount": "12", "currency": "EUR"}, '"EUR" is not US dollars'),
    ],
)
def test_a_charge_that_cannot_be_read_fails_the_pull(
    server: ReportingProvider, result: dict[str, object], what: str
) -> None:
    server.serve(COST_PATH, pages({"data": [bucket(DAY, result)]}))
    with pytest.raises(ProviderError, match=what):
        pull(server)


def test_rows_that_differ_in_one_dimension_only_stay_apart(server: ReportingProvider) -> None:
    base = {"model": "claude", "service_tier": "standard", "context_window": "0-200k", "inference_geo": "us"}
    variants = [
        base,
        {**base, "service_tier": "batch"},
        {**base, "context_window": "200k-1M"},
        {**base, "inference_geo": "global"},
        {**base, "token_type": "output_tokens"},
    ]
    server.serve(COST_PATH, pages({"data": [bucket(DAY, *(cost("1", **variant) for variant in variants))]}))
    rows = pull(server).rows(COST_REPORT)
    assert len({tuple(row[name] for name in (*base, "token_type")) for row in rows}) == 5


def test_what_is_asked(server: ReportingProvider) -> None:
    pull(server)
    usage, costs = server.requests
    assert usage.headers["x-api-key"] == KEY
    assert usage.headers["anthropic-version"] == "2023-06-01"
    assert "anthropic-beta" not in usage.headers
    assert "Authorization" not in usage.headers
    times = [("starting_at", "2026-11-18T00:00:00Z"), ("ending_at", "2026-11-21T00:00:00Z")]
    groups = ("api_key_id", "workspace_id", "model", "service_tier", "context_window", "inference_geo")
    assert (usage.path, usage.query) == (
        USAGE_PATH,
        [*times, ("bucket_width", "1d"), ("limit", "31"), *(("group_by[]", group) for group in groups)],
    )
    assert (costs.path, costs.query) == (
        COST_PATH,
        [
            *times,
            ("bucket_width", "1d"),
            ("limit", "31"),
            ("group_by[]", "workspace_id"),
            ("group_by[]", "description"),
        ],
    )


def test_speed_needs_the_beta_header_and_hours_a_longer_page(server: ReportingProvider) -> None:
    pull(server, usage_group_by=["model", "speed"], bucket_width="1h")
    usage, costs = server.requests
    assert usage.headers["anthropic-beta"] == "fast-mode-2026-02-01"
    assert (usage.one("bucket_width"), usage.one("limit")) == ("1h", "168")
    assert (costs.one("bucket_width"), costs.one("limit")) == ("1d", "31")


def test_without_a_window_today_and_the_restatement_days_are_read(server: ReportingProvider) -> None:
    pulled = pull(server, None)
    assert pulled.windows[COST_REPORT.name] == Window(date(2026, 10, 22), date(2026, 11, 22))


def test_a_long_window_is_followed_over_its_pages(server: ReportingProvider) -> None:
    window = Window(date(2026, 7, 1), date(2026, 11, 1))
    days = list(window.days())

    def month_by_month(request: Request) -> Answer:
        done = int(request.one("page") or 0)
        upto = done + int(request.one("limit") or 7)
        part = [bucket(day, cost("0.1")) for day in days[done:upto]]
        more = upto < len(days)
        return Answer({"data": part, "has_more": more, "next_page": str(upto) if more else None})

    server.serve(COST_PATH, month_by_month)
    rows = pull(server, window).rows(COST_REPORT)
    assert [row["usage_date"] for row in rows] == days
    assert len(server.asked(COST_PATH)) == 4


@pytest.mark.parametrize("start", ["2026-11-17T00:00:00Z", "2026-11-21T00:00:00Z", "2026-11-18T00:00:00+02:00"])
def test_a_bucket_outside_of_the_window_fails_the_pull(server: ReportingProvider, start: str) -> None:
    strange = {"starting_at": start, "ending_at": "2026-11-22T00:00:00Z", "results": []}
    server.serve(USAGE_PATH, pages({"data": [strange]}))
    with pytest.raises(ProviderError, match="a bucket outside of the days asked for"):
        pull(server)


@pytest.mark.parametrize("start", ["2026-11-20", "2026-11-20T00:00:00", "yesterday", 1795132800, None])
def test_a_time_without_a_zone_is_no_time(server: ReportingProvider, start: object) -> None:
    strange = {"starting_at": start, "ending_at": "2026-11-21T00:00:00Z", "results": []}
    server.serve(USAGE_PATH, pages({"data": [strange]}))
    with pytest.raises(ProviderError, match=r"the time of a bucket cannot be read.*RFC 3339"):
        pull(server)


def test_an_overloaded_provider_is_asked_again_and_then_named(server: ReportingProvider) -> None:
    busy = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    server.serve(COST_PATH, Answer(busy, 529), pages({"data": [bucket(DAY, cost("1"))]}))
    assert len(pull(server).rows(COST_REPORT)) == 1
    server.serve(COST_PATH, Answer(busy, 529, {"request-id": "req_011"}))
    with pytest.raises(ProviderError, match=r"529: Overloaded / overloaded_error \(request id req_011\)"):
        pull(server)


def test_an_ordinary_key_is_refused_in_words(server: ReportingProvider) -> None:
    error = {"type": "error", "error": {"type": "authentication_error", "message": f"invalid {KEY}"}}
    server.serve(USAGE_PATH, Answer(error, 401))
    with pytest.raises(ProviderError, match="set ANTHROPIC_ADMIN_KEY to an Admin API key") as caught:
        pull(server)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"cost_page_limit": 32}, "less than or equal to 31"),
        ({"usage_page_limit": 32}, "usage_page_limit is at most 31 for buckets of 1d"),
        ({"usage_group_by": ["account_id"]}, "'api_key_id'"),
        ({"cost_group_by": ["model"]}, "'workspace_id' or 'description'"),
        ({"api_key": KEY}, "Extra inputs are not permitted"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(config: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        AnthropicOrganizationConfig.model_validate(config)
