"""Figures and names as words.

Belongs here: how a value is written, the same in a table, a tile and a tooltip. Does not belong here: figures.
The terminal's rules hold (`orchestration.report`): `unknown` is not free, `≥` lacks attempts of unknown price, and a
ratio without a denominator is a dash.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal

from dashboards.filters import Days
from orchestration.report import AT_LEAST, NO_RATIO, UNKNOWN, count, percent, safe_text, usd, usd_each
from orchestration.report import number as report_number

__all__ = ["AT_LEAST", "NO_RATIO", "UNKNOWN", "count", "number", "percent", "usd", "usd_each"]

NOT_STATED = "not stated"


def number(value: float | Decimal | None) -> str:
    """Return a measure with four significant digits, whole from a thousand on."""
    return report_number(None if value is None else float(value))


def visible(text: str) -> str:
    """Return a name with control, private and direction characters spelled out."""
    return safe_text(text, longest=max(1, len(text))).plain


def name(text: str | None) -> str:
    """Return a name; `not stated` for none."""
    return visible(text) if text else NOT_STATED


def usd_change(amount: Decimal | None) -> str:
    """Return a change with its sign."""
    return UNKNOWN if amount is None else f"+{usd(amount)}" if amount > 0 else usd(amount)


def rate(value: float | Decimal | None, decimals: int = 1) -> str:
    """Return a share as a percentage; a dash for None."""
    return NO_RATIO if value is None else f"{value:.{decimals}%}"


def rate_change(before: Decimal | int | None, after: Decimal | int | None) -> str | None:
    """Return by how much something moved, relative to what it was; None where that is no ratio."""
    if before is None or after is None or before <= 0:
        return None
    return f"{Decimal(after) / Decimal(before) - 1:+.1%}"


def ratio(part: Decimal | int | None, whole: Decimal | int | None) -> Decimal | None:
    """Return a quotient for show; None where it has none."""
    return None if part is None or not whole or whole < 0 else Decimal(part) / Decimal(whole)


def tokens(value: Decimal | int | None) -> str:
    """Return a count of tokens, in thousands, millions or billions."""
    if value is None:
        return UNKNOWN
    for size, unit in ((1_000_000_000, "B"), (1_000_000, "M"), (10_000, "k")):
        if abs(value) >= size:
            return f"{Decimal(value) / (size if unit != 'k' else 1_000):,.1f} {unit}"
    return f"{value:,.0f}"


def day(value: date | None) -> str:
    """Return a date as `31 Oct 2026`."""
    return NO_RATIO if value is None else f"{value.day} {value:%b %Y}"


def days(value: Days) -> str:
    """Return days as `2 Oct 2026 – 31 Oct 2026`, one as `31 Oct 2026`."""
    return day(value.first) if value.count == 1 else f"{day(value.first)} – {day(value.last)}"


def month(value: date | None) -> str:
    """Return a month as `Oct 2026`."""
    return NO_RATIO if value is None else f"{value:%b %Y}"


def moment(value: datetime | None, zone: tzinfo) -> str:
    """Return a moment as `31 Oct 2026 14:03:09` with the zone's name."""
    if value is None:
        return NO_RATIO
    local = value.astimezone(zone)
    return f"{day(local.date())} {local:%H:%M:%S} {local.tzname()}"


def ago(span: timedelta) -> str:
    """Return how long ago something was, in the largest unit that fits."""
    for seconds, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if (amount := int(span.total_seconds() // seconds)) >= 1:
            return f"{amount} {unit}{'s' if amount > 1 else ''} ago"
    return "just now"
