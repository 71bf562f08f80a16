"""What a view shows, and the link that says so.

Belongs here: filters, their defaults and their form in a URL. Does not belong here: widgets (`chrome`) and SQL.

Every value in a link comes from outside: what is not understood falls back to its default, and names are kept as they
are, because they are only ever bound to a query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum

LONGEST_NAME = 2_000
"""Names in a link are cut off here; the longest that is ever shown is a quarter of it."""


class Basis(StrEnum):
    """Which cost is shown; the words are FOCUS's."""

    EFFECTIVE = "effective"
    CONTRACTED = "contracted"
    LIST = "list"

    @property
    def column(self) -> str:
        """Return the marts' column of it."""
        return f"{self}_cost_usd"


class Zone(StrEnum):
    """How moments are shown; days stay UTC, as the bill has them."""

    UTC = "utc"
    LOCAL = "local"


DIMENSIONS = {
    "tenant": "tenant_id",
    "plan": "plan_name",
    "feature": "feature",
    "model": "model",
    "provider": "provider",
    "environment": "environment",
}
"""Name in a link, and column that it narrows."""

PRESETS = {"1d": 1, "7d": 7, "30d": 30, "90d": 90}
"""Periods that end on the newest day that is published."""

MONTH_TO_DATE = "mtd"
DEFAULT_PERIOD = "30d"


@dataclass(frozen=True)
class Days:
    """UTC days, both inclusive."""

    first: date
    last: date

    @property
    def count(self) -> int:
        """Return how many they are."""
        return (self.last - self.first).days + 1

    def before(self) -> Days:
        """Return as many days right before them."""
        return Days(self.first - timedelta(days=self.count), self.first - timedelta(days=1))

    def __str__(self) -> str:
        """Return them as a link has them."""
        return f"{self.first}..{self.last}"


@dataclass(frozen=True)
class Filters:
    """A view; equal links are equal views.

    Attributes:
        period: One of `PRESETS`, `mtd`, or `2026-10-01..2026-10-07`.
        basis: Which cost.
        zone: How moments are shown.
        chosen: By name of `DIMENSIONS`, the values that are shown; a missing name shows all.
    """

    period: str = DEFAULT_PERIOD
    basis: Basis = Basis.EFFECTIVE
    zone: Zone = Zone.UTC
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @classmethod
    def from_link(cls, parameters: Mapping[str, Sequence[str]]) -> Filters:
        """Read the parameters of a URL, of which every name may stand several times."""

        def last(name: str) -> str:
            return (parameters.get(name) or [""])[-1]

        chosen = {
            name: tuple(dict.fromkeys(value[:LONGEST_NAME] for value in values))
            for name in DIMENSIONS
            if (values := parameters.get(name))
        }
        period = last("period")
        return cls(
            period=period if _is_period(period) else DEFAULT_PERIOD,
            basis=Basis(last("basis")) if last("basis") in set(Basis) else Basis.EFFECTIVE,
            zone=Zone(last("tz")) if last("tz") in set(Zone) else Zone.UTC,
            chosen=chosen,
        )

    def to_link(self) -> dict[str, list[str]]:
        """Return the parameters that `from_link` reads; what is as by default is left out."""
        link: dict[str, list[str]] = {}
        if self.period != DEFAULT_PERIOD:
            link["period"] = [self.period]
        if self.basis != Basis.EFFECTIVE:
            link["basis"] = [str(self.basis)]
        if self.zone != Zone.UTC:
            link["tz"] = [str(self.zone)]
        return link | {name: list(values) for name, values in self.chosen.items() if values}

    def choosing(self, name: str, *values: str) -> Filters:
        """Return the view with other values of one dimension; none shows all."""
        others = {key: value for key, value in self.chosen.items() if key != name}
        return replace(self, chosen=others | ({name: values} if values else {}))

    def days(self, newest: date) -> Days:
        """Return the days of the period, of which the newest published one is the last."""
        if ".." in self.period:
            first, _, last = self.period.partition("..")
            return Days(date.fromisoformat(first), date.fromisoformat(last))
        if self.period == MONTH_TO_DATE:
            return Days(newest.replace(day=1), newest)
        return Days(newest - timedelta(days=PRESETS[self.period] - 1), newest)


def _is_period(text: str) -> bool:
    if text in PRESETS or text == MONTH_TO_DATE:
        return True
    first, dots, last = text.partition("..")
    try:
        # Written as they will be printed, so that equal views have equal links; with room for the days before them.
        days = Days(date.fromisoformat(first), date.fromisoformat(last))
        return bool(dots) and str(days) == text and 1 <= days.count < days.first.toordinal()
    except ValueError:
        return False
