"""Promise 7: one request, one cost, however many sources saw it; how many saw it is kept.

One company lives two days; every case is a tenant of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from harness import Company, moment, request

DAY = date(2026, 10, 1)
NEXT_DAY = DAY + timedelta(days=1)
MIDNIGHT = moment(NEXT_DAY, 0)
COST = Decimal("0.0028")
"""1,000 tokens in at $2 a million and 100 out at $8."""


def span(started_at: Any, **columns: Any) -> dict[str, Any]:
    """A row of `otel_genai_spans`."""
    names = ["started_at", "provider", "model", "outcome", "input_tokens", "output_tokens", "response_id", "tenant_id"]
    base = {name: value for name, value in request(started_at).items() if name in names}
    return base | {"tenant_id": None, "input_includes_cache": True, "operation_name": "chat"} | columns


def gateway(started_at: Any, **columns: Any) -> dict[str, Any]:
    """A row of `litellm_requests`."""
    names = ["request_id", "response_id", "provider", "model", "outcome", "input_tokens", "output_tokens"]
    base = {name: value for name, value in request(started_at).items() if name in names}
    return base | {"started_at": started_at, "call_type": "acompletion"} | columns


def seen_by_all(observers: dict[str, list[dict[str, Any]]]) -> None:
    """D5: application, span and gateway, each knowing something that the others do not."""
    shared = {"response_id": "resp_all"}
    observers["llm_requests"] += [
        request(moment(DAY, 10), **shared, tenant_id="all", input_tokens=None, output_tokens=None, latency_ms=900.0)
    ]
    observers["otel_genai_spans"] += [span(moment(DAY, 10), **shared, trace_id="t", span_id="s", service_tier="batch")]
    observers["litellm_requests"] += [gateway(moment(DAY, 10), **shared, tenant_id="wrong", input_tokens=7)]


def cache_known_to_the_gateway_alone(observers: dict[str, list[dict[str, Any]]]) -> None:
    """The span says the same totals and nothing of the cache; of another call it says other totals."""
    for response_id, input_tokens in (("resp_same", 1000), ("resp_other", 900)):
        shared = {"response_id": response_id, "tenant_id": "half_cached"}
        observers["otel_genai_spans"] += [span(moment(DAY, 10), **shared)]
        observers["litellm_requests"] += [
            gateway(moment(DAY, 10), **shared, input_tokens=input_tokens, cache_read_tokens=400)
        ]


def two_calls_of_one_tenant_in_a_trace(observers: dict[str, list[dict[str, Any]]]) -> None:
    """The application knows the span and not the response; its other call only the span around both."""
    observers["llm_requests"] += [
        request(moment(DAY, 10), tenant_id="by_span", response_id=None, trace_id="t1", span_id="leaf"),
        request(moment(DAY, 10), tenant_id="by_span", response_id=None, trace_id="t1", span_id="around"),
        request(moment(DAY, 10), tenant_id="by_span", response_id=None, trace_id="t1", span_id="around"),
    ]
    observers["otel_genai_spans"] += [span(moment(DAY, 10), trace_id="t1", span_id="leaf")]


def repeated_lines(observers: dict[str, list[dict[str, Any]]]) -> None:
    """D6, D7, D8, X4, X5: a log repeats a response, once for every chunk of its stream; counts are cumulative."""
    observers["llm_requests"] += [
        request(moment(DAY, 10), tenant_id="repeated", response_id="resp_again", request_id="r", output_tokens=tokens)
        for tokens in (10, 100, 50, 100)
    ]


def attempts_of_one_operation(observers: dict[str, list[dict[str, Any]]]) -> None:
    """D10: retries under one request id are requests of their own."""
    observers["llm_requests"] += [
        request(
            moment(DAY, 10),
            tenant_id="retried",
            request_id="same",
            response_id=None,
            attempt_number=attempt,
            outcome="rate_limited",
            input_tokens=None,
            output_tokens=None,
        )
        for attempt in (1, 2)
    ]


def answered_from_our_own_cache(observers: dict[str, list[dict[str, Any]]]) -> None:
    """D11: the kept answer has the id of the call that was paid."""
    observers["litellm_requests"] += [
        gateway(moment(DAY, 10), response_id="resp_kept", tenant_id="cached", feature="paid"),
        gateway(moment(DAY, 11), response_id="resp_kept", tenant_id="cached", feature="hit", response_cache_hit=True),
        gateway(moment(DAY, 12), response_id="resp_kept", tenant_id="cached", feature="hit", response_cache_hit=True),
    ]


def on_either_side_of_midnight(observers: dict[str, list[dict[str, Any]]]) -> None:
    """Clocks differ: one call is seen before midnight and after it. Ten minutes apart it is another call."""
    for response_id, before, after in [
        ("resp_midnight", timedelta(seconds=-1), timedelta(seconds=1)),
        ("resp_apart", timedelta(minutes=-11), timedelta(seconds=1)),
    ]:
        columns = {"response_id": response_id, "tenant_id": "midnight"}
        observers["llm_requests"] += [request(MIDNIGHT + before, **columns)]
        observers["litellm_requests"] += [gateway(MIDNIGHT + after, **columns)]


def observations() -> dict[str, list[dict[str, Any]]]:
    observers: dict[str, list[dict[str, Any]]] = {"llm_requests": [], "otel_genai_spans": [], "litellm_requests": []}
    for case in (
        seen_by_all,
        cache_known_to_the_gateway_alone,
        two_calls_of_one_tenant_in_a_trace,
        repeated_lines,
        attempts_of_one_operation,
        answered_from_our_own_cache,
        on_either_side_of_midnight,
    ):
        case(observers)
    return observers


FACTS = "select * exclude (pull_id) from marts.fct_llm_requests order by all"


@pytest.fixture(scope="module")
def company(empty_company: Company, tmp_path_factory: pytest.TempPathFactory) -> Company:
    company = empty_company.copy(tmp_path_factory.mktemp("observers") / "company")
    for table, rows in observations().items():
        company.land(table, rows)
    company.build(DAY, NEXT_DAY)
    return company


def requests_of(company: Company, tenant: str) -> list[dict[str, Any]]:
    return company.query(
        "select * from marts.fct_llm_requests where tenant_id = ? order by started_at, feature", tenant
    )


def test_three_observers_of_one_call_are_one_request_with_the_best_of_each(company: Company) -> None:
    (row,) = requests_of(company, "all")
    assert (row["observed_by"], row["observations_count"]) == ("app_log,gateway,otel_span", 3)
    # The application comes first but has no counts; the span comes next; the gateway's 7 tokens are not mixed in.
    assert (row["usage_observer"], row["input_tokens"], row["output_tokens"]) == ("otel_span", 1000, 100)
    # V2: only the span knows the tier that was served; an application that is silent does not make it standard.
    assert (row["service_tier"], row["list_cost_usd"]) == ("batch", Decimal("0.0014"))
    assert (row["feature"], row["latency_ms"]) == ("draft", 900.0)
    assert company.value("select count(*) from marts.fct_llm_requests where tenant_id = 'wrong'") == 0


def test_of_equal_totals_the_set_that_knows_the_cache_counts(company: Company) -> None:
    rows = {row["response_id"]: row for row in requests_of(company, "half_cached")}
    same, other = rows["resp_same"], rows["resp_other"]
    assert (same["usage_observer"], same["input_class_tokens"], same["cache_read_class_tokens"]) == (
        "gateway",
        600,
        400,
    )
    assert (other["usage_observer"], other["input_class_tokens"]) == ("otel_span", 1000)


def test_an_application_that_knows_only_the_span_saw_the_same_call(company: Company) -> None:
    rows = requests_of(company, "by_span")
    assert sorted(row["observed_by"] for row in rows) == ["app_log", "app_log", "app_log,otel_span"]
    assert [row["list_cost_usd"] for row in rows] == [COST] * 3


def test_repeated_lines_count_once_with_the_last_cumulative_usage(company: Company) -> None:
    (row,) = requests_of(company, "repeated")
    assert (row["observations_count"], row["output_tokens"], row["list_cost_usd"]) == (4, 100, COST)


def test_attempts_under_one_request_id_are_requests_of_their_own(company: Company) -> None:
    rows = requests_of(company, "retried")
    assert [(row["is_retry"], row["list_cost_usd"]) for row in sorted(rows, key=lambda row: row["attempt_number"])] == [
        (False, Decimal(0)),
        (True, Decimal(0)),
    ]


def test_answers_from_our_own_cache_are_avoided_cost_and_leave_the_paid_call_alone(company: Company) -> None:
    rows = requests_of(company, "cached")
    assert [(row["feature"], row["list_cost_usd"], row["avoided_cost_usd"]) for row in rows] == [
        ("paid", COST, None),
        ("hit", Decimal(0), COST),
        ("hit", Decimal(0), COST),
    ]


def test_a_call_on_either_side_of_midnight_counts_on_the_day_on_which_it_was_first_seen(company: Company) -> None:
    rows = requests_of(company, "midnight")
    assert [(row["response_id"], row["usage_date"]) for row in rows] == [
        ("resp_apart", DAY),
        ("resp_midnight", DAY),
        ("resp_apart", NEXT_DAY),
    ]


def test_every_roll_up_has_the_cost_of_the_requests(company: Company) -> None:
    total = company.value("select sum(effective_cost_usd) from marts.fct_llm_requests")
    for mart in ("llm_usage_by_tenant_feature_model_day", "fct_operations", "operations_by_tenant_feature_day"):
        assert company.value(f"select sum(effective_cost_usd) from marts.{mart}") == total


def test_neither_the_order_of_rows_nor_of_pulls_nor_of_days_changes_a_fact(
    company: Company, empty_company: Company, tmp_path: Any
) -> None:
    """Promise 5, for requests: landed backwards, in other pieces, later day first, and built twice."""
    other = empty_company.copy(tmp_path / "company")

    def land_backwards(table: str, rows: Sequence[dict[str, Any]]) -> None:
        for piece in (rows[len(rows) // 2 :], rows[: len(rows) // 2]):
            other.land(table, list(reversed(piece)))

    # The same ids as before: they are counted up, so they are read back from what the other company has.
    with company.connect() as connection:
        for table in ("litellm_requests", "otel_genai_spans", "llm_requests"):
            files = str(company.home / "landing" / "*" / table / "usage_date=2*" / "*.parquet")
            columns = "exclude (source_name, pull_id, usage_date)"
            rows = connection.execute(f"select * {columns} from read_parquet(?)", [files]).to_arrow_table().to_pylist()
            land_backwards(table, rows)
    for day in (NEXT_DAY, DAY, NEXT_DAY):
        other.build(day, day, "int_llm_requests__attributed")
    assert other.query(FACTS) == company.query(FACTS)
