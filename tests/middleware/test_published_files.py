"""Files that the warehouse publishes are picked up, and a bad one changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from trueup_middleware.gate import CallIntent
from trueup_middleware.limits import Limits
from trueup_middleware.switches import Switches
from trueup_middleware.watched import WatchedFile

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CALL = CallIntent("call", NOON, feature="search", tenant_id="acme", model="gpt-4.1")


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def put(path: Path, content: object) -> None:
    staged = path.with_suffix(".staged")
    staged.write_text(content if isinstance(content, str) else json.dumps(content))
    staged.replace(path)


def limits(version: str, hard: int) -> dict[str, object]:
    row = {"scope": "tenant", "id": "acme", "period": "day", "hard": hard, "soft": None, "valid_to": "2027-01-01"}
    return {
        "format": "trueup.limits.v1",
        "version": version,
        "default_timezone": "UTC",
        "timezones": {"acme": "Europe/Berlin"},
        "limits": [row],
    }


def test_a_new_version_is_in_force_when_the_file_was_looked_at_again(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "limits.json"
    watched = WatchedFile(path, Limits.parse, Limits(), refresh_seconds=1, monotonic=clock)
    assert watched.current().version == ""
    put(path, limits("1", 5))
    assert watched.current().version == ""
    for version in ("1", "2"):
        put(path, limits(version, 5))
        clock.seconds += 1
        assert watched.current().version == version
    ((scope_id, limit, zone),) = watched.current().meeting(CALL, NOON)
    assert (scope_id, limit.hard, str(zone)) == ("acme", 5, "Europe/Berlin")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: json.dumps(document)[:50],
        lambda document: document | {"format": "trueup.limits.v2"},
        lambda document: document | {"timezones": {"acme": "Mars/Olympus"}},
        lambda document: document | {"limits": [{**document["limits"][0], "hard": 0.5}]},
        lambda document: document | {"limits": [{**document["limits"][0], "scope": "galaxy"}]},
    ],
    ids=["cut_off", "other_format", "no_such_zone", "money_as_float", "unknown_scope"],
)
def test_a_file_that_cannot_be_used_leaves_the_last_good_one_in_force(
    tmp_path: Path, clock: Clock, spoil: Callable[[dict[str, object]], object]
) -> None:
    path = tmp_path / "limits.json"
    watched = WatchedFile(path, Limits.parse, Limits(), monotonic=clock)
    put(path, limits("good", 5))
    watched.current()
    put(path, spoil(limits("bad", 6)))
    for _ in range(3):
        clock.seconds += 1
        assert watched.current().version == "good"
    assert watched.errors_count == 1
    path.unlink()
    clock.seconds += 1
    assert watched.current().version == "good"


@pytest.mark.parametrize(
    "change", [{"until": None}, {"until": "2026-11-21T13:00:00"}, {"owner": None}, {"action": "throttle"}]
)
def test_a_switch_without_end_or_owner_is_refused(change: dict[str, str | None]) -> None:
    row = {
        "switch_id": "s1",
        "scope": "feature",
        "id": "search",
        "action": "disable",
        "until": "2026-11-21T13:00:00Z",
        "reason": "runaway",
        "owner": "on-call",
    }
    document = {"format": "trueup.switches.v1", "version": "1", "switches": [row]}
    (switch,) = Switches.parse(json.dumps(document).encode()).meeting(CALL, NOON)
    assert (switch.reason, switch.owner) == ("runaway", "on-call")
    spoilt = {name: value for name, value in (row | change).items() if value is not None}
    with pytest.raises((ValueError, KeyError)):
        Switches.parse(json.dumps(document | {"switches": [spoilt]}).encode())
