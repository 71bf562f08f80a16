"""When a channel is told: quiet hours and digests, as pure functions.

Belongs here: `alert_channels.csv`, and which message goes when. Does not belong here: sending (`delivery`).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

CHANNELS_FILE = "alert_channels.csv"
CHECKS_CHANNEL = "data_platform"
"""Where people are told of checks that are no alert rule: of data that does not hold."""

_ONE_DAY = timedelta(days=1)


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


_Time = Annotated[time | None, BeforeValidator(_empty_is_none)]


class Channel(BaseModel):
    """One row of `alert_channels.csv`.

    Attributes:
        channel: Its name, as rules say it.
        url_env: Environment variable with the URL: one of apprise's, or `https://` for the signed webhook.
        secret_env: Environment variable with the key of the webhook's signature.
        quiet_from, quiet_to: Local times between which warnings wait; a span may go over midnight.
        time_zone: IANA name of these times.
        digest_at: Local time at which warnings are sent together; None sends each by itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    url_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
    secret_env: Annotated[str, Field(pattern=r"^([A-Z][A-Z0-9_]*)?$")] = ""
    quiet_from: _Time = None
    quiet_to: _Time = None
    time_zone: str = "UTC"
    digest_at: _Time = None

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("no IANA time zone, such as Europe/Berlin") from error
        return name

    @model_validator(mode="after")
    def _fits_together(self) -> Channel:
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValueError("quiet_from and quiet_to go together")
        return self


@dataclass(frozen=True)
class Slot:
    """When a message is due.

    Attributes:
        due_at: The moment, UTC.
        digest: Name of the digest that it waits for; None when it goes by itself.
    """

    due_at: datetime
    digest: str | None = None


def read_channels(folder: Path) -> Mapping[str, Channel]:
    """Return the channels of a folder by name.

    Raises:
        ValueError: When a row is not valid; `make check` says which (`rules.read_rule_book`).
    """
    with (folder / CHANNELS_FILE).open(newline="", encoding="utf-8") as handle:
        channels = [Channel.model_validate(row) for row in csv.DictReader(handle)]
    return {channel.channel: channel for channel in channels}


def slot(channel: Channel, severity: str, now: datetime) -> Slot:
    """Return when a message is due. An error waits for nobody's morning.

    Args:
        channel: Where it goes.
        severity: `warn` or `error`.
        now: UTC.
    """
    if severity == "error":
        return Slot(now)
    zone = ZoneInfo(channel.time_zone)
    if channel.digest_at is not None:
        due = _next(channel.digest_at, now, zone)
        return Slot(due, f"{channel.channel}@{due.isoformat()}")
    if channel.quiet_from is not None and channel.quiet_to is not None:
        local = now.astimezone(zone).time()
        start, end = channel.quiet_from, channel.quiet_to
        is_quiet = start <= local < end if start <= end else local >= start or local < end
        if is_quiet:
            return Slot(_next(end, now, zone))
    return Slot(now)


def _next(at: time, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the next moment, after `now`, at which the clock of a zone shows a time."""
    local = now.astimezone(zone)
    candidate = datetime.combine(local.date(), at, zone)
    while candidate.astimezone(UTC) <= now:
        candidate = datetime.combine(candidate.date() + _ONE_DAY, at, zone)
    return candidate.astimezone(UTC)
