"""The one way in which time is cut: UTC days.

Belongs here: which days can be built, and which days a step or a run was asked for. Does not belong here:
which of them are stale.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING

from orchestration.connectors.base import Window
from orchestration.settings import Settings

if TYPE_CHECKING:
    from dagster import AssetExecutionContext, DailyPartitionsDefinition

ONE_DAY = timedelta(days=1)

DEFAULT_START_DATE = date(2025, 1, 1)
"""First day of an installation with its own sources that names none in `TRUEUP_START_DATE`."""

PARTITION_TAG = "dagster/partition"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def start_date(settings: Settings) -> date:
    """Return the first UTC day: as set, else that of the sample company, else `DEFAULT_START_DATE`."""
    if settings.start_date is not None:
        return settings.start_date
    if settings.sources is not None:
        return DEFAULT_START_DATE
    sampled = sample_days(settings)
    if sampled is not None:
        return sampled.start
    from orchestration.sample_company.options import SampleOptions  # noqa: PLC0415 - pandas, and only at first

    return SampleOptions().start_date


def sample_days(settings: Settings) -> Window | None:
    """Return the UTC days of the generated sample company; None when there is none."""
    marker = settings.sample / ".sample.json"
    if not marker.exists():
        return None
    options = json.loads(marker.read_text())["options"]
    end = date.fromisoformat(options["end_date"])
    return Window(end - (options["days"] - 1) * ONE_DAY, end + ONE_DAY)


def daily_partitions(settings: Settings) -> DailyPartitionsDefinition:
    """Return UTC days from `start_date` to today, today included."""
    from dagster import DailyPartitionsDefinition  # noqa: PLC0415 - `trueup --help` need not wait for Dagster

    return DailyPartitionsDefinition(start_date=start_date(settings).isoformat(), timezone="UTC", end_offset=1)


def range_tags(days: Window) -> dict[str, str]:
    """Return the tags that make a run cover `days` in one go."""
    return {
        RANGE_START_TAG: days.start.isoformat(),
        RANGE_END_TAG: (days.end - ONE_DAY).isoformat(),
    }


def days_of_run(tags: Mapping[str, str]) -> Window | None:
    """Return the UTC days that a run was asked for, given its tags; None for a run without days."""
    key = tags.get(PARTITION_TAG)
    first, last = tags.get(RANGE_START_TAG, key), tags.get(RANGE_END_TAG, key)
    if first is None or last is None:
        return None
    return Window(date.fromisoformat(first), date.fromisoformat(last) + ONE_DAY)


def days_of_step(context: AssetExecutionContext) -> Window:
    """Return the UTC days that a step of a partitioned asset was asked for."""
    keys = context.partition_key_range
    return Window(date.fromisoformat(keys.start), date.fromisoformat(keys.end) + ONE_DAY)
