"""Who has proposed, thrown and lifted which switch: a file that only grows, and what it comes to.

Belongs here: the events of switches, their state at a moment, and `switches.json` made of it. Does not belong here:
which incidents ask for one (`requests`).

The events are the audit. Nothing else is kept, so nothing can disagree with them.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from trueup_middleware.switches import FORMAT

from orchestration.limits.versioned import publish_document

_EVENTS_FILE = "switch_events.jsonl"

SwitchState = Literal["proposed", "noted", "active", "lifted", "ended"]
"""`noted`: an incident asked for a switch and there is none; its reason says why, and its owner acts otherwise."""


class SwitchError(ValueError):
    """A switch cannot be thrown or lifted as asked; the message says why."""


@dataclass(frozen=True)
class SwitchRequest:
    """A switch that somebody or something asks for.

    Attributes:
        switch_id: The same for the same cause, so that asking twice is asking once.
        scope: `org`, `provider`, `model`, `tenant` or `feature`.
        scope_id: Which one; empty for the organisation.
        action: `disable`, `throttle` or `degrade_model`.
        until: When it ends by itself.
        reason: Why.
        owner: Who answers for it.
        requests_per_minute: With `throttle`.
        models: With `degrade_model`: model → the one to call instead.
    """

    switch_id: str
    scope: str
    scope_id: str
    action: str
    until: datetime
    reason: str
    owner: str
    requests_per_minute: int | None = None
    models: Mapping[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the row that the library reads."""
        row: dict[str, Any] = {
            "switch_id": self.switch_id,
            "scope": self.scope,
            "id": self.scope_id,
            "action": self.action,
            "until": self.until.astimezone(UTC).isoformat(),
            "reason": self.reason,
            "owner": self.owner,
        }
        if self.requests_per_minute is not None:
            row["requests_per_minute"] = self.requests_per_minute
        if self.models is not None:
            row["models"] = dict(self.models)
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> SwitchRequest:
        """Read what `to_json` wrote."""
        return cls(
            row["switch_id"],
            row["scope"],
            row["id"],
            row["action"],
            datetime.fromisoformat(row["until"]),
            row["reason"],
            row["owner"],
            row.get("requests_per_minute"),
            row.get("models"),
        )


@dataclass(frozen=True)
class Switch:
    """A switch as it stands: what was asked for, its state, and who brought it there."""

    request: SwitchRequest
    state: SwitchState
    by: str
    at: datetime


class Switchboard:
    """The switches of one installation.

    Args:
        folder: `TRUEUP_HOME/limits`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def switches(self, now: datetime) -> dict[str, Switch]:
        """Return every switch there ever was, by its id, as it stands now."""
        found: dict[str, Switch] = {}
        for event in self._events():
            at = datetime.fromisoformat(event["at"])
            switch_id = event["switch_id"]
            if event["event"] in ("proposed", "noted"):
                found[switch_id] = Switch(SwitchRequest.from_json(event["switch"]), event["event"], event["by"], at)
            else:
                state: SwitchState = "active" if event["event"] == "activated" else "lifted"
                found[switch_id] = replace(found[switch_id], state=state, by=event["by"], at=at)
        return {
            name: replace(switch, state="ended") if switch.state != "lifted" and switch.request.until <= now else switch
            for name, switch in found.items()
        }

    def propose(self, requests: Iterable[SwitchRequest], by: str, now: datetime, *, activate: bool) -> list[str]:
        """Take up the requests that are new, and with `activate` throw them; returns their ids."""
        with self._held():
            known = self.switches(now)
            new = {one.switch_id: one for one in requests if one.switch_id not in known and one.until > now}
            for one in new.values():
                self._append("proposed", one.switch_id, by, now, switch=one.to_json())
                if activate:
                    self._append("activated", one.switch_id, by, now)
        return list(new)

    def note(self, request: SwitchRequest, by: str, now: datetime) -> None:
        """Write down, once, that there is no such switch."""
        with self._held():
            if request.switch_id not in self.switches(now):
                self._append("noted", request.switch_id, by, now, switch=request.to_json())

    def activate(self, switch_id: str, by: str, now: datetime) -> None:
        """Throw a proposed switch.

        Raises:
            SwitchError: There is no such proposal.
        """
        self._move(switch_id, "proposed", "activated", by, now)

    def lift(self, switch_id: str, by: str, now: datetime) -> None:
        """End a switch before its time.

        Raises:
            SwitchError: It is not active.
        """
        self._move(switch_id, "active", "lifted", by, now)

    def publish(self, now: datetime) -> tuple[str, bool]:
        """Publish what is active; returns the version and whether it is new."""
        active = [switch.request.to_json() for switch in self.switches(now).values() if switch.state == "active"]
        return publish_document(self._folder, "switches", {"format": FORMAT, "switches": active}, now)

    def _move(self, switch_id: str, state: SwitchState, event: str, by: str, now: datetime) -> None:
        with self._held():
            switch = self.switches(now).get(switch_id)
            if switch is None:
                raise SwitchError(f"there is no switch {switch_id}; `make switch` lists them")
            if switch.state != state:
                raise SwitchError(f"switch {switch_id} is {switch.state}, not {state}")
            self._append(event, switch_id, by, now)

    def _events(self) -> Iterable[dict[str, Any]]:
        try:
            lines = (self._folder / _EVENTS_FILE).read_text().splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def _append(self, event: str, switch_id: str, by: str, now: datetime, **more: Any) -> None:
        row = {"at": now.astimezone(UTC).isoformat(), "event": event, "switch_id": switch_id, "by": by, **more}
        with (self._folder / _EVENTS_FILE).open("a") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _held(self) -> Generator[None]:
        """Let one process at a time write events."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
