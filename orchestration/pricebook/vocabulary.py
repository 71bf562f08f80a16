"""The words of the price book: usage classes, their units, how one class stands in for another, tiers.

Belongs here: names and the facts attached to a name. Does not belong here: prices, and how a source spells
things (that is in `genai_source` and `litellm_source`).
"""

from __future__ import annotations

from typing import Final, Literal

Unit = Literal["token", "count"]

#: Billing classes of a request. They are disjoint: every token or thing of a request is in exactly one of
#: them. "token" classes are priced in USD per million, "count" classes in USD per thousand.
USAGE_CLASSES: Final[dict[str, Unit]] = {
    "input": "token",
    "cache_read": "token",
    "cache_write_5m": "token",
    "cache_write_30m": "token",
    "cache_write_1h": "token",
    "cache_write_12h": "token",
    "output": "token",
    "reasoning": "token",
    "citation": "token",
    "input_audio": "token",
    "cache_read_audio": "token",
    "output_audio": "token",
    "input_image": "token",
    "cache_read_image": "token",
    "output_image": "token",
    "input_video": "token",
    "output_video": "token",
    "request": "count",
    "message": "count",
    "web_search": "count",
    "social_search": "count",
    "file_search": "count",
    "rerank_search": "count",
    "code_execution": "count",
    "image": "count",
    "pixel": "count",
    "second": "count",
    "character": "count",
    "page": "count",
    "annotated_page": "count",
}

#: Where no price of a class is listed, the next class in its chain is charged: a provider that lists no cache
#: price bills a cached token as input. A chain never leads to a cheaper kind of thing than the list names,
#: and a class without a chain is unpriced when it is not listed.
FALLBACK_CLASSES: Final[dict[str, tuple[str, ...]]] = {
    "cache_read": ("input",),
    "cache_write_5m": ("input",),
    "cache_write_30m": ("cache_write_5m", "input"),
    "cache_write_1h": ("cache_write_5m", "input"),
    "cache_write_12h": ("cache_write_30m", "cache_write_5m", "input"),
    "reasoning": ("output",),
    "citation": ("output",),
    "input_audio": ("input",),
    "cache_read_audio": ("cache_read", "input_audio", "input"),
    "output_audio": ("output",),
    "input_image": ("input",),
    "cache_read_image": ("cache_read", "input_image", "input"),
    "output_image": ("output",),
    "input_video": ("input",),
    "output_video": ("output",),
}

#: The tier that a price holds for when the provider knows no tiers, and that every other tier falls back to.
STANDARD_TIER: Final = "standard"
SERVICE_TIERS: Final = frozenset({STANDARD_TIER, "batch", "flex", "priority", "fast", "ultrafast", "balanced", "scale"})

#: Which source is believed first. An override is a human's verified correction.
PRECEDENCE: Final[dict[str, int]] = {"override": 30, "genai-prices": 20, "litellm": 10}

#: Decimal places that a price may have: twelve digits per single token or thing, which is what the warehouse
#: keeps.
MTOK_DECIMALS: Final = 6
KCOUNT_DECIMALS: Final = 9


def unit_of(usage_class: str) -> Unit:
    """Return the unit of `usage_class`.

    Raises:
        KeyError: When the class is not in the vocabulary.
    """
    return USAGE_CLASSES[usage_class]
