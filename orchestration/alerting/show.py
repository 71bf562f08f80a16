"""Incidents as a table in the terminal.

Belongs here: what is shown of them. Does not belong here: what they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from orchestration.alerting.lifecycle import Incident
from orchestration.report import safe_text

_COLUMNS = ("id", "severity", "state", "since", "rule", "scope")


def print_incidents(incidents: Sequence[Incident], deliveries: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print the incidents, and what of their messages has not arrived."""
    if incidents:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in _COLUMNS:
            table.add_column(column, overflow="fold", no_wrap=column in ("id", "since"))
        for one in incidents:
            scope = safe_text(f"{one.key.scope_kind} {one.key.scope_id}".strip(), longest=80)
            table.add_row(
                one.incident_id, one.severity, one.state, one.firing_since.isoformat(), one.key.alert_rule, scope
            )
        console.print(table)
    else:
        console.print("Nothing fires.")
    unsent = Counter((row["channel"], row["status"]) for row in deliveries if row["status"] != "sent")
    for (channel, status), number in sorted(unsent.items()):
        console.print(f"{number} {'message' if number == 1 else 'messages'} to {channel}: {status}", highlight=False)
