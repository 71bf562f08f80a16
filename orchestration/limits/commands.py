"""`trueup switch`: what is switched, what is proposed, throwing and lifting.

Belongs here: arguments and words. Does not belong here: what a switch is.
"""

from __future__ import annotations

import getpass
import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from orchestration.settings import Settings

switch_app = typer.Typer(help="Turn a tenant, a feature, a model or everything off or down for a time.")

_console = Console()

HomeOption = Annotated[Path | None, typer.Option("--home", help="The folder that holds everything.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who does it; default is whoever is logged in.")]


@switch_app.command("list")
def list_switches(home: HomeOption = None) -> None:
    """List the switches that are active or proposed, and what could be switched by none."""
    from orchestration.limits.switchboard import Switchboard  # noqa: PLC0415

    table = Table(Column("id", no_wrap=True), "state", "action", "on", "until (UTC)", "owner", "by", "reason")
    shown = 0
    for name, switch in Switchboard(_folder(home)).switches(datetime.now(UTC)).items():
        if switch.state in ("active", "proposed", "noted"):
            request = switch.request
            on = f"{request.scope} {request.scope_id}".strip()
            until = f"{request.until:%Y-%m-%d %H:%M}"
            table.add_row(name, switch.state, request.action, on, until, request.owner, switch.by, request.reason)
            shown += 1
    _console.print(table if shown else "No switch is active, and none is proposed.")


@switch_app.command()
def activate(switch_id: str, home: HomeOption = None, by: ByOption = None) -> None:
    """Throw a switch that an alert has proposed."""
    _move("activate", switch_id, home, by)


@switch_app.command()
def lift(switch_id: str, home: HomeOption = None, by: ByOption = None) -> None:
    """End an active switch before its time."""
    _move("lift", switch_id, home, by)


@switch_app.command()
def throw(  # noqa: PLR0917 - each is an option of the command
    scope: Annotated[str, typer.Option(help="org, provider, model, tenant or feature.")],
    reason: Annotated[str, typer.Option(help="Why; callers are told.")],
    hours: Annotated[float, typer.Option(help="When it ends by itself.")],
    scope_id: Annotated[str, typer.Option("--id", help="Which one; empty for the organisation.")] = "",
    action: Annotated[str, typer.Option(help="disable, throttle or degrade_model.")] = "disable",
    requests_per_minute: Annotated[int | None, typer.Option(help="With throttle.")] = None,
    home: HomeOption = None,
    by: ByOption = None,
) -> None:
    """Throw a switch by hand."""
    from trueup_middleware.switches import parse_switch  # noqa: PLC0415

    from orchestration.limits.policies import read_policies  # noqa: PLC0415
    from orchestration.limits.switchboard import Switchboard, SwitchRequest  # noqa: PLC0415

    settings, now = _settings(home), datetime.now(UTC)
    who = by or _user()
    request = SwitchRequest(
        switch_id=f"manual-{secrets.token_hex(5)}",
        scope=scope,
        scope_id=scope_id,
        action=action,
        until=now + timedelta(hours=hours),
        reason=reason,
        owner=who,
        requests_per_minute=requests_per_minute,
        models=read_policies(settings.pricing).fallbacks if action == "degrade_model" else None,
    )
    try:
        parse_switch(request.to_json())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if (scope == "org") != (scope_id == ""):
        raise typer.BadParameter("--id goes with every scope but org")
    board = Switchboard(settings.limits)
    board.propose([request], who, now, activate=True)
    board.publish(now)
    _console.print(f"{request.switch_id}: {action} {scope} {scope_id} until {request.until:%Y-%m-%d %H:%M} UTC")


def _move(verb: str, switch_id: str, home: Path | None, by: str | None) -> None:
    from orchestration.limits.switchboard import Switchboard, SwitchError  # noqa: PLC0415

    board, now = Switchboard(_folder(home)), datetime.now(UTC)
    try:
        if verb == "activate":
            board.activate(switch_id, by or _user(), now)
        else:
            board.lift(switch_id, by or _user(), now)
    except SwitchError as error:
        _console.print(f"[red]{error}[/red]", soft_wrap=True)
        raise typer.Exit(1) from None
    board.publish(now)
    _console.print(f"{switch_id}: done; applications know within seconds", highlight=False)


def _settings(home: Path | None) -> Settings:
    if home is not None:
        os.environ["TRUEUP_HOME"] = str(home.absolute())
    return Settings.from_env()


def _folder(home: Path | None) -> Path:
    return _settings(home).limits


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
