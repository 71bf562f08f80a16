"""Quiet hours and digests: a warning waits for people, an error does not."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from orchestration.alerting.routing import Channel, Slot, read_channels, slot
from orchestration.settings import PROJECT_ROOT


def channel(**columns: object) -> Channel:
    return Channel.model_validate({"channel": "team", "url_env": "TEAM"} | columns)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


BERLIN = {"quiet_from": time(20), "quiet_to": time(7), "time_zone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-10-14 17:59", "2026-10-14 17:59"),
        ("2026-10-14 18:00", "2026-10-15 05:00"),
        ("2026-10-15 04:59", "2026-10-15 05:00"),
        ("2026-10-15 05:00", "2026-10-15 05:00"),
        # The clock goes back on the 25th: seven in the morning is an hour later in UTC.
        ("2026-10-24 19:00", "2026-10-25 06:00"),
    ],
)
def test_a_warning_waits_until_the_local_morning(now: str, due: str) -> None:
    assert slot(channel(**BERLIN), "warn", at(now)) == Slot(at(due))


def test_an_error_waits_for_nobody() -> None:
    now = at("2026-10-14 23:00")
    assert slot(channel(**BERLIN, digest_at=time(8)), "error", now) == Slot(now)


def test_warnings_of_a_day_are_one_digest() -> None:
    told = channel(time_zone="Europe/Berlin", digest_at=time(8))
    slots = {slot(told, "warn", at(now)) for now in ("2026-10-14 06:00", "2026-10-14 23:00", "2026-10-15 05:59")}
    assert slots == {Slot(at("2026-10-15 06:00"), "team@2026-10-15T06:00:00+00:00")}


def test_the_shipped_channels_can_be_read() -> None:
    assert "on_call" in read_channels(PROJECT_ROOT / "pricing_seeds")


def test_a_channel_that_makes_no_sense_is_refused() -> None:
    for columns in ({"time_zone": "Berlin"}, {"quiet_from": time(8)}, {"url_env": "https://secret"}):
        with pytest.raises(ValueError, match=r"time zone|go together|pattern"):
            channel(**columns)
