"""OpenAI's organisation reports over real HTTP: every page, every digit, every endpoint."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import get_args, get_type_hints

import openai.resources.admin.organization.usage as sdk_usage
import openai.types.admin.organization.usage_completions_params as sdk_completions_params
import openai.types.admin.organization.usage_costs_response as sdk_costs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import Answer, Request, Script, pages
from pulled import Pulled, ReportingProvider
from pydantic import ValidationError

from orchestration.connectors import connector_class
from orchestration.connectors.base import Window
from orchestration.connectors.errors import ConnectorError, MissingSecretError
from orchestration.connectors.http import ProviderError
from orchestration.connectors.openai_organization import (
    COSTS,
    USAGE_COMPLETIONS,
    USAGE_EMBEDDINGS,
    USAGE_OTHER,
    OpenaiOrganization,
    OpenaiOrganizationConfig,
    UsageEndpoint,
)

KEY = "loopback-admin-key-4f9a71"
WINDOW = Window(date(2026, 11, 18), date(2026, 11, 21))
USAGE = "/v1/organization/usage/"
COMPLETIONS = USAGE + "completions"
COSTS_PATH = "/v1/organization/costs"
ENDPOINTS = get_args(UsageEndpoint)
DAY = date(2026, 11, 19)


def bucket(day: date, *results: object) -> dict[str, object]:
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    return {"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": list(results)}


def cost(value: object, **fields: object) -> dict[str, object]:
    return {"object": "organization.costs.result", "amount": {"value": value, "currency": "usd"}, **fields}


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("landing")


@pytest.fixture
def server(landing: Path) -> Iterator[ReportingProvider]:
    """An organisation that used nothing."""
    with ReportingProvider(landing, "openai_bill") as running:
        for endpoint in ENDPOINTS:
            running.serve(USAGE + endpoint, pages({"data": []}))
        running.serve(COSTS_PATH, pages({"data": []}))
        yield running


def organization(server: ReportingProvider, key: str = KEY, **config: object) -> OpenaiOrganization:
    http = {"retries": 1, "backoff_seconds": 0, "read_timeout_seconds": 5}
    return OpenaiOrganization(
        "openai_bill",
        OpenaiOrganizationConfig.model_validate({"base_url": server.url + "/v1", "http": http, **config}),
        {"OPENAI_ADMIN_KEY": key}.__getitem__,
    )


def pull(server: ReportingProvider, window: Window | None = WINDOW, **config: object) -> Pulled:
    return server.pull(organization(server, **config), window)


def costs(server: ReportingProvider) -> list[dict[str, object]]:
    return pull(server, endpoints=()).rows(COSTS)


def test_the_registry_knows_it() -> None:
    assert connector_class("openai_organization") is OpenaiOrganization


def test_usage_lands_field_by_field(server: ReportingProvider) -> None:
    stated = {
        "input_tokens": 1_250_000,
        "input_uncached_tokens": 700_000,
        "input_cached_tokens": 500_000,
        "input_cache_write_tokens": 50_000,
        "input_cache_write_30m_tokens": 50_000,
        "input_cache_write_12h_tokens": 0,
        "input_text_tokens": 700_000,
        "input_audio_tokens": 0,
        "input_image_tokens": 0,
        "input_cached_text_tokens": 500_000,
        "input_cached_audio_tokens": 0,
        "input_cached_image_tokens": 0,
        "output_tokens": 91_000,
        "output_text_tokens": 91_000,
        "output_audio_tokens": 0,
        "output_image_tokens": 0,
        "num_model_requests": 412,
        "project_id": "proj_a1",
        "api_key_id": "key_1",
        "model": "gpt-5-2025-08-07",
        "batch": False,
        "service_tier": "default",
        "api_source": None,
    }
    result = {"object": "organization.usage.completions.result", "user_id": None, **stated}
    server.serve(COMPLETIONS, pages({"data": [bucket(DAY, result)]}))
    (row,) = pull(server).rows(USAGE_COMPLETIONS)
    assert row == {
        "usage_date": DAY,
        "bucket_start": datetime(2026, 11, 19, tzinfo=UTC),
        "bucket_end": datetime(2026, 11, 20, tzinfo=UTC),
        "endpoint": "completions",
        **stated,
    }


def test_every_endpoint_lands_in_its_own_unit(server: ReportingProvider) -> None:
    measures = {
        "moderations": ("input_tokens", "tokens", {"num_model_requests": 3}),
        "images": ("images", "images", {"num_model_requests": 3, "size": "512x512", "source": "image.edit"}),
        "audio_speeches": ("characters", "characters", {"num_model_requests": 3}),
        "audio_transcriptions": ("seconds", "seconds", {"num_model_requests": 3}),
        "vector_stores": ("usage_bytes", "bytes", {}),
        "code_interpreter_sessions": ("num_sessions", "sessions", {}),
        "file_search_calls": ("num_requests", "requests", {"vector_store_id": "vs_1"}),
        "web_search_calls": ("num_requests", "requests", {"num_model_requests": 3, "context_level": "low"}),
    }
    for endpoint, (measure, _, more) in measures.items():
        server.serve(USAGE + endpoint, pages({"data": [bucket(DAY, {measure: 17, **more})]}))
    server.serve(USAGE + "embeddings", pages({"data": [bucket(DAY, {"input_tokens": 5})]}))
    server.serve(USAGE + "decisions", pages({"data": [bucket(DAY, {"input_tokens": 6})]}))
    pulled = pull(server)
    others = {row["endpoint"]: row for row in pulled.rows(USAGE_OTHER)}
    assert set(others) == set(measures)
    for endpoint, (_, unit, more) in measures.items():
        expected = {"quantity": Decimal(17), "quantity_unit": unit, **more}
        assert {name: others[endpoint][name] for name in expected} == expected
    assert [row["input_tokens"] for row in pulled.rows(USAGE_EMBEDDINGS)] == [5]
    assert [(row["endpoint"], row["input_tokens"]) for row in pulled.rows(USAGE_COMPLETIONS)] == [("decisions", 6)]
    assert pulled.rows_read == {
        "openai_usage_completions": 1,
        "openai_usage_embeddings": 1,
        "openai_usage_other": 8,
        "openai_costs": 0,
    }


def test_what_is_asked(server: ReportingProvider) -> None:
    pull(server)
    (request,) = server.asked(COMPLETIONS)
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.query == [
        ("start_time", "1794960000"),
        ("end_time", "1795219200"),
        ("bucket_width", "1d"),
        ("limit", "31"),
        *(("group_by[]", group) for group in ("project_id", "api_key_id", "model", "batch", "service_tier")),
    ]
    (request,) = server.asked(COSTS_PATH)
    assert request.one("limit") == "180"
    assert request.all("group_by[]") == ["project_id", "line_item"]
    assert server.asked(USAGE + "vector_stores")[0].all("group_by[]") == ["project_id"]
    assert not any("user_id" in request.all("group_by[]") for request in server.requests)


def test_hours_and_other_groups_can_be_asked_for(server: ReportingProvider) -> None:
    hour = bucket(DAY, {"input_tokens": 1})
    hour["start_time"] = int(hour["end_time"]) - 3600  # type: ignore[arg-type]
    server.serve(COMPLETIONS, pages({"data": [hour]}))
    pulled = pull(server, bucket_width="1h", group_by={"completions": ["model"], "costs": ["api_key_id"]})
    assert pulled.rows(USAGE_COMPLETIONS)[0]["bucket_start"] == datetime(2026, 11, 19, 23, tzinfo=UTC)
    (request,) = server.asked(COMPLETIONS)
    assert (request.one("bucket_width"), request.one("limit")) == ("1h", "168")
    assert request.all("group_by[]") == ["model"]
    (request,) = server.asked(COSTS_PATH)
    assert (request.one("bucket_width"), request.all("group_by[]")) == ("1d", ["api_key_id"])


def test_without_a_window_today_and_the_restatement_days_are_read(server: ReportingProvider) -> None:
    pulled = pull(server, None, restatement_days=7)
    assert pulled.windows[COSTS.name] == Window(date(2026, 11, 14), date(2026, 11, 22))


def test_a_cost_lands_whole(server: ReportingProvider) -> None:
    stated = {
        "project_id": "proj_a1",
        "api_key_id": "key_1",
        "api_source": "unlabeled",
        "line_item": "gpt-5-2025-08-07, input_tokens",
        "quantity": 700_000,
        "quantity_unit": "tokens",
    }
    server.serve(COSTS_PATH, pages({"data": [bucket(DAY, cost(1.785, user_id=None, **stated))]}))
    (row,) = costs(server)
    assert row == {
        "usage_date": DAY,
        "bucket_start": datetime(2026, 11, 19, tzinfo=UTC),
        "bucket_end": datetime(2026, 11, 20, tzinfo=UTC),
        **stated,
        "amount_usd": Decimal("1.785"),
        "currency": "usd",
    }


@pytest.mark.parametrize(
    ("stated", "landed"),
    [
        ("1.785", "1.785"),
        ('"0.06"', "0.06"),
        ("1e-7", "0.0000001"),
        ("1E2", "100"),
        ("-3.5", "-3.5"),
        ("7", "7"),
        ("0.000000000001", "0.000000000001"),
        ("12345678901234567890123456.123456789012", "12345678901234567890123456.123456789012"),
        # What a sum of floats looks like: 0.1 + 0.2 and 1.1 + 2.2.
        ("0.30000000000000004", "0.3"),
        ("3.3000000000000003", "3.3"),
        # Half a unit of the twelfth place goes to the even neighbour.
        ("0.0000000000005", "0"),
        ("0.0000000000015", "0.000000000002"),
        ("null", None),
    ],
)
def test_dollars_land_exactly(server: ReportingProvider, stated: str, landed: str | None) -> None:
    page = {"data": [bucket(DAY, cost("HERE"))], "has_more": False, "next_page": None}
    server.serve(COSTS_PATH, Answer(json.dumps(page).replace('"HERE"', stated).encode()))
    (row,) = costs(server)
    assert row["amount_usd"] == (None if landed is None else Decimal(landed))


@pytest.mark.parametrize(
    "stated", ["true", '"1,5"', '"$1"', '"NaN"', '""', "[1]", '{"units": 1}', "1e26", '"1_000"', "1e999999"]
)
def test_an_amount_that_is_no_amount_fails_the_pull(server: ReportingProvider, stated: str) -> None:
    page = {"data": [bucket(DAY, cost("HERE"))], "has_more": False, "next_page": None}
    server.serve(COSTS_PATH, Answer(json.dumps(page).replace('"HERE"', stated).encode()))
    with pytest.raises(ProviderError, match=r"amount\.value in bucket 2026-11-19 cannot be read"):
        costs(server)


def test_another_currency_is_not_taken_for_dollars(server: ReportingProvider) -> None:
    euros = {"amount": {"value": 1, "currency": "eur"}}
    server.serve(COSTS_PATH, pages({"data": [bucket(DAY, euros)]}))
    with pytest.raises(ProviderError, match='"eur" is not US dollars'):
        costs(server)


@settings(max_examples=15, deadline=None)
@given(
    days=st.lists(
        st.lists(st.decimals(-(10**9), 10**9, places=12, allow_nan=False), max_size=4),
        min_size=1,
        max_size=6,
    ),
    as_text=st.booleans(),
    data=st.data(),
)
def test_no_cut_into_pages_changes_what_lands(
    landing: Path, days: list[list[Decimal]], as_text: bool, data: st.DataObject
) -> None:
    buckets = [
        bucket(WINDOW.start + timedelta(days=day), *(cost(f"<{amount}>", line_item=str(number))
        for number, amount in enumerate(amounts)))
        for day, amounts in enumerate(days)
    ]  # fmt: skip
    cuts = sorted(data.draw(st.sets(st.integers(1, len(buckets)))) | {len(buckets)})
    parts = [buckets[start:end] for start, end in zip([0, *cuts], cuts, strict=False)]
    serve = pages(*({"data": part} for part in parts))

    def verbatim(request: Request) -> Answer:
        marks = ('"<', '>"') if not as_text else ("<", ">")
        body = serve(request).content().decode()
        for mark in marks:
            body = body.replace(mark, "")
        return Answer(body.encode())

    with ReportingProvider(landing, "openai_bill") as running:
        running.serve(COSTS_PATH, verbatim)
        window = Window(WINDOW.start, WINDOW.start + timedelta(days=len(days)))
        landed = pull(running, window, endpoints=()).rows(COSTS)
    expected = [(WINDOW.start + timedelta(days=day), amount) for day, amounts in enumerate(days) for amount in amounts]
    assert [(row["usage_date"], row["amount_usd"]) for row in landed] == expected


def test_absent_and_null_measures_are_unknown_and_zero_is_zero(server: ReportingProvider) -> None:
    result = {"input_tokens": 10, "input_cached_tokens": None, "output_tokens": 0}
    server.serve(COMPLETIONS, pages({"data": [bucket(DAY, result)]}))
    (row,) = pull(server).rows(USAGE_COMPLETIONS)
    assert (row["input_tokens"], row["output_tokens"]) == (10, 0)
    assert row["input_cached_tokens"] is None
    assert row["input_cache_write_tokens"] is None
    assert row["num_model_requests"] is None
    assert row["model"] is None


def test_a_field_that_nobody_knows_is_told_and_left(
    server: ReportingProvider, caplog: pytest.LogCaptureFixture
) -> None:
    result = {"input_tokens": 10, "input_cache_write_7d_tokens": 4, "later": {"on": 1, "off": None}}
    server.serve(COMPLETIONS, pages({"data": [bucket(DAY, result)]}))
    with caplog.at_level(logging.WARNING):
        assert pull(server).rows(USAGE_COMPLETIONS)[0]["input_tokens"] == 10
    assert caplog.messages == [
        "source openai_bill: /organization/usage/completions: fields not kept: input_cache_write_7d_tokens, later.on"
    ]


@pytest.mark.parametrize(
    ("result", "field"),
    [
        ({"input_tokens": "10"}, "input_tokens"),
        ({"input_tokens": 1.5}, "input_tokens"),
        ({"input_tokens": True}, "input_tokens"),
        ({"input_tokens": 2**63}, "input_tokens"),
        ({"model": 5}, "model"),
        ({"batch": "no"}, "batch"),
    ],
)
def test_a_field_of_another_type_fails_the_pull(
    server: ReportingProvider, result: dict[str, object], field: str
) -> None:
    server.serve(COMPLETIONS, pages({"data": [bucket(DAY, result)]}))
    with pytest.raises(ProviderError, match=f"{field} in bucket 2026-11-19 cannot be read"):
        pull(server)


def test_a_whole_number_with_a_point_is_whole(server: ReportingProvider) -> None:
    server.serve(COMPLETIONS, pages({"data": [bucket(DAY, {"input_tokens": 1e6})]}))
    assert pull(server).rows(USAGE_COMPLETIONS)[0]["input_tokens"] == 1_000_000


def test_empty_and_absent_buckets_are_empty_days(server: ReportingProvider) -> None:
    server.serve(COSTS_PATH, pages({"data": [bucket(date(2026, 11, 18)), bucket(DAY, cost(1))]}))
    pulled = pull(server)
    assert [row["usage_date"] for row in pulled.rows(COSTS)] == [DAY]
    assert set(pulled.windows.values()) == {WINDOW}
    assert pulled.rows(USAGE_COMPLETIONS) == []


@pytest.mark.parametrize("day", [date(2026, 11, 17), date(2026, 11, 21)])
def test_a_bucket_outside_of_the_window_fails_the_pull(server: ReportingProvider, day: date) -> None:
    server.serve(COSTS_PATH, pages({"data": [bucket(day, cost(1))]}))
    with pytest.raises(ProviderError, match="a bucket outside of the days asked for"):
        costs(server)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"end_time": 1795132801}, "not part of one UTC day"),
        ({"end_time": 1795046400}, "not part of one UTC day"),
        ({"start_time": 1795050000, "end_time": 1795136400}, "not part of one UTC day"),
        ({"start_time": "2026-11-19"}, "time of a bucket cannot be read"),
        ({"start_time": 10**18}, "time of a bucket cannot be read"),
        ({"end_time": None}, "time of a bucket cannot be read"),
        ({"results": None}, "an answer without the list results"),
        ({"results": [7]}, "something else than objects in results"),
    ],
)
def test_a_bucket_that_breaks_the_contract_fails_the_pull(
    server: ReportingProvider, change: dict[str, object], what: str
) -> None:
    server.serve(COSTS_PATH, pages({"data": [bucket(DAY, cost(1)) | change]}))
    with pytest.raises(ProviderError, match=what):
        costs(server)


def test_an_answer_without_buckets_is_not_an_empty_bill(server: ReportingProvider) -> None:
    server.serve(COSTS_PATH, Answer({"object": "list", "items": [], "has_more": False}))
    with pytest.raises(ProviderError, match="an answer without the list data"):
        costs(server)


def test_pages_that_overlap_fail_the_pull(server: ReportingProvider) -> None:
    first, second = bucket(date(2026, 11, 18), cost(1)), bucket(DAY, cost(1))
    server.serve(COSTS_PATH, pages({"data": [first, second]}, {"data": [second]}))
    with pytest.raises(ProviderError, match=r"a row of an earlier page again, in bucket 2026-11-19"):
        costs(server)


def test_a_restated_day_is_a_new_version_and_an_emptied_day_is_empty(server: ReportingProvider) -> None:
    first, second, third = WINDOW.days()
    server.serve(
        COSTS_PATH,
        pages({"data": [bucket(first, cost(1)), bucket(second, cost(2)), bucket(third, cost(3))]}),
        pages({"data": [bucket(third, cost(-0.5), cost(3)), bucket(first, cost(1))]}),
    )
    pull(server, endpoints=())
    again = pull(server, endpoints=())
    assert again.result.changed_dates == (second, third)
    assert [(row["usage_date"], row["amount_usd"]) for row in again.rows(COSTS)] == [
        (first, 1),
        (third, Decimal("-0.5")),
        (third, 3),
    ]
    assert not pull(server, endpoints=()).result.changed


def test_equal_rows_of_one_page_are_two_rows(server: ReportingProvider) -> None:
    server.serve(COSTS_PATH, pages({"data": [bucket(DAY, cost(1), cost(1))]}))
    assert len(costs(server)) == 2


def test_a_failure_on_the_third_page_lands_nothing(server: ReportingProvider) -> None:
    three = pages(*({"data": [bucket(day, cost(1))]} for day in WINDOW.days()))
    broken = Answer({"error": {"message": "The server had an error"}}, 500)
    server.serve(COSTS_PATH, three, three, broken, broken)
    with pytest.raises(ProviderError, match=r"page=page_3 \(page 3\).*The server had an error.*2 attempts"):
        pull(server)
    assert server.landed_files() == []
    server.serve(COSTS_PATH, three, three, broken, three)
    assert len(costs(server)) == 3


def test_a_project_key_is_refused_in_words(server: ReportingProvider) -> None:
    error = {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}
    server.serve(COMPLETIONS, Answer({"error": error}, 401))
    with pytest.raises(ProviderError, match="set OPENAI_ADMIN_KEY to an admin key of the organ") as caught:
        pull(server)
    assert KEY not in str(caught.value)


def test_a_missing_key_is_told_before_anything_is_asked(server: ReportingProvider) -> None:
    def nothing_set(variable: str) -> str:
        raise MissingSecretError("openai_bill", variable)

    config = OpenaiOrganizationConfig(base_url=server.url)
    source = OpenaiOrganization("openai_bill", config, nothing_set)
    with pytest.raises(MissingSecretError, match="OPENAI_ADMIN_KEY is not set"):
        server.pull(source, WINDOW)
    assert server.requests == []


def test_a_key_from_a_file_may_end_with_a_line_break(server: ReportingProvider) -> None:
    pull(server, key=KEY + "\n")
    assert {request.headers["Authorization"] for request in server.requests} == {f"Bearer {KEY}"}


def test_the_base_url_may_come_from_the_environment(server: ReportingProvider) -> None:
    env = {"OPENAI_ADMIN_KEY": KEY, "ACME_URL": server.url + "/v1"}
    config = OpenaiOrganizationConfig(base_url_env="ACME_URL", endpoints=("embeddings",))
    server.pull(OpenaiOrganization("openai_bill", config, env.__getitem__), WINDOW)
    assert [request.path for request in server.requests] == [USAGE + "embeddings", COSTS_PATH]
    env["ACME_URL"] = "http://example.com"
    with pytest.raises(ConnectorError, match="must use https"):
        server.pull(OpenaiOrganization("openai_bill", config, env.__getitem__), WINDOW)


def test_a_table_whose_endpoints_are_not_read_is_not_emptied(server: ReportingProvider) -> None:
    pulled = pull(server, endpoints=["images"])
    assert set(pulled.windows) == {"openai_usage_other", "openai_costs"}


def test_only_a_recent_endpoint_may_be_missing(server: ReportingProvider, caplog: pytest.LogCaptureFixture) -> None:
    missing = Answer({"error": {"message": "Unknown request URL"}}, 404)
    server.serve(USAGE + "decisions", missing)
    with caplog.at_level(logging.WARNING):
        pull(server)
    assert caplog.messages == ["source openai_bill: usage endpoint decisions is not offered (404)"]
    server.serve(USAGE + "embeddings", missing)
    with pytest.raises(ProviderError, match="does not know this address"):
        pull(server)
    server.serve(USAGE + "embeddings", pages({"data": []}))
    server.serve(USAGE + "decisions", Answer(status=500))
    with pytest.raises(ProviderError, match="the provider failed"):
        pull(server)


def organization_with_keys_since(epoch: date) -> Script:
    """An organisation that cannot group by API key before `epoch`."""

    def script(request: Request) -> Answer:
        start = datetime.fromtimestamp(int(request.one("start_time") or 0), tz=UTC).date()
        end = datetime.fromtimestamp(int(request.one("end_time") or 0), tz=UTC).date()
        by_key = "api_key_id" in request.all("group_by[]")
        if by_key and start < epoch:
            message = f"group_by api_key_id is not available before {epoch}"
            return Answer({"error": {"message": message, "type": "invalid_request_error"}}, 400)
        result = {"input_tokens": 10, "api_key_id": "key_1" if by_key else None}
        days = [bucket(day, result) for day in Window(start, end).days()]
        return Answer({"data": days, "has_more": False, "next_page": None})

    return script


def test_history_without_keys_is_kept_without_keys(server: ReportingProvider, caplog: pytest.LogCaptureFixture) -> None:
    server.serve(COMPLETIONS, organization_with_keys_since(date(2026, 8, 10)))
    window = Window(date(2026, 7, 1), date(2026, 10, 1))
    with caplog.at_level(logging.WARNING):
        rows = pull(server, window, endpoints=["completions"]).rows(USAGE_COMPLETIONS)
    assert [row["usage_date"] for row in rows] == list(window.days())
    assert {row["input_tokens"] for row in rows} == {10}
    # Parts of 31 days: July and the next one have days before the keys, the rest keeps them.
    without_key = [row["usage_date"] for row in rows if row["api_key_id"] is None]
    assert without_key == list(Window(date(2026, 7, 1), date(2026, 9, 1)).days())
    assert len(server.asked(COMPLETIONS)) == 1 + 2 + 2 + 1
    assert caplog.messages[0] == (
        "source openai_bill: usage of completions from 2026-07-01 to 2026-08-01 "
        "cannot be grouped by api_key_id; it is NULL for these days"
    )


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "cannot group by service_tier"),
        (400, "limit is too high"),
        (403, "you may not group by api_key_id"),
    ],
)
def test_only_a_refused_dimension_without_a_price_is_given_up(
    server: ReportingProvider, status: int, message: str
) -> None:
    server.serve(COMPLETIONS, Answer({"error": {"message": message}}, status), pages({"data": []}))
    with pytest.raises(ProviderError, match=message):
        pull(server)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"costs_page_limit": 181}, "less than or equal to 180"),
        ({"usage_page_limit": 32}, "usage_page_limit is at most 31 for buckets of 1d"),
        ({"usage_page_limit": 169, "bucket_width": "1h"}, "usage_page_limit is at most 168"),
        ({"bucket_width": "1m"}, "'1d' or '1h'"),
        ({"endpoints": ["completion"]}, "'completions'"),
        ({"group_by": {"completions": ["user_id"]}}, "completions cannot be grouped by 'user_id'"),
        ({"group_by": {"cost": ["line_item"]}}, "unknown endpoint 'cost'; known: costs, completions"),
        ({"base_url": "http://api.openai.com/v1"}, "must use https"),
        ({"api_key": KEY}, "Extra inputs are not permitted"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(config: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        OpenaiOrganizationConfig.model_validate(config)


# The provider's own client states the contract: a field that only one side has fails.

# Identifies a person, or only names the type of the row.
NOT_LANDED = {"object", "user_id"}
ADDED = {"bucket_start", "bucket_end", "endpoint"}


def sdk_result(name: str) -> set[str]:
    return set(getattr(sdk_costs, f"DataResultOrganization{name}Result").model_fields)


@pytest.mark.parametrize(("name", "table"), [
    ("UsageCompletions", "openai_usage_completions"),
    ("UsageEmbeddings", "openai_usage_embeddings"),
])  # fmt: skip
def test_usage_columns_are_those_of_the_client(name: str, table: str) -> None:
    (spec,) = (spec for spec in OpenaiOrganization.tables if spec.name == table)
    assert set(spec.schema.names) - ADDED == sdk_result(name) - NOT_LANDED


def test_other_columns_are_those_of_the_client() -> None:
    names = ("Moderations", "Images", "AudioSpeeches", "AudioTranscriptions", "VectorStores",
             "CodeInterpreterSessions", "FileSearches", "WebSearches")  # fmt: skip
    measures = {
        "input_tokens",
        "images",
        "characters",
        "seconds",
        "usage_bytes",
        "num_sessions",
        "num_requests",
    }
    stated = set[str]().union(*(sdk_result("Usage" + name) for name in names))
    assert measures <= stated
    landed = set(USAGE_OTHER.schema.names) - ADDED - {"quantity", "quantity_unit"}
    assert landed == stated - measures - NOT_LANDED


def test_cost_columns_are_those_of_the_client() -> None:
    stated = sdk_result("Costs") - NOT_LANDED - {"amount"} | {"amount_usd", "currency"}
    assert set(COSTS.schema.names) - ADDED == stated


def test_endpoints_and_groups_are_those_of_the_client() -> None:
    methods = {name for name in vars(sdk_usage.Usage) if not name.startswith(("_", "with_"))}
    assert methods - {"costs"} == set(ENDPOINTS)
    (groups,) = get_args(get_type_hints(sdk_completions_params.UsageCompletionsParams)["group_by"])
    config = OpenaiOrganizationConfig(group_by={"completions": tuple(set(get_args(groups)) - {"user_id"})})
    assert "api_source" in config.groups("completions")
