"""The cost of one request's usage by the book: the reference that the warehouse's SQL is tested against.

Belongs here: adding up disjoint usage classes. Does not belong here: how a source's counts become disjoint
classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal, localcontext
from typing import Final

from orchestration.pricebook.book import PriceBook, PriceRow
from orchestration.pricebook.vocabulary import STANDARD_TIER

#: Enough digits for 2⁶³ tokens at any price of the book.
_EXACT: Final = Context(prec=60)


@dataclass(frozen=True)
class Line:
    """One class of the usage.

    Attributes:
        usage_class: The class that was used.
        quantity: Tokens or things.
        row: The row that prices it; None when the book does not know.
        cost_usd: USD; 0 for a quantity of 0 whatever its price; None when there is a quantity and no price.
    """

    usage_class: str
    quantity: int
    row: PriceRow | None
    cost_usd: Decimal | None


@dataclass(frozen=True)
class Priced:
    """A request's cost in USD, None when any part of it is unknown, and the lines that add up to it."""

    cost_usd: Decimal | None
    lines: tuple[Line, ...]


def price_usage(
    book: PriceBook,
    provider: str,
    model: str,
    usage: Mapping[str, int],
    *,
    at: datetime,
    service_tier: str = STANDARD_TIER,
    region: str = "",
    known_at: datetime | None = None,
) -> Priced:
    """Price disjoint classes of one request; the per-request fee is added where the model has one.

    Args:
        book: The price book.
        provider: The provider's name in the book.
        model: Canonical model id.
        usage: Class → tokens or things; the input classes add up to the total that selects the context tier.
        at: When the request started.
        service_tier: The tier that was served.
        region: Region or geography that served it.
        known_at: Price as the book stood then; None for now.
    """
    total_input = sum(count for name, count in usage.items() if name.startswith(("input", "cache_")))
    lines: list[Line] = []
    for usage_class, quantity in {"request": 1, **usage}.items():
        row = book.price_for(
            provider,
            model,
            usage_class,
            at=at,
            service_tier=service_tier,
            total_input_tokens=total_input,
            region=region,
            known_at=known_at,
        )
        if usage_class == "request" and row is None:
            continue
        lines.append(Line(usage_class, quantity, row, _cost(quantity, row)))
    with localcontext(_EXACT):
        known = [line.cost_usd for line in lines if line.cost_usd is not None]
        is_known = len(known) == len(lines)
        return Priced(sum(known, Decimal(0)) if is_known else None, tuple(lines))


def _cost(quantity: int, row: PriceRow | None) -> Decimal | None:
    if quantity == 0:
        return Decimal(0)
    if row is None:
        return None
    with localcontext(_EXACT):
        return quantity * row.usd_per_unit
