"""Which switches the alerts of a day ask for.

Belongs here: from a breach and its rule to a switch. Does not belong here: rules (`alerting.rules`), and whether a
switch is thrown or only proposed, which the rule says (`automatic`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from orchestration.alerting.rules import Action, AlertRule
from orchestration.limits.policies import Policies
from orchestration.limits.switchboard import SwitchRequest

_RECENT = timedelta(days=1)
"""A breach asks for a switch on its day and the next; what was three weeks ago is nobody's emergency."""

_SWITCHABLE: Mapping[Action, frozenset[str]] = {
    Action.THROTTLE: frozenset({"tenant", "feature", "model", "provider"}),
    Action.DISABLE_FEATURE: frozenset({"feature"}),
    Action.DEGRADE_MODEL: frozenset({"tenant", "feature", "model"}),
}
"""Scopes that an action can be pulled on. An alert on anything else names nothing that could be switched."""


@dataclass(frozen=True)
class Breach:
    """A row of the published `alerts`."""

    rule: str
    usage_date: date
    scope: str
    scope_id: str
    observed: float | None
    threshold: float | None
    unit: str


def switch_requests(
    breaches: Iterable[Breach], rules: Mapping[str, AlertRule], policies: Policies, now: datetime
) -> Iterator[tuple[SwitchRequest, bool]]:
    """Yield the switches that recent breaches ask for, each with whether its rule may throw it by itself."""
    for breach in breaches:
        rule = rules.get(breach.rule)
        if rule is None or rule.action is Action.NONE or breach.usage_date < now.date() - _RECENT:
            continue
        setting = policies.setting(rule.action, breach.scope_id)
        if setting is None or breach.scope not in _SWITCHABLE[rule.action] or not breach.scope_id:
            continue
        key = f"{breach.rule}\0{breach.scope}\0{breach.scope_id}\0{breach.usage_date}"
        request = SwitchRequest(
            switch_id=f"{breach.rule}-{hashlib.sha256(key.encode()).hexdigest()[:10]}",
            scope=breach.scope,
            scope_id=_named(breach),
            action="disable" if rule.action is Action.DISABLE_FEATURE else rule.action.value,
            until=now + timedelta(hours=setting.ends_after_hours),
            reason=f"{breach.rule} on {breach.usage_date}: {_figure(breach.observed)} {breach.unit} "
            f"against {_figure(breach.threshold)}",
            owner=rule.owner,
            requests_per_minute=setting.requests_per_minute,
            models=policies.fallbacks if rule.action is Action.DEGRADE_MODEL else None,
        )
        yield request, rule.automatic == "true"


def _named(breach: Breach) -> str:
    """Return the scope as a call names it: alerts say `provider/model` where a call says `model`."""
    return breach.scope_id.partition("/")[2] or breach.scope_id if breach.scope == "model" else breach.scope_id


def _figure(value: float | None) -> str:
    return "?" if value is None else f"{value:.6g}"
