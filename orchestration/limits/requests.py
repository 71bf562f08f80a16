"""Which switches the incidents of a day ask for.

Belongs here: from an incident to a switch, or to the reason why there is none. Does not belong here: what an incident
is (`alerting`), and its rule's owner, action and `is_automatic`, which are published with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from orchestration.alerting.rules import Action
from orchestration.limits.policies import Policies
from orchestration.limits.switchboard import SwitchRequest

_RECENT = timedelta(days=1)
"""A breach asks for a switch on its day and the next; what was three weeks ago is nobody's emergency."""

_HOURS_OF_A_NOTE = 24

_SWITCHABLE: Mapping[Action, frozenset[str]] = {
    Action.THROTTLE: frozenset({"tenant", "feature", "model", "provider"}),
    Action.DISABLE_FEATURE: frozenset({"feature"}),
    Action.DEGRADE_MODEL: frozenset({"org", "tenant", "feature", "model"}),
}
"""Scopes that an action can be pulled on."""

Asked = Literal["throw", "propose", "note"]
"""Throw it, wait for somebody to, or write down that there is nothing to throw."""


@dataclass(frozen=True)
class Breach:
    """An incident that is open, by its newest evaluation: of the published `fct_alert_events`.

    Attributes:
        incident_id: Its id.
        rule: The rule's name.
        event_date: UTC day of usage that was evaluated.
        scope, scope_id: What is in breach.
        observed, threshold, unit: What was seen, and what is allowed.
        owner: Who decides what is done.
        action: What the rule asks for.
        is_automatic: Whether it may be done without asking.
    """

    incident_id: str
    rule: str
    event_date: date
    scope: str
    scope_id: str
    observed: float | None
    threshold: float | None
    unit: str
    owner: str
    action: str
    is_automatic: bool


class Ask(NamedTuple):
    """A switch and what is to be done about it."""

    request: SwitchRequest
    asked: Asked


def switch_requests(breaches: Iterable[Breach], policies: Policies, now: datetime) -> Iterator[Ask]:
    """Yield what recent breaches ask for.

    What breaches for the whole organisation is no reason to switch anything off for everybody: whatever its rule says,
    a cheaper model is proposed, and somebody decides. Where nothing can be switched, that is written down.
    """
    for breach in breaches:
        action = Action(breach.action)
        if action is Action.NONE or breach.event_date < now.date() - _RECENT:
            continue
        is_whole = breach.scope == "org"
        if is_whole:
            action = Action.DEGRADE_MODEL
        setting = policies.setting(action, breach.scope_id)
        can = breach.scope in _SWITCHABLE[action] and setting is not None
        figures = f"{_figure(breach.observed)} {breach.unit} against {_figure(breach.threshold)}"
        reason = f"{breach.rule} on {breach.event_date}: {figures}"
        if not can:
            reason += f"; no switch: {action} does not go with {breach.scope}, look at the runbook"
        key = f"{breach.incident_id}\0{breach.event_date}"
        request = SwitchRequest(
            switch_id=f"{breach.rule}-{hashlib.sha256(key.encode()).hexdigest()[:10]}",
            scope=breach.scope,
            scope_id="" if is_whole else _named(breach),
            action="disable" if action is Action.DISABLE_FEATURE else action.value,
            until=now + timedelta(hours=_HOURS_OF_A_NOTE if setting is None else setting.ends_after_hours),
            reason=reason,
            owner=breach.owner,
            requests_per_minute=None if setting is None else setting.requests_per_minute,
            models=policies.fallbacks if action is Action.DEGRADE_MODEL else None,
        )
        yield Ask(request, "note" if not can else "throw" if breach.is_automatic and not is_whole else "propose")


def _named(breach: Breach) -> str:
    """Return the scope as a call names it: alerts say `provider/model` where a call says `model`."""
    return breach.scope_id.partition("/")[2] or breach.scope_id if breach.scope == "model" else breach.scope_id


def _figure(value: float | None) -> str:
    return "?" if value is None else f"{value:.6g}"
