"""Days and months in somebody's time zone.

Belongs here: the window that a moment lies in. Does not belong here: whose zone it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

Period = Literal["day", "month"]


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of time.

    Attributes:
        name: `2026-11-21` or `2026-11`.
        first_date: Its first local day.
        start: Its first moment, UTC: local midnight, or the moment the clock jumps over it.
        end: The first moment after it, UTC.
    """

    name: str
    first_date: date
    start: datetime
    end: datetime


def billing_window(period: Period, zone: tzinfo, moment: datetime) -> Window:
    """Return the day or month of `moment` in `zone`; with daylight saving a day has 23 to 25 hours."""
    return _window(period, zone, moment.astimezone(zone).date())


@lru_cache(maxsize=4096)
def zone_named(name: str) -> tzinfo:
    """Return a zone by its IANA name.

    Raises:
        ZoneInfoNotFoundError: There is no such zone here. It is a KeyError.
        ValueError: The name is none.
    """
    return UTC if name == "UTC" else ZoneInfo(name)


@lru_cache(maxsize=4096)
def _window(period: Period, zone: tzinfo, day: date) -> Window:
    if period == "day":
        first, end, name = day, day + timedelta(days=1), day.isoformat()
    else:
        first = day.replace(day=1)
        end = (first + timedelta(days=32)).replace(day=1)
        name = f"{first:%Y-%m}"
    return Window(name, first, _midnight(first, zone), _midnight(end, zone))


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
