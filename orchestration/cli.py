"""The command line: `trueup --help` lists what it can do.

Belongs here: reading arguments, saying what happens, exit codes. Does not belong here: how anything is done.
Imports inside functions keep `trueup --help` at a tenth of a second: Dagster alone takes a whole one.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from orchestration.limits.commands import switch_app
from orchestration.runtime.jobs import BUILD_JOB, MAIN_JOB, RunOptions, only_sources_failed
from orchestration.settings import Settings, SettingsError

if TYPE_CHECKING:
    from orchestration.alerting.lifecycle import Event
    from orchestration.alerting.store import IncidentStore
    from orchestration.connectors.base import Window
    from orchestration.runtime.run import RunOutcome
    from orchestration.runtime.terminal import RunProgress

app = typer.Typer(
    help="What each tenant, feature, model and accepted outcome costs, tied to the provider's invoice.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

app.add_typer(switch_app, name="switch")

_console = Console()

_prices = typer.Typer(help="The price book.", no_args_is_help=True)
app.add_typer(_prices, name="prices")

_FIRST_RUN_DAYS = 31
"""Days that a first run with own sources covers when no `TRUEUP_START_DATE` says otherwise."""

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The folder that holds everything; default TRUEUP_HOME or ./data."),
]


@app.command()
def sample(
    home: HomeOption = None,
    days: Annotated[int | None, typer.Option(help="Number of UTC days.")] = None,
    requests: Annotated[int | None, typer.Option(help="Number of requests, about.")] = None,
    tenants: Annotated[int | None, typer.Option(help="Number of tenants.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same company.")] = None,
    *,
    incidents: Annotated[bool, typer.Option(help="Whether anything goes wrong.")] = True,
) -> None:
    """Generate the sample company."""
    from orchestration.runtime.terminal import RunProgress  # noqa: PLC0415

    settings = _settings(home)
    with RunProgress(_console) as progress:
        _generate(
            settings,
            progress,
            {"days": days, "requests": requests, "tenants": tenants, "seed": seed, "incidents": incidents},
        )
    _console.print(f"The sample company lies in {settings.sample}", soft_wrap=True)


@app.command()
def run(
    home: HomeOption = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First UTC day.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last UTC day.")] = None,
    force: Annotated[bool, typer.Option(help="Build and publish also what has not changed.")] = False,
) -> None:
    """Pull every source, build what has changed, check it, publish it, and show the figures.

    Without days: everything that there is at first, then whatever has changed since.
    """
    settings = _settings(home)
    if settings.sources is not None and settings.sample.exists():
        _fail(
            f"{settings.home} holds the sample company, whose figures would mix with yours; "
            "set TRUEUP_HOME to another folder"
        )
    _run_and_report(settings, MAIN_JOB, lambda: _days_to_run(settings, first, last), RunOptions(force=force))


@app.command()
def rebuild(
    home: HomeOption = None,
    as_known_at: Annotated[
        str | None, typer.Option(help="Build beside, as of what was known at this moment, such as 2026-11-03T08:00Z.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="With --as-known-at: a new folder; default TRUEUP_HOME/as_known/<moment>.")
    ] = None,
) -> None:
    """Delete the warehouse and build it again from what has landed; or build a past state in a folder of its own."""
    from orchestration.warehouse.runner import warehouse_lock  # noqa: PLC0415

    settings = _settings(home)
    if as_known_at is not None:
        published = _build_as_known(settings, _moment("--as-known-at", as_known_at), into)
        _console.print(f"The marts as known then lie in {published}", soft_wrap=True, highlight=False)
        return
    if into is not None:
        _fail("--into goes with --as-known-at; the warehouse itself is rebuilt in its place")
    if not settings.landing.is_dir():
        _fail(f"nothing has landed in {settings.landing}; run `trueup run` first")
    with warehouse_lock(settings):
        for path in (
            settings.warehouse,
            settings.warehouse.with_name("warehouse.duckdb.wal"),
            settings.warehouse_state,
        ):
            path.unlink(missing_ok=True)
    _run_and_report(settings, BUILD_JOB, lambda: _days_to_run(settings, None, None), RunOptions())


@app.command()
def restatements(
    since: Annotated[str, typer.Option("--from", help="The earlier moment, such as 2026-11-03T08:00Z.")],
    until: Annotated[str | None, typer.Option("--to", help="The later moment; default now.")] = None,
    into: Annotated[Path | None, typer.Option(help="The Parquet file; default below TRUEUP_HOME/as_known.")] = None,
    home: HomeOption = None,
) -> None:
    """Write what changed between two moments of knowledge, by provider, day, tenant, feature and source."""
    from orchestration.closing.errors import ClosingError  # noqa: PLC0415
    from orchestration.closing.restatements import compare, default_file  # noqa: PLC0415

    settings = _settings(home)
    first = _moment("--from", since)
    last = _moment("--to", until) if until else datetime.now(UTC)
    before, after = (_build_as_known(settings, moment, None) for moment in (first, last))
    try:
        changed = compare(settings, (before, first), (after, last), into or default_file(settings, first, last))
    except ClosingError as error:
        _fail(str(error))
    _console.print(
        f"{changed.rows_count} cells changed: billed {changed.billed_change_usd:+f} USD, "
        f"effective {changed.effective_change_usd:+f} USD; they lie in {changed.file}",
        soft_wrap=True,
        highlight=False,
    )


@app.command()
def close(
    month: Annotated[str, typer.Argument(help="YYYY-MM, of UTC days.")],
    reason: Annotated[str | None, typer.Option(help="Why it is closed although days are not reconciled.")] = None,
    home: HomeOption = None,
) -> None:
    """Keep the published figures of a month for good, with a receipt that reproduces them."""
    from orchestration.closing.close import close_month  # noqa: PLC0415
    from orchestration.closing.errors import ClosingError  # noqa: PLC0415
    from orchestration.closing.receipt import RECEIPT_FILE  # noqa: PLC0415
    from orchestration.publishing.errors import NotPublishedError  # noqa: PLC0415

    try:
        closed = close_month(_settings(home), month, reason)
    except (ClosingError, NotPublishedError) as error:
        _fail(str(error))
    _console.print(f"{month} is closed: {closed.folder / RECEIPT_FILE}", soft_wrap=True, highlight=False)


@app.command()
def replay(
    receipt: Annotated[Path, typer.Argument(help="closed/<month>/receipt.json of an installation.")],
    into: Annotated[Path | None, typer.Option(help="A new folder; default below TRUEUP_HOME/as_known.")] = None,
    home: HomeOption = None,
) -> None:
    """Build a closed month again from what was known, and compare every byte."""
    from orchestration.closing.errors import ClosingError  # noqa: PLC0415
    from orchestration.closing.replay import replay as replay_receipt  # noqa: PLC0415

    settings = _settings(home)
    try:
        with _console.status(f"building {receipt.parent.name} again"):
            replayed = replay_receipt(
                settings, receipt, into or settings.home / "as_known" / f"replay-{receipt.absolute().parent.name}"
            )
    except ClosingError as error:
        _fail(str(error))
    if not replayed.is_identical:
        _fail("\n".join([f"{replayed.month} came out differently:", *replayed.differences, *replayed.explanations]))
    _console.print(
        f"{replayed.month}: all {replayed.files_count} files came out in the same bytes",
        soft_wrap=True,
        highlight=False,
    )


@app.command()
def adjustments(home: HomeOption = None) -> None:
    """Write what has changed in closed months since, to be booked in the open period."""
    from orchestration.closing.adjustments import open_adjustments  # noqa: PLC0415
    from orchestration.closing.errors import ClosingError  # noqa: PLC0415
    from orchestration.publishing.errors import NotPublishedError  # noqa: PLC0415

    try:
        booked = open_adjustments(_settings(home))
    except (ClosingError, NotPublishedError) as error:
        _fail(str(error))
    _console.print(
        f"{booked.row_count} adjustments for {booked.booked_month:%Y-%m}: billed {booked.billed_change_usd:+f} USD, "
        f"effective {booked.effective_change_usd:+f} USD; they lie in {booked.file}",
        soft_wrap=True,
        highlight=False,
    )


@app.command()
def focus(
    month: Annotated[str, typer.Argument(help="YYYY-MM, of UTC days.")],
    into: Annotated[Path | None, typer.Option(help="The folder; default TRUEUP_HOME/focus/<month>.")] = None,
    home: HomeOption = None,
) -> None:
    """Export a month's spend as FOCUS 1.4 and 1.2, Parquet and CSV, checked against every rule of a column."""
    _export_focus(_settings(home), month, into)


@app.command("check-focus")
def check_focus(month: Annotated[str, typer.Argument(help="YYYY-MM, of UTC days.")], home: HomeOption = None) -> None:
    """Export a month and let the official FOCUS validator judge the 1.2 form; it needs a Python 3.12 beside."""
    from orchestration.environments import ProgramUnavailableError  # noqa: PLC0415
    from orchestration.focus.official import validate  # noqa: PLC0415

    settings = _settings(home)
    folder = _export_focus(settings, month, None)
    try:
        with _console.status("the official validator is at work"):
            report = validate(folder / "1.2" / "CostAndUsage.parquet", settings.home / "focus" / "validator")
    except ProgramUnavailableError as error:
        _fail(f"not judged by the official validator: {error}")
    _console.print(
        f"focus-validator: {report.passed_count} rules hold, {report.skipped_count} do not apply, "
        f"{len(report.failures)} fail",
        highlight=False,
    )
    if report.failures:
        _fail("\n".join(report.failures))


@app.command()
def report(
    month: Annotated[str, typer.Argument(help="YYYY-MM, of UTC days.")],
    into: Annotated[Path | None, typer.Option(help="The folder; default TRUEUP_HOME/reports.")] = None,
    home: HomeOption = None,
) -> None:
    """Write a month's report for finance, as one HTML file and one PDF; of the closed month where there is one."""
    from orchestration.closing.errors import ClosingError  # noqa: PLC0415
    from orchestration.monthly.figures import NothingPublishedError  # noqa: PLC0415
    from orchestration.monthly.report import write_report  # noqa: PLC0415
    from orchestration.publishing.errors import NotPublishedError  # noqa: PLC0415

    try:
        with _console.status("reading the month"):
            written = write_report(_settings(home), month, into)
    except (ClosingError, NotPublishedError, NothingPublishedError) as error:
        _fail(str(error))
    standing = "closed" if written.is_closed else "open, its figures may still change"
    _console.print(f"{month} ({standing}): {written.html}, {written.pdf}", soft_wrap=True, highlight=False)


@app.command("check-metrics")
def check_the_metrics(home: HomeOption = None) -> None:
    """Ask MetricFlow, which it installs beside, for every metric, and compare it with its mart."""
    from orchestration.bi.metrics import check_metrics  # noqa: PLC0415
    from orchestration.environments import ProgramUnavailableError  # noqa: PLC0415
    from orchestration.publishing.errors import NotPublishedError  # noqa: PLC0415

    try:
        with _console.status("MetricFlow is at work"):
            report = check_metrics(_settings(home))
    except (NotPublishedError, ProgramUnavailableError) as error:
        _fail(f"not asked of MetricFlow: {error}")
    if report.differences:
        _fail("\n".join(report.differences))
    _console.print(
        f"MetricFlow: {report.metrics_count} metrics equal their marts in {report.values_count:,} values",
        highlight=False,
    )


@app.command("superset-bundle")
def superset_bundle(
    into: Annotated[Path | None, typer.Option(help="The zip; default TRUEUP_HOME/superset/trueup.zip.")] = None,
    published: Annotated[Path | None, typer.Option(help="The published folder as Superset sees it.")] = None,
    home: HomeOption = None,
) -> None:
    """Write datasets, charts and a dashboard for Apache Superset as the zip that `superset import-dashboards` takes."""
    from orchestration.bi.bundle import write_bundle  # noqa: PLC0415
    from orchestration.publishing.errors import NotPublishedError  # noqa: PLC0415

    settings = _settings(home)
    target = into or settings.home / "superset" / "trueup.zip"
    try:
        write_bundle(settings.published, target, seen_at=published)
    except NotPublishedError as error:
        _fail(str(error))
    _console.print(f"superset import-dashboards --path {target} --username admin", soft_wrap=True, highlight=False)


@app.command("check-superset")
def check_the_superset_bundle(home: HomeOption = None) -> None:
    """Import the bundle into a Superset of its own and compare every chart with the marts."""
    from orchestration.bi.superset import check_superset  # noqa: PLC0415
    from orchestration.environments import ProgramUnavailableError  # noqa: PLC0415
    from orchestration.publishing.errors import NotPublishedError  # noqa: PLC0415

    try:
        with _console.status("Superset is at work"):
            report = check_superset(_settings(home))
    except (NotPublishedError, ProgramUnavailableError) as error:
        _fail(f"not tried in Superset: {error}")
    if report.differences:
        _fail("\n".join(report.differences))
    _console.print(
        f"Superset: {report.charts_count} charts equal the marts in {report.values_count:,} values", highlight=False
    )


@app.command()
def ui(
    home: HomeOption = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 3000,
) -> None:
    """Serve the Dagster UI with its schedules and sensors on 127.0.0.1."""
    import sys  # noqa: PLC0415

    from orchestration.runtime.instance import (  # noqa: PLC0415
        dagster_environment,
        write_instance_config,
        write_workspace,
    )

    settings = _settings(home)
    write_instance_config(settings)
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "dev", "-w", str(write_workspace(settings))]
    os.execve(  # noqa: S606 - the UI takes this process's place, so that Ctrl-C reaches it
        sys.executable,
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        {**os.environ, **dagster_environment(settings)},
    )


@_prices.command("export")
def export_prices(
    target: Annotated[Path, typer.Argument(help="The file, such as prices.json.gz.")],
    home: HomeOption = None,
) -> None:
    """Write the price book as one file for the request path (trueup-middleware)."""
    from orchestration.pricebook.book import BookError  # noqa: PLC0415
    from orchestration.pricebook.export import write_price_file  # noqa: PLC0415

    settings = _settings(home)
    overrides = tuple(sorted((settings.home / "pricing").glob("*.csv")))
    try:
        version = write_price_file(settings.pricing, target, overrides)
    except (BookError, OSError) as error:
        _fail(str(error))
    _console.print(f"{target}: version {version}", soft_wrap=True)


@app.command()
def status(home: HomeOption = None) -> None:
    """Show what has landed from each source, and the days whose figures are not up to date."""
    from orchestration.runtime.status import print_status  # noqa: PLC0415

    print_status(_settings(home), _console)


@app.command()
def explain(
    current: Annotated[str, typer.Option("--to", help="What to explain: 2026-10-13, or 2026-10-01..2026-10-07.")],
    baseline: Annotated[
        str | None, typer.Option("--from", help="What they are compared with; the seven days before by default.")
    ] = None,
    home: HomeOption = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant.")] = None,
    feature: Annotated[str | None, typer.Option(help="Only this feature.")] = None,
) -> None:
    """Say why spend moved between two periods. Of different lengths, their mean days are compared."""
    from orchestration.explain.change import ExplainError, Period, explain_change  # noqa: PLC0415
    from orchestration.explain.show import print_change  # noqa: PLC0415
    from orchestration.publishing.errors import NotPublishedError  # noqa: PLC0415
    from orchestration.publishing.reader import open_marts  # noqa: PLC0415

    settings = _settings(home)
    try:
        after = Period.parse(current)
        before = Period.parse(baseline) if baseline else after.before()
        with open_marts(settings.published) as marts:
            change = explain_change(marts, before, after, tenant_id=tenant, feature=feature)
    except (ExplainError, NotPublishedError) as error:
        _fail(str(error))
    print_change(change, _console)


incidents_app = typer.Typer(help="What fires now; take it, silence it, send what waits.", invoke_without_command=True)
app.add_typer(incidents_app, name="incidents")


@incidents_app.callback()
def incidents(context: typer.Context, home: HomeOption = None) -> None:
    """List the incidents that last, the worst first."""
    from orchestration.alerting.lifecycle import State  # noqa: PLC0415
    from orchestration.alerting.show import print_incidents  # noqa: PLC0415
    from orchestration.alerting.store import IncidentStore  # noqa: PLC0415

    settings = _settings(home)
    if context.invoked_subcommand is None:
        store = IncidentStore(settings)
        lasting = [one for one in store.incidents() if one.state is not State.RESOLVED]
        print_incidents(lasting, store.deliveries(), _console)


@incidents_app.command()
def ack(
    incident_id: Annotated[str, typer.Argument(help="Its id, or how that begins.")],
    note: Annotated[str | None, typer.Option(help="What you will do.")] = None,
) -> None:
    """Take an incident: it no longer escalates by itself."""
    _act_on_incident(lambda store, now: store.acknowledge(incident_id, now, note))


@incidents_app.command("snooze")
def snooze_incident(
    incident_id: Annotated[str, typer.Argument(help="Its id, or how that begins.")],
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 90, help="For how long nobody is told.")] = 24,
    note: Annotated[str | None, typer.Option(help="Why.")] = None,
) -> None:
    """Let nobody be told of an incident for a while; if it still fires then, they are."""
    _act_on_incident(lambda store, now: store.snooze(incident_id, now + timedelta(hours=hours), now, note))


@incidents_app.command()
def send() -> None:
    """Send the messages that are due; `trueup run` and the UI do so by themselves."""
    _send_messages(_settings(None))


def _act_on_incident(act: Callable[[IncidentStore, datetime], Event]) -> None:
    from orchestration.alerting.lifecycle import LifecycleError  # noqa: PLC0415
    from orchestration.alerting.store import IncidentStore  # noqa: PLC0415

    try:
        event = act(IncidentStore(_settings(None)), datetime.now(UTC))
    except LifecycleError as error:
        _fail(str(error))
    _console.print(
        f"{event.incident_id}: {event.key.alert_rule} of {event.key.scope_kind} {event.key.scope_id} is {event.state}",
        soft_wrap=True,
        highlight=False,
    )


def _send_messages(settings: Settings) -> None:
    from orchestration.alerting.delivery import deliver_due  # noqa: PLC0415

    if waiting := deliver_due(settings):
        _console.print(f"Messages wait for an address of {', '.join(waiting)}", soft_wrap=True, highlight=False)


def _settings(home: Path | None) -> Settings:
    if home is not None:
        os.environ["TRUEUP_HOME"] = str(home.expanduser().absolute())
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        _fail(str(error))
    os.environ["TRUEUP_HOME"] = str(settings.home)
    return settings


def _export_focus(settings: Settings, month: str, into: Path | None) -> Path:
    """Export a month, check it by our own rules, and return the folder."""
    from orchestration.closing.errors import ClosingError  # noqa: PLC0415
    from orchestration.focus.export import check_export, export_month  # noqa: PLC0415
    from orchestration.publishing.errors import NotPublishedError  # noqa: PLC0415

    try:
        exported = export_month(settings, month, into)
    except (ClosingError, NotPublishedError) as error:
        _fail(str(error))
    _console.print(
        f"{exported.rows_count} rows, {exported.billed_cost_usd:f} USD billed, lie in {exported.folder}; "
        f"{exported.unbilled_requests_count} requests are not billed yet and left out",
        soft_wrap=True,
        highlight=False,
    )
    if violations := check_export(exported.folder):
        _fail("\n".join(violations))
    return exported.folder


def _moment(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _fail(f"{option} must be an RFC 3339 moment such as 2026-11-03T08:00Z, got {text!r}")
    if moment.tzinfo is None:
        _fail(f"{option} needs a zone, for example {text}Z")
    return moment.astimezone(UTC)


def _build_as_known(settings: Settings, moment: datetime, into: Path | None) -> Path:
    """Build the marts as of a moment and return the published folder."""
    from orchestration.closing.as_known import build_as_known, default_folder  # noqa: PLC0415
    from orchestration.closing.errors import ClosingError  # noqa: PLC0415

    try:
        with _console.status(f"building the marts as known at {moment.isoformat()}"):
            built = build_as_known(settings, moment, into or default_folder(settings, moment))
    except ClosingError as error:
        _fail(str(error))
    return built.settings.published


def _fail(message: str) -> NoReturn:
    _console.print(f"[red]{escape(message)}[/red]", soft_wrap=True, highlight=False)
    raise typer.Exit(1)


def _generate(settings: Settings, progress: RunProgress, options: Mapping[str, int | None]) -> None:
    from orchestration.runtime.sample import generate_sample  # noqa: PLC0415
    from orchestration.sample_company.options import SampleOptions  # noqa: PLC0415

    given = {name: value for name, value in options.items() if value is not None}
    generate_sample(settings, replace(SampleOptions(), **given), progress.on_fraction)


def _days_to_run(settings: Settings, first: datetime | None, last: datetime | None) -> Window:
    """Return the days of a run: as asked, else all that there is at first, later the newest two.

    Older days that a provider restates or whose logs arrive late are pulled and built without being asked
    for.
    """
    from orchestration.connectors.base import Window  # noqa: PLC0415
    from orchestration.partitions import sample_days, start_date  # noqa: PLC0415

    sampled = sample_days(settings) if settings.sources is None else None
    today = datetime.now(UTC).date()
    newest = last.date() if last else (sampled.end - timedelta(days=1) if sampled else today)
    if first:
        oldest = first.date()
    elif settings.warehouse.exists() and settings.warehouse_state.exists():
        oldest = newest - timedelta(days=1)
    elif sampled:
        oldest = sampled.start
    else:
        oldest = settings.start_date or newest - timedelta(days=_FIRST_RUN_DAYS)
    if oldest > newest:
        _fail(f"the first day, {oldest}, comes after the last, {newest}")
    if oldest < start_date(settings):
        _fail(f"the first day, {oldest}, comes before {start_date(settings)}; set TRUEUP_START_DATE earlier")
    return Window(oldest, newest + timedelta(days=1))


def _run_and_report(settings: Settings, job_name: str, asked: Callable[[], Window], options: RunOptions) -> None:
    """Run a job, say what failed, show the figures; `asked` is called once the sample company is there."""
    from orchestration.components import SourceDocumentError  # noqa: PLC0415
    from orchestration.partitions import sample_days  # noqa: PLC0415
    from orchestration.runtime.instance import open_instance  # noqa: PLC0415
    from orchestration.runtime.run import (  # noqa: PLC0415
        execute,
        load_definitions,
        log_to_file,
        parsing_ahead,
        run_in_turn,
    )
    from orchestration.runtime.terminal import RunProgress  # noqa: PLC0415
    from orchestration.warehouse.project import DbtProjectError  # noqa: PLC0415

    log_to_file(settings)
    # What is loaded stays to the end. Looking for garbage in it, now and at the exit, took 1.7 s of 6.4 (lab).
    gc.disable()
    with RunProgress(_console) as progress, parsing_ahead(settings) as dbt:
        if settings.sources is None and sample_days(settings) is None:
            gc.enable()
            _generate(settings, progress, {})
        days = asked()
        progress.on_plan([])
        try:
            definitions = load_definitions()
        except (SourceDocumentError, DbtProjectError) as error:
            _fail(str(error))

        with open_instance(settings) as instance:
            gc.freeze()
            gc.enable()

            def run_job(name: str) -> RunOutcome:
                return execute(
                    definitions, instance, name, days, options, on_plan=progress.on_plan, on_step=progress.on_step
                )

            outcomes = run_in_turn(settings, dbt, job_name, days, run_job, force=options.force)
    _send_messages(settings)
    _report(settings, outcomes)


def _report(settings: Settings, outcomes: Sequence[RunOutcome]) -> None:
    from orchestration.report import print_report  # noqa: PLC0415

    if (settings.published / "marts.duckdb").exists():
        print_report(settings.published, _console)
    for outcome in outcomes:
        for step, message in outcome.errors.items():
            _console.print(f"[red]failed:[/red] {step}", highlight=False)
            _console.print(escape(message), soft_wrap=True, highlight=False)
    if only_sources_failed(outcomes[0].errors):
        _console.print("The figures are made of what the other sources have landed.")
    if not all(outcome.succeeded for outcome in outcomes):
        _console.print(f"The log lies in {settings.home / 'logs' / 'trueup.log'}", soft_wrap=True)
        raise typer.Exit(1)
