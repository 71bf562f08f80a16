"""The loop, closed with real parts: calls, their log, a Dagster run, an alert, a switch, a refusal, and its row.

Clients, server of the counters, files and runs are what an installation has; the provider is a loopback. The first run
is the one that `spans` shares; the second goes on from a copy of it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from company import Company
from metered_app import CEILING, KEY, USER, MeteredApp
from trueup_middleware import Refused
from trueup_middleware.limits import account_of

from orchestration.publishing.reader import open_marts


@dataclass
class Loop:
    """What the tests look at after the loop went round once: who was refused, and what the warehouse says of it."""

    company: Company
    refusals: list[Refused]
    counted: int
    """What the budget counted for the call that went on."""

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with open_marts(self.company.home / "published") as marts:
            return marts.execute(query).fetchall()


@pytest.fixture(scope="module")
def loop(spans: Company, application: MeteredApp, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    def refused(call: Callable[[str], None], argument: str) -> Refused:
        with pytest.raises(Refused) as refusal:
            call(argument)
        return refusal.value

    refusals = [refused(application.index, "one more document"), refused(application.answer, "beta")]
    before = counted_now(application)
    application.answer("acme")
    assert application.meter.flush()
    counted = counted_now(application) - before
    home = tmp_path_factory.mktemp("loop") / "home"
    shutil.copytree(spans.home, home, symlinks=True)
    company = replace(spans, home=home)
    done = company.trueup("run")
    assert done.returncode == 0, done.stdout + done.stderr
    return Loop(company, refusals, counted)


def counted_now(application: MeteredApp) -> int:
    """Return what the budget of the tenant has counted today, in 10⁻⁹ USD."""
    now = datetime.now(UTC)
    account = account_of("tenant", "acme", "day", f"{now:%Y-%m-%d}")
    return application.ledger.balance(account, round(now.timestamp() * 1000)).total


def test_a_run_throws_the_switch_of_a_rule_that_may_and_the_next_call_is_refused(loop: Loop) -> None:
    switched_off, _ = loop.refusals
    assert (switched_off.status, switched_off.reason) == (429, "switched_off")
    assert 0 < (switched_off.retry_after_seconds or 0) <= 4 * 3600
    assert "embedding_overrun" in str(switched_off)
    rows = [json.loads(line) for line in (loop.company.settings.limits / "switch_events.jsonl").open()]
    events = [row for row in rows if row["switch_id"].startswith("embedding_overrun")]
    assert [(event["event"], event["by"]) for event in events] == [("proposed", "its rule"), ("activated", "its rule")]
    assert events[0]["switch"]["owner"] == "platform-on-call"


def test_a_plan_in_the_warehouse_is_a_budget_in_the_request_path(loop: Loop) -> None:
    _, over_budget = loop.refusals
    assert (over_budget.status, over_budget.reason) == (429, "budget_exceeded")


def test_the_refusals_are_in_the_warehouse_and_cost_nothing(loop: Loop) -> None:
    found = loop.rows(
        "select feature, tenant_id, outcome, http_status, error_type, effective_cost_usd from fct_llm_requests "
        "where http_status = 429 and source_name = 'app' order by feature desc"
    )
    assert found == [
        ("indexing", "acme", "rate_limited", 429, "switched_off", Decimal(0)),
        ("answers", "beta", "rate_limited", 429, "budget_exceeded", Decimal(0)),
    ]


def test_what_was_not_switched_off_went_on(loop: Loop) -> None:
    answered = "select count(*) from fct_llm_requests where source_name = 'app' and outcome = 'success'"
    assert loop.rows(answered) == [(3,)]
    # Nobody could price the call that came after the limits were published, so it counts at the ceiling.
    assert loop.counted == CEILING


def test_neither_user_nor_key_is_in_what_was_logged_published_or_counted(loop: Loop, application: MeteredApp) -> None:
    for path in (*application.logs.rglob("*"), *loop.company.settings.limits.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            assert USER.encode() not in content, path
            assert KEY.encode() not in content, path
