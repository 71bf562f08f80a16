"""The message for one failed check, as a pure function.

Belongs here: wording. Does not belong here: channels, and reading Dagster's storage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class FailedCheck:
    """A check that did not pass.

    Attributes:
        asset: The asset, as `schema/name`.
        check: Name of the check.
        is_blocking: Whether publishing stopped.
        severity: `WARN` or `ERROR`.
        description: What the check says of this failure; None when it says nothing.
        runbook: Path of the page that says what to do; None when there is none.
        run_id: The Dagster run.
        rows: Breaching rows, as column → value; possibly only the first of them.
        rows_count: Number of all breaching rows.
    """

    asset: str
    check: str
    is_blocking: bool
    severity: str
    run_id: str
    description: str | None = None
    runbook: str | None = None
    rows: Sequence[Mapping[str, object]] = field(default=())
    rows_count: int | None = None


MESSAGE_ROWS = 10
"""Rows that a message shows; the check in the UI shows more."""


def render(failed: FailedCheck) -> str:
    """Return the message as plain text: what, how bad, which rows, what to do."""
    consequence = "nothing was published" if failed.is_blocking else "figures are published"
    lines = [f"{failed.severity}: {failed.check} failed on {failed.asset} ({consequence})"]
    if failed.description:
        lines.append(failed.description)
    lines.extend(
        "  " + ", ".join(f"{column}={value}" for column, value in row.items() if value is not None)
        for row in failed.rows[:MESSAGE_ROWS]
    )
    hidden = (failed.rows_count or len(failed.rows)) - min(len(failed.rows), MESSAGE_ROWS)
    if hidden > 0:
        lines.append(f"  and {hidden} more")
    if failed.runbook:
        lines.append(f"what to do: {failed.runbook}")
    lines.append(f"run: {failed.run_id}")
    return "\n".join(lines)
