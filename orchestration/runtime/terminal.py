"""What a run looks like on a terminal: one bar, one line that says what is happening.

Belongs here: drawing. Does not belong here: running.
"""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from orchestration.runtime import progress as reports

_VERBS = {"pull": "pulling", "dbt": "building", "published": "publishing", "alert": "checking"}


class RunProgress:
    """Shows the steps of a run, and inside a dbt step its nodes."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("[progress.description]{task.description}", justify="left"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}", style="dim", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=None, detail="")
        self._stop_listening = reports.listen(self.on_node)
        self._batches = 0

    def __enter__(self) -> RunProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop_listening()
        self._progress.stop()

    def on_fraction(self, fraction: float, what: str) -> None:
        """Show a task that knows its fraction, 0 to 1."""
        self._progress.update(self._task, total=100, completed=round(100 * fraction), description=what, detail="")

    def on_plan(self, steps: list[str]) -> None:
        """Show the beginning of a run of these steps."""
        self._progress.update(self._task, total=len(steps), completed=0, description="starting", detail="")

    def on_step(self, event: str, step: str) -> None:
        """Show that a step began or ended."""
        if event == "started":
            self._batches = 0
            self._progress.update(self._task, description=describe(step), detail="")
        else:
            self._progress.advance(self._task)

    def on_node(self, event: str, unique_id: str) -> None:
        """Show that a dbt node began, or that one more day of it is built."""
        name = unique_id.split(".")[2]
        if event == "LogBatchResult":
            self._batches += 1
        self._progress.update(self._task, detail=f"{name} ({self._batches} days)" if self._batches else name)


def describe(step: str) -> str:
    """Return a step's key in words.

    >>> describe("pull_app_requests")
    'pulling app_requests'
    """
    verb, _, rest = step.partition("_")
    return f"{_VERBS.get(verb, verb)} {rest.strip('_').replace('__', ' ')}".strip()
