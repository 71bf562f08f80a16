"""Switches: what somebody, or a rule, has turned off or down for a time.

Belongs here: the published `switches.json` and which switch a call meets. Does not belong here: who may throw
one, and why (the warehouse's side).

A switch has a reason, an owner and an end, always: one that nobody ends is an outage that nobody owns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from trueup_middleware.gate import CallIntent
from trueup_middleware.limits import SCOPES, LimitScope, moment, scope_id_of

FORMAT = "trueup.switches.v1"

SwitchAction = Literal["disable", "throttle", "degrade_model"]

_ACTIONS = ("disable", "throttle", "degrade_model")


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch.

    Attributes:
        switch_id: What its audit row is found by.
        scope: What kind of thing is switched.
        scope_id: Which one; empty for the organisation.
        action: `disable` refuses, `throttle` limits requests a minute, `degrade_model` calls another model.
        until: When it ends.
        reason: Why, for people.
        owner: Who answers for it.
        requests_per_minute: With `throttle`.
        models: With `degrade_model`: model → the one to call instead. A call of any other keeps its model: an embedding
            has no cheaper chat model.
    """

    switch_id: str
    scope: LimitScope
    scope_id: str
    action: SwitchAction
    until: datetime
    reason: str
    owner: str
    requests_per_minute: int | None = None
    models: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Switches:
    """All switches of one version."""

    version: str
    _by_scope: Mapping[tuple[str, str], list[Switch]]

    @classmethod
    def of(cls, switches: list[Switch], version: str = "") -> Switches:
        """Arrange switches for `meeting`."""
        index: dict[tuple[str, str], list[Switch]] = {}
        for switch in switches:
            index.setdefault((switch.scope, switch.scope_id), []).append(switch)
        return cls(version, index)

    @classmethod
    def parse(cls, content: bytes) -> Switches:
        """Read the published file.

        Raises:
            ValueError, KeyError, TypeError: It is not of this format.
        """
        document: dict[str, Any] = json.loads(content)
        if document.get("format") != FORMAT:
            raise ValueError(f"expected format {FORMAT}, found {document.get('format')!r}")
        return cls.of([parse_switch(row) for row in document["switches"]], document["version"])

    def meeting(self, call: CallIntent, now: datetime) -> Iterator[Switch]:
        """Yield the switches that a call meets and that have not ended."""
        if not self._by_scope:
            return
        for scope in SCOPES:
            scope_id = scope_id_of(call, scope)
            if scope_id is not None:
                for switch in self._by_scope.get((scope, scope_id), ()):
                    if now < switch.until:
                        yield switch


def parse_switch(row: Mapping[str, Any]) -> Switch:
    """Read one row of the published file.

    Raises:
        ValueError, KeyError: It is none.
    """
    if row["scope"] not in SCOPES or row["action"] not in _ACTIONS:
        raise ValueError(f"unknown scope or action: {row['scope']!r}, {row['action']!r}")
    if row["action"] == "throttle" and not isinstance(row.get("requests_per_minute"), int):
        raise ValueError("a throttle needs requests_per_minute")
    if row["action"] == "degrade_model" and not row.get("models"):
        raise ValueError("degrade_model needs models")
    return Switch(
        switch_id=row["switch_id"],
        scope=row["scope"],
        scope_id=row["id"],
        action=row["action"],
        until=moment(row["until"]),
        reason=row["reason"],
        owner=row["owner"],
        requests_per_minute=row.get("requests_per_minute"),
        models=dict(row.get("models") or {}),
    )
