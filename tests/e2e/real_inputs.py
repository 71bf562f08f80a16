"""An installation whose sources are real: the spans of a real client, recordings of others, a public trace.

Belongs here: landing, pricing and publishing them as a user does, once for all tests. Does not belong here: what the
figures should be. The recordings bear the ids of one generator, as if one saw the other's calls: the gateway's get a
prefix.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from company import Company
from metered_app import MeteredApp

from orchestration.publishing.reader import open_marts

SHARED = Path(__file__).resolve().parents[3] / "shared"
AZURE_TRACE = SHARED / "traces" / "azure_2023" / "AzureLLMInferenceTrace_conv.csv"
LITELLM = SHARED / "samples" / "litellm_standard_logging.jsonl"
SPANS = SHARED / "samples" / "otel_openai_v2_spans.jsonl"

_DOCUMENT = """type: orchestration.components.SourceComponent
attributes:
  source_name: {name}
  kind: {kind}
  config:
    path: "{path}"
"""


def trace_lines() -> Iterator[dict[str, Any]]:
    """Yield the calls of the public Azure trace (Splitwise, ISCA 2024) as `llm.request` lines, three years later."""
    with AZURE_TRACE.open() as file:
        for number, row in enumerate(csv.DictReader(file)):
            moment = datetime.fromisoformat(row["TIMESTAMP"]).replace(year=2026, tzinfo=UTC)
            yield {
                "event": "llm.request",
                "ts": moment.isoformat(),
                "request_id": f"azure_{number}",
                "provider": "openai",
                "model": ("gpt-4.1", "gpt-4.1-mini", "gpt-4o")[number % 3],
                "feature": "conversation",
                "tenant_id": f"tenant_{number % 7}",
                "outcome": "success",
                "input_tokens": int(row["ContextTokens"]),
                "output_tokens": int(row["GeneratedTokens"]),
            }


def gateway_lines() -> list[str]:
    """Return what LiteLLM logged, with ids that are in no other recording."""
    lines = LITELLM.read_text().splitlines()
    return [line.replace(json.loads(line)["id"], f"gateway-{json.loads(line)['id']}") for line in lines]


def build_spans(folder: Path, client_spans: Path, application: MeteredApp) -> Company:
    """Run the main job over the client's spans, an application's log, and the recordings if they are there."""
    sources = folder / "sources"
    sources.mkdir()
    (sources / "application.yaml").write_text(application.documents)
    inputs = {"client": ("otel_genai", client_spans)}
    if SHARED.is_dir():
        azure, gateway = folder / "azure.jsonl", folder / "gateway.jsonl"
        azure.write_text("".join(json.dumps(line) + "\n" for line in trace_lines()))
        gateway.write_text("".join(f"{line}\n" for line in gateway_lines()))
        inputs |= {
            "recorded": ("otel_genai", SPANS),
            "azure": ("llm_request_log", azure),
            "gateway": ("litellm_log", gateway),
        }
    for name, (kind, path) in inputs.items():
        (sources / f"{name}.yaml").write_text(_DOCUMENT.format(name=name, kind=kind, path=path))
    environment = {
        "TRUEUP_SOURCES": str(sources),
        "TRUEUP_START_DATE": "2026-11-16",
        "TRUEUP_USER_HASH_KEY": "a key for tests",
        **application.environment,
    }
    company = Company(folder / "home", "", environment)
    done = company.trueup("run")
    assert done.returncode == 0, done.stdout + done.stderr
    return company


def published(company: Company, source_name: str, columns: str) -> list[tuple[Any, ...]]:
    """Return the published calls of one source, oldest first."""
    with open_marts(company.home / "published") as marts:
        query = f"select {columns} from fct_llm_requests where source_name = ? order by started_at, request_key"
        return marts.execute(query, [source_name]).fetchall()


def cost_usd(*parts: tuple[int, str]) -> Decimal:
    """Multiply tokens by USD a million tokens, and add up."""
    return sum((tokens * Decimal(usd) / 1_000_000 for tokens, usd in parts), Decimal(0))
