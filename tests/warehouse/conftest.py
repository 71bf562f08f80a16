"""One parsed project and one empty company for the whole session."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from harness import PRICES, Company, Dbt, moment, openai_cost, outcome, request

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"

# Real recordings lie beside a checkout, not in it.
collect_ignore = [] if SAMPLES.is_dir() else ["test_litellm_sample.py"]


@pytest.fixture(scope="session")
def empty_company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """A company in which nothing has happened; copy it, never build in it.

    The process stands in Auckland, thirteen hours before UTC: a day that is cut in local time comes out wrong.
    """
    folder = tmp_path_factory.mktemp("warehouse")
    with pytest.MonkeyPatch.context() as environment:
        for name in ("TRUEUP_HOME", "TRUEUP_PRICING", "TRUEUP_AS_KNOWN_AT"):
            environment.delenv(name, raising=False)
        environment.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        yield Company.found(Dbt(folder), folder / "empty", PRICES)
    time.tzset()


@pytest.fixture
def company(empty_company: Company, tmp_path: Path) -> Company:
    """A company of one's own in which nothing has happened."""
    return empty_company.copy(tmp_path / "company")


@pytest.fixture(scope="session")
def grown(empty_company: Company, tmp_path_factory: pytest.TempPathFactory) -> Company:
    """A company from 30 September to 9 October 2026; look, and leave it as it is.

    acme drafts for $30 a day from 2 October on; on the 9th a release more than doubles its prompts. globex searches for
    $6 a day. On 30 September nearly all of initech's calls were in vain.
    """
    company = empty_company.copy(tmp_path_factory.mktemp("grown") / "company")
    last_day = date(2026, 10, 9)
    rows = []
    for number in range(8):
        day = last_day - timedelta(days=number)
        tokens = 3_300_000 if day == last_day else 1_500_000
        rows += [request(moment(day), input_tokens=tokens, output_tokens=0) for _ in range(10)]
        searches = {"tenant_id": "globex", "feature": "search", "input_tokens": 1_000_000, "output_tokens": 0}
        rows += [request(moment(day), **searches) for _ in range(3)]
    bad_day = date(2026, 9, 30)
    rows += [
        request(moment(bad_day, 12 + number), tenant_id="initech", output_tokens=0, operation_id=operation, **columns)
        for number, (operation, columns) in enumerate(
            [
                ("op_1", {"input_tokens": 1_000_000, "outcome": "timeout"}),
                ("op_1", {"input_tokens": 2_000_000, "outcome": "error", "attempt_number": 2}),
                ("op_1", {"input_tokens": 3_000_000, "outcome": "error", "attempt_number": 3, "is_fallback": True}),
                ("op_1", {"input_tokens": 4_000_000, "outcome": "cancelled", "attempt_number": 4}),
                ("op_2", {"input_tokens": 5_000_000}),
                ("op_3", {"input_tokens": 6_000_000}),
                ("op_4", {"input_tokens": 7_000_000}),
            ]
        )
    ]
    company.land("llm_requests", rows)
    judged = {"tenant_id": "initech"}
    company.land(
        "product_outcomes",
        [
            outcome(moment(bad_day, 20), operation_id="op_2", event_id="taken", **judged),
            outcome(moment(bad_day, 20), operation_id="op_3", verdict="rejected", **judged),
            outcome(moment(bad_day, 21), operation_id="op_3", verdict="rejected", name="other_name", **judged),
            outcome(moment(bad_day, 20), operation_id="op_4", **judged),
            outcome(moment(date(2026, 10, 2)), verdict="reversed", reverses="taken", **judged),
        ],
    )
    company.land("releases", [{"release_id": "2026.10.2", "deployed_at": moment(last_day, 0), "feature": "draft"}])
    company.land("openai_costs", [openai_cost(date(2026, 10, 3), "Something new", "5")])
    plans = [("pro", 3), ("max", 1000)]
    company.land(
        "plans", [{"plan_id": name, "plan_name": name.title(), "included_operations": limit} for name, limit in plans]
    )
    change = date(2026, 10, 5)
    company.land(
        "subscriptions",
        [
            {"tenant_id": "acme", "plan_id": "pro", "valid_from": date(2026, 1, 1), "valid_to": change, "seats": 5},
            {"tenant_id": "acme", "plan_id": "max", "valid_from": change, "seats": 6},
            {"tenant_id": "globex", "plan_id": "pro", "valid_from": date(2026, 1, 1), "seats": 7},
        ],
    )
    october, november = date(2026, 10, 1), date(2026, 11, 1)
    company.land(
        "revenue",
        [
            {
                "tenant_id": tenant,
                "invoice_id": "in_1",
                "line_id": f"line_{number}",
                "service_start_date": start,
                "service_end_date": end,
                "amount_usd": Decimal(amount),
                "kind": kind,
            }
            for number, (tenant, start, end, amount, kind) in enumerate(
                [
                    ("acme", date(2026, 9, 1), october, "300", "subscription"),
                    ("acme", october, november, "310", "subscription"),
                    ("acme", october, november, "-31", "credit"),
                    ("globex", october, date(2026, 10, 4), "1", "usage"),
                    ("hooli", october, october, "7", "subscription"),
                ]
            )
        ],
    )
    company.build(bad_day, last_day)
    company.roll_up()
    return company
