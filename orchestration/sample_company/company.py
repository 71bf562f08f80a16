"""Who the customers are: tenants, plans, their share of the traffic, and the features' releases.

Belongs here: everything about the company that does not depend on a single request. Does not belong here: the
tables' files (`tables`) and what goes wrong (`incidents`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from orchestration.sample_company.catalog import FEATURE_NAMES, Feature
from orchestration.sample_company.options import SampleOptions
from orchestration.sample_company.text_columns import Flags, Floats

PLAN_IDS = ("starter", "growth", "enterprise")

_ZONES = (
    # Name and fixed hours from UTC: enough to place a working day, and free of any time-zone data base.
    ("America/New_York", -5, 0.52),
    ("America/Los_Angeles", -8, 0.15),
    ("Europe/London", 0, 0.14),
    ("Europe/Berlin", 1, 0.12),
    ("Asia/Singapore", 8, 0.04),
    ("Australia/Sydney", 10, 0.03),
)
_FIRST = (
    "Amber", "Birch", "Cobalt", "Delta", "Ember", "Fathom", "Granite", "Harbor", "Indigo", "Juniper",
    "Kestrel", "Lumen", "Meridian", "Nimbus", "Orchard", "Pioneer", "Quartz", "Ridge", "Sable", "Tundra",
    "Umbra", "Vertex", "Willow", "Xenon", "Yarrow", "Zephyr",
)  # fmt: skip
_SECOND = (
    "Analytics", "Freight", "Health", "Insurance", "Labs", "Legal", "Media", "Retail", "Robotics", "Travel",
)  # fmt: skip

_FEATURE_WEIGHTS = np.array(
    # Rows: plan; columns: feature. Assumed: what a plan's customers use, relative to the average.
    [[0.9, 1.1, 0.8, 1.2, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0], [1.02, 0.98, 1.04, 0.95, 1.0]]
)


@dataclass(frozen=True)
class Tenant:
    """One paying customer.

    Attributes:
        plan: Position in `PLAN_IDS` on the first day.
        utc_offset_hours: Where its working day lies.
        first_day, last_day: Day numbers, inclusive, between which it is a customer.
        new_plan, new_plan_day: The plan it moves to, and from which day number; None for most.
    """

    tenant_id: str
    customer_id: str
    name: str
    billing_timezone: str
    utc_offset_hours: int
    created_at: datetime
    plan: int
    seats: int
    first_day: int
    last_day: int
    new_plan: int | None = None
    new_plan_day: int | None = None


@dataclass(frozen=True)
class Release:
    """A deployment of one feature."""

    release_id: str
    deployed_at: datetime
    feature: Feature
    prompt_version: str
    model: str
    note: str

    @property
    def prompt_name(self) -> str:
        """The prompt that the feature uses."""
        return f"{FEATURE_NAMES[self.feature]}_main"


@dataclass(frozen=True)
class Company:
    """The customers and how the traffic divides over them.

    Attributes:
        tenants: In falling order of size (Zipf, exponent 1).
        share: Shape (tenants, features); a tenant's share of a feature's operations, columns sum to 1.
    """

    tenants: tuple[Tenant, ...]
    share: Floats

    def rank(self, fraction: float) -> int:
        """Return the position of the tenant at this fraction of the ranking, 0 the largest."""
        return min(len(self.tenants) - 1, int(fraction * len(self.tenants)))

    def is_active(self, day: int) -> Flags:
        """Return, for each tenant, whether it is a customer on this day number."""
        return np.array([tenant.first_day <= day <= tenant.last_day for tenant in self.tenants])


# Fractions of the ranking, so that any number of tenants has one of each.
NOISY_RANK, OUTGROWN_RANK, INDEXING_RANK = 0.06, 0.17, 0.03
UPGRADED_RANK, CHURNED_RANK = 0.19, 0.36
NEW_RANKS = (0.30, 0.48, 0.70)


def build_company(options: SampleOptions) -> Company:
    """Return the customers of a sample company."""
    rng = np.random.default_rng([options.seed, 1])
    count, days = options.tenants, options.days
    sizes = 1.0 / np.arange(1, count + 1)
    plans = np.where(np.arange(count) < max(1, round(0.14 * count)), 2, np.where(np.arange(count) < 0.5 * count, 1, 0))
    order = rng.permutation(len(_FIRST) * len(_SECOND))
    zones = rng.choice(len(_ZONES), size=count, p=[weight for *_, weight in _ZONES])
    # A home market: the three largest customers live in it, so that the company has a night.
    zones[:3] = 0
    is_new = {int(fraction * count): when for fraction, when in zip(NEW_RANKS, (0.35, 0.55, 0.75), strict=True)}
    tenants: list[Tenant] = []
    for index in range(count):
        first, second = divmod(int(order[index % len(order)]), len(_SECOND))
        suffix = "" if index < len(order) else f" {index // len(order) + 1}"
        name = f"{_FIRST[first]} {_SECOND[second]}{suffix}"
        zone, offset, _ = _ZONES[int(zones[index])]
        first_day = int(is_new[index] * days) if index in is_new and days >= 28 else 0
        churned = index == int(CHURNED_RANK * count) and days >= 28
        upgraded = index == int(UPGRADED_RANK * count) and days >= 28
        began = options.start_date + timedelta(days=first_day)
        created = began if first_day else began - timedelta(days=int(rng.integers(40, 900)))
        tenants.append(
            Tenant(
                tenant_id=name.lower().replace(" ", "-"),
                customer_id=f"cus_{index + 1:05d}",
                name=name,
                billing_timezone=zone,
                utc_offset_hours=offset,
                created_at=datetime.combine(created, time(hour=int(rng.integers(7, 18))), tzinfo=UTC),
                plan=0 if upgraded else int(plans[index]),
                seats=max(3, int(2500 * sizes[index] / np.log(count + 1) * rng.uniform(0.7, 1.4))),
                first_day=first_day,
                last_day=int(0.65 * days) if churned else days - 1,
                new_plan=1 if upgraded else None,
                new_plan_day=int(0.48 * days) if upgraded else None,
            )
        )
    taste = rng.lognormal(0.0, 0.35, size=(count, len(Feature))) * _FEATURE_WEIGHTS[plans]
    taste /= taste.mean(axis=1, keepdims=True)
    share = sizes[:, None] * taste
    return Company(tuple(tenants), share / share.sum(axis=0))


def day_start(options: SampleOptions, day: int) -> datetime:
    """Return midnight UTC of a day number."""
    return datetime.combine(options.start_date + timedelta(days=day), time(), tzinfo=UTC)


def at_day(options: SampleOptions, fraction: float) -> date:
    """Return the date at a fraction of the period."""
    return options.start_date + timedelta(days=int(fraction * options.days))
