"""What each provider's usage object means, and the words of the price book: data that the warehouse shares.

Belongs here: loading `semantics.json`. Does not belong here: applying it (`reading`, `prices`). The file is written by
`python -m orchestration.pricebook export-semantics` from the macros that the warehouse reads usage with; a test holds
the two equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

_DATA: Final[dict[str, Any]] = json.loads(
    files("trueup_middleware.usage").joinpath("semantics.json").read_text(encoding="utf-8")
)

#: Where each count stands in the usage object of each API, and whether the input holds what was cached.
USAGE_APIS: Final[Mapping[str, Mapping[str, Any]]] = _DATA["usage_apis"]
#: Disjoint classes of tokens.
TOKEN_CLASSES: Final[tuple[str, ...]] = tuple(_DATA["token_classes"])
#: Classes that are a part of another's tokens, charged at the difference of the two prices.
PART_CLASSES: Final[Mapping[str, str]] = _DATA["part_classes"]
#: Things that cost extra beside the tokens, and things that are billed instead of them: class to the line's field.
EXTRA_CLASSES: Final[Mapping[str, str | None]] = _DATA["extra_classes"]
APIECE_CLASSES: Final[Mapping[str, str | None]] = _DATA["apiece_classes"]
#: Which classes stand in for one without a price, in order.
FALLBACK_CLASSES: Final[Mapping[str, list[str]]] = _DATA["fallback_classes"]

PRICE_CLASSES: Final = (*TOKEN_CLASSES, *PART_CLASSES, "request", *EXTRA_CLASSES, *APIECE_CLASSES)
"""Every class that has a price."""
PRICED_PER_TOKEN: Final = frozenset((*TOKEN_CLASSES, *PART_CLASSES))
