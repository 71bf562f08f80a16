"""What people read: of an incident that changed, of a check that failed, and of several in one digest.

Belongs here: wording and links, as pure functions. Does not belong here: channels, times, sending.

A message says what, how much, since when, why, who, and what to do. Names of tenants are in it; prompts, answers and
users cannot be, because the warehouse has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from orchestration.alerting.lifecycle import Event, EventKind, Incident
from orchestration.alerting.message import FailedCheck, render

_HAPPENED = {
    EventKind.OPENED: "opened",
    EventKind.ESCALATED: "escalated",
    EventKind.REOPENED: "opened again",
    EventKind.RESOLVED: "over",
}


@dataclass(frozen=True)
class Links:
    """Where a message leads to; an empty template leaves its link out.

    Attributes:
        dagster_url: Base URL of the Dagster UI.
        dashboard_url: Link with `{rule}`, `{scope_kind}`, `{scope_id}` or `{date}` in it.
        trace_url: Link with `{trace_id}` in it.
        runbook_url: Base that a runbook's path is put behind.
    """

    dagster_url: str = ""
    dashboard_url: str = ""
    trace_url: str = ""
    runbook_url: str = ""


@dataclass(frozen=True)
class Message:
    """One message, ready for any channel.

    Attributes:
        title: One line.
        severity: `warn` or `error`.
        lines: The body, plain text.
        links: Words → URL, in their order.
        facts: The same for machines; sent by the signed webhook.
    """

    title: str
    severity: str
    lines: tuple[str, ...]
    links: Mapping[str, str]
    facts: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the content as the outbox keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Message:
        """Read what `as_json` returned."""
        return cls(
            title=content["title"],
            severity=content["severity"],
            lines=tuple(content["lines"]),
            links=dict(content["links"]),
            facts=dict(content["facts"]),
        )

    @property
    def body(self) -> str:
        """Return lines and links as one text."""
        return "\n".join([*self.lines, *(f"{words}: {url}" for words, url in self.links.items())])


def of_event(
    event: Event,
    incident: Incident,
    rule: Mapping[str, Any],
    row: Mapping[str, Any],
    *,
    links: Links,
    traces: Sequence[str] = (),
) -> Message:
    """Return the message about a change of an incident.

    Args:
        event: The change.
        incident: As it stands after it.
        rule: The rule's row: metric, owner, action, is_automatic, runbook.
        row: The breach's row in the mart `alerts`; empty when the incident is over.
        links: Where to lead.
        traces: Trace ids of the dearest requests of the scope on that day, dearest first.
    """
    scope = event.key.scope_id or "the whole company"
    title = f"[{event.severity}] {event.key.alert_rule}: {scope} {_HAPPENED[event.kind]}"
    lines = [f"{rule['metric']}, {event.key.scope_kind} {scope}, day {event.usage_date}"]
    if row:
        lines.append(_amounts(row))
        if row.get("detail"):
            lines.append(str(row["detail"]))
    lines.append(f"since {incident.firing_since}")
    if row.get("top_drivers"):
        lines.append(f"why: {row['top_drivers']}")
    lines.append(f"who: {rule['owner']}")
    if rule["action"] != "none":
        how = "pulled by itself" if rule["is_automatic"] else "to be pulled by hand"
        lines.append(f"switch: {rule['action']}, {how}")
    lines.append(f"incident {event.incident_id}: trueup incidents ack {event.incident_id}")
    return Message(
        title=title,
        severity=event.severity,
        lines=tuple(lines),
        links=_links(event, rule, links, traces),
        facts={
            "event_id": event.event_id,
            "incident_id": event.incident_id,
            "event_kind": str(event.kind),
            "state": str(event.state),
            "severity": event.severity,
            "alert_rule": event.key.alert_rule,
            "scope_kind": event.key.scope_kind,
            "scope_id": event.key.scope_id,
            "usage_date": event.usage_date.isoformat(),
            "recorded_at": event.recorded_at.isoformat(),
            **{name: row.get(name) for name in ("observed", "threshold", "baseline", "unit", "detail", "top_drivers")},
            **{name: rule.get(name) for name in ("owner", "action", "is_automatic", "runbook")},
        },
    )


def of_check(failed: FailedCheck, *, is_over: bool, dagster_url: str) -> Message:
    """Return the message about a check that began to fail, or passes again (`is_over`)."""
    name = f"{failed.check} on {failed.asset}"
    severity = "error" if failed.severity == "ERROR" and not is_over else "warn"
    links = {"check": f"{dagster_url.rstrip('/')}/assets/{failed.asset}?view=checks"} if dagster_url else {}
    return Message(
        title=f"[{severity}] {name} {'passes again' if is_over else 'fails'}",
        severity=severity,
        lines=() if is_over else tuple(render(failed).splitlines()),
        links=links,
        facts={"asset": failed.asset, "check": failed.check, "run_id": failed.run_id, "is_failing": not is_over},
    )


def digest(messages: Sequence[Message]) -> Message:
    """Return one message for several; that of a single one is the one itself."""
    if len(messages) == 1:
        return messages[0]
    return Message(
        title=f"{len(messages)} changes of alerts",
        severity="error" if any(message.severity == "error" for message in messages) else "warn",
        lines=tuple(line for message in messages for line in (message.title, *(f"  {x}" for x in message.lines), "")),
        links={},
        facts={"changes": [dict(message.facts) for message in messages]},
    )


def _amounts(row: Mapping[str, Any]) -> str:
    compared = f"{_number(row['observed'])} {row['unit']}, allowed are {_number(row['threshold'])}"
    return compared if row.get("baseline") is None else f"{compared}, usual are {_number(row['baseline'])}"


def _number(value: Any) -> str:
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.4g}"


def _links(event: Event, rule: Mapping[str, Any], links: Links, traces: Sequence[str]) -> dict[str, str]:
    found = {"what to do": f"{links.runbook_url}{rule['runbook']}"}
    if links.dagster_url:
        found["check"] = f"{links.dagster_url.rstrip('/')}/assets/alerts/{rule['model']}?view=checks"
    if links.dashboard_url:
        places = {
            "rule": event.key.alert_rule,
            "scope_kind": event.key.scope_kind,
            "scope_id": event.key.scope_id,
            "date": event.usage_date.isoformat(),
        }
        found["dashboard"] = _filled(links.dashboard_url, places)
    if links.trace_url:
        for number, trace in enumerate(traces, start=1):
            found[f"dear request {number}"] = _filled(links.trace_url, {"trace_id": trace})
    return found


def _filled(link: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        link = link.replace(f"{{{name}}}", quote(value, safe=""))
    return link
