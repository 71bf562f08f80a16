"""The built-in demo company: a deterministic SaaS, its telemetry, its tables and its providers' bills.

Belongs here: generating inputs that the connectors read, and serving the bills over HTTP on loopback. Does
not belong here: any pricing code of the pipeline. The bills come from `oracle`, which has its own price
table, so that the warehouse is compared with somebody else's arithmetic.

`generate(out, options)` writes::

    out/requests/day=YYYY-MM-DD[-NNN].jsonl[.gz]  llm.request lines; search_assist writes camelCase
    out/otel/day=YYYY-MM-DD[-NNN].jsonl           OTLP/JSON: rag_answers again, and calls only spans know
    out/gateway/day=YYYY-MM-DD[-NNN].jsonl        LiteLLM StandardLoggingPayload: ticket_classifier again
    out/outcomes/day=YYYY-MM-DD.jsonl             product.outcome lines, by the day on which they happened
    out/company/<table>.csv                       customers plans subscriptions revenue releases budgets
    out/bills/{openai,anthropic}.json             what `LoopbackProviders` serves, in two revisions
    out/pricing/price_overrides_sample.csv        the planted price change, for TRUEUP_HOME/pricing/
    out/truth/cost_by_tenant_feature_day.csv      who really caused which cost, at list price
    out/ground_truth.json                         planted incidents and sizes, totals by provider and day
    out/.sample.json                              marker: options, version, counts; written last

`NNN` numbers the parts of a day that is too large for one file.

A second `generate` with the same options finds the marker and writes nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from orchestration.sample_company.options import SampleManifest, SampleOptions
from orchestration.sample_company.sample import Progress, generate

if TYPE_CHECKING:
    from orchestration.sample_company.providers import LoopbackProviders

__all__ = ["LoopbackProviders", "Progress", "SampleManifest", "SampleOptions", "generate"]


def __getattr__(name: str) -> Any:
    """Import the server when it is first asked for; whoever generates does not need it."""
    if name != "LoopbackProviders":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.providers").LoopbackProviders
