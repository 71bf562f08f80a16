"""Sources: one module for each source system, and the registry that names them.

Belongs here: protocols, formats, paging, the source's own vocabulary. Does not belong here: Dagster, dbt,
prices, and any guess about what a field means beyond the source's contract.
"""

from __future__ import annotations

from importlib import import_module

from orchestration.connectors.base import Connector

CONNECTORS: dict[str, str] = {
    "llm_request_log": "orchestration.connectors.llm_request_log:LlmRequestLog",
    "product_outcome_log": "orchestration.connectors.product_outcome_log:ProductOutcomeLog",
    "company_tables": "orchestration.connectors.company_tables:CompanyTables",
    "otel_genai": "orchestration.connectors.otel_genai:OtelGenai",
    "litellm_log": "orchestration.connectors.litellm_log:LitellmLog",
    "openai_organization": "orchestration.connectors.openai_organization:OpenaiOrganization",
    "anthropic_organization": "orchestration.connectors.anthropic_organization:AnthropicOrganization",
    "focus_charges": "orchestration.connectors.focus_charges:FocusCharges",
}
"""Kind of source → `module:Class`. The class takes `(source_name, config, secrets)` and has a `Config` model."""


def connector_class(kind: str) -> type[Connector]:
    """Import and return the connector class of a kind.

    Raises:
        KeyError: When no connector of that kind is registered; the message lists those that are.
    """
    try:
        module_name, class_name = CONNECTORS[kind].split(":")
    except KeyError:
        raise KeyError(f"unknown kind of source {kind!r}; known: {', '.join(sorted(CONNECTORS))}") from None
    return getattr(import_module(module_name), class_name)
