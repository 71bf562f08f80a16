"""Snapshot names that the providers document and that no price list spells out any more.

Belongs here: names of which the provider's own page says that they are that model at that price, most of them
retired; old requests still carry them. Does not belong here: a snapshot with a price of its own (for example
`gpt-4o-realtime-preview-2024-10-01`), which stays unpriced until somebody enters its price.
"""

from __future__ import annotations

from typing import Final

#: Provider → model in the book → its documented names.
#: Sources: platform.claude.com/docs (model deprecations), developers.openai.com/api/docs/deprecations,
#: ai.google.dev/gemini-api/docs/changelog, cloud.google.com/vertex-ai (partner models).
DOCUMENTED_NAMES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "anthropic": {
        "claude-2": ("claude-2.0", "claude-2.1"),
        "claude-3-haiku": ("claude-3-haiku-20240307",),
        "claude-3-sonnet": ("claude-3-sonnet-20240229",),
        "claude-3-opus-latest": ("claude-3-opus-20240229",),
        "claude-3-5-haiku-latest": ("claude-3-5-haiku-20241022",),
        "claude-3-5-sonnet": (
            "claude-3-5-sonnet-20240620",
            "claude-3-5-sonnet-20241022",
            "claude-3-5-sonnet-latest",
        ),
        "claude-3-7-sonnet-latest": ("claude-3-7-sonnet-20250219",),
        "claude-sonnet-4-0": ("claude-sonnet-4-20250514",),
        "claude-opus-4-1": ("claude-opus-4-1-20250805",),
    },
    "openai": {
        "gpt-4.5-preview": ("gpt-4.5-preview-2025-02-27",),
        "gpt-4o-realtime-preview": (
            "gpt-4o-realtime-preview-2024-12-17",
            "gpt-4o-realtime-preview-2025-06-03",
        ),
        "moderation": ("omni-moderation-latest", "omni-moderation-2024-09-26", "text-moderation-latest"),
    },
    "gcp.gemini": {
        "gemini-1.5-pro": ("gemini-1.5-pro-001", "gemini-1.5-pro-002", "gemini-1.5-pro-latest"),
        "gemini-1.5-flash": ("gemini-1.5-flash-001", "gemini-1.5-flash-002", "gemini-1.5-flash-latest"),
        "gemini-flash-1.5-8b": (
            "gemini-1.5-flash-8b",
            "gemini-1.5-flash-8b-001",
            "gemini-1.5-flash-8b-latest",
        ),
        "gemini-2.0-flash": ("gemini-2.0-flash-001",),
        "gemini-2.0-flash-lite": ("gemini-2.0-flash-lite-001",),
        "gemini-2.5-pro": ("gemini-2.5-pro-preview-05-06", "gemini-2.5-pro-preview-06-05"),
        "gemini-2.5-flash-lite": (
            "gemini-2.5-flash-lite-preview-06-17",
            "gemini-2.5-flash-lite-preview-09-2025",
        ),
    },
    "gcp.vertex_ai": {
        "gemini-1.5-pro": ("gemini-1.5-pro-001", "gemini-1.5-pro-002"),
        "gemini-1.5-flash": ("gemini-1.5-flash-001", "gemini-1.5-flash-002"),
        "gemini-2.0-flash": ("gemini-2.0-flash-001",),
        "gemini-2.0-flash-lite": ("gemini-2.0-flash-lite-001",),
        "claude-3-5-sonnet": ("claude-3-5-sonnet@20240620", "claude-3-5-sonnet-v2@20241022"),
        "claude-3-7-sonnet": ("claude-3-7-sonnet@20250219",),
        "claude-4-sonnet": ("claude-sonnet-4@20250514",),
        "claude-4-opus": ("claude-opus-4@20250514", "claude-opus-4-1@20250805"),
    },
}
