"""One vocabulary for providers, tiers and models, as the warehouse's `macros/names.sql` has it.

Belongs here: what older conventions and gateways write, and its name in the price book. Does not belong here: looking
a name up (`prices`).
"""

from __future__ import annotations

import re
from typing import Final

_PROVIDERS: Final = {
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "az.ai.openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "google_genai": "gcp.gemini",
    "gcp.gen_ai": "gcp.gemini",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
    "x-ai": "x_ai",
    "moonshot": "moonshot_ai",
}
_TIERS: Final = {
    "default": "standard",
    "auto": "standard",
    "on_demand": "standard",
    "standard_only": "standard",
    "flex_discount": "flex",
    "priority_on_demand": "priority",
    "": "standard",
}
_PRICED_TIERS: Final = frozenset(("standard", "batch", "flex", "priority", "fast", "ultrafast", "balanced"))
_ARN: Final = re.compile(r"arn:aws.*:bedrock:.*?:(?:foundation-model|inference-profile)/(.+)")


def provider_name(name: str) -> str:
    """Return OpenTelemetry's `gen_ai.provider.name` of a provider."""
    name = name.lower()
    return _PROVIDERS.get(name, name)


def priced_tier(served: str | None) -> str | None:
    """Return the tier of the price book in which a request was served; None where its tokens have no price."""
    served = (served or "").lower()
    tier = _TIERS.get(served, served)
    return tier if tier in _PRICED_TIERS else None


def model_lookup_name(name: str) -> str:
    """Return a model's own name out of what was logged, by the documented structure of the name alone."""
    name = name.strip(" ").lower()
    parts = name.split(":")
    if parts[0] == "ft" and len(parts) > 2:
        return f"ft:{parts[1]}"
    if matched := _ARN.fullmatch(name):
        return matched[1]
    return name
