"""Rows of a price book for tests, with everything that a test does not care about filled in."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from orchestration.pricebook.book import EVER, PriceKey, PriceRow
from orchestration.pricebook.vocabulary import USAGE_CLASSES


def moment(text: str) -> datetime:
    """Parse a moment; a bare date is its midnight in UTC."""
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def price_row(
    price: str,
    *,
    usage_class: str = "input",
    provider: str = "p",
    model: str = "m",
    valid: tuple[str, str | None] = ("1970-01-01", None),
    known: tuple[str, str | None] = ("1970-01-01", None),
    precedence: int = 20,
    source: str = "genai-prices",
    price_id: str | None = None,
    **key: str | int,
) -> PriceRow:
    """A row with everything that a test does not care about filled in."""
    is_token = USAGE_CLASSES.get(usage_class) == "token"
    full_key = PriceKey(provider=provider, model=model, usage_class=usage_class, **key)  # type: ignore[arg-type]
    start, end = (moment(text) if text else None for text in valid)
    known_from, known_to = (moment(text) if text else None for text in known)
    return PriceRow(
        price_id=price_id if price_id is not None else f"{source}:{full_key}:{valid}:{known}:{precedence}",
        key=full_key,
        valid_from=start or EVER,
        valid_to=end,
        known_from=known_from or EVER,
        known_to=known_to,
        price_usd_per_mtok=Decimal(price) if is_token else None,
        price_usd_per_kcount=None if is_token else Decimal(price),
        precedence=precedence,
        source=source,
        source_version="1",
        source_url="https://example.com/prices",
        captured_on=None,
        note="",
    )
