"""One publication of limits and switches: read the marts, write both files.

Belongs here: the order of it. Does not belong here: Dagster.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from orchestration.limits import marts as queries
from orchestration.limits.document import limits_document
from orchestration.limits.policies import read_policies
from orchestration.limits.requests import switch_requests
from orchestration.limits.switchboard import Switchboard
from orchestration.limits.versioned import publish_document
from orchestration.publishing.reader import open_marts


@dataclass(frozen=True)
class LimitsPublished:
    """What is in force now.

    Attributes:
        limits_version, switches_version: The versions that the library reads.
        limits_count: Rows of limits.
        active_count: Switches that are thrown.
        proposed: Ids of switches that wait for somebody to throw them.
        noted: Why there is nothing to throw, by incident that asked for it.
        is_new: Whether either file was written.
    """

    limits_version: str
    switches_version: str
    limits_count: int
    active_count: int
    proposed: tuple[str, ...]
    noted: tuple[str, ...]
    is_new: bool


def publish_limits(published: Path, folder: Path, pricing: Path, now: datetime) -> LimitsPublished:
    """Publish limits from plans and budgets, and take up the switches that open incidents ask for.

    Args:
        published: The marts.
        folder: `TRUEUP_HOME/limits`.
        pricing: The folder of the reviewed rows.
        now: The moment, aware UTC.

    Raises:
        NotPublishedError: There are no marts yet.
        PolicyError: A reviewed row cannot be used; nothing was changed.
    """
    policies = read_policies(pricing)
    yesterday = now.date() - timedelta(days=1)
    with open_marts(published, threads=1) as marts:
        plans, budgets = queries.plan_budgets(marts), queries.own_budgets(marts)
        timezones = queries.billing_timezones(marts)
        breaches = queries.breaches_since(marts, yesterday)
    document = limits_document(plans, budgets, timezones, policies.limits, yesterday)
    limits_version, limits_are_new = publish_document(folder, "limits", document, now)
    board = Switchboard(folder)
    for request, asked in switch_requests(breaches, policies, now):
        if asked == "note":
            board.note(request, "alert", now)
        else:
            board.propose([request], "its rule" if asked == "throw" else "alert", now, activate=asked == "throw")
    switches_version, switches_are_new = board.publish(now)
    switches = board.switches(now)
    return LimitsPublished(
        limits_version,
        switches_version,
        limits_count=len(document["limits"]),
        active_count=sum(switch.state == "active" for switch in switches.values()),
        proposed=tuple(name for name, switch in switches.items() if switch.state == "proposed"),
        noted=tuple(switch.request.reason for switch in switches.values() if switch.state == "noted"),
        is_new=limits_are_new or switches_are_new,
    )
