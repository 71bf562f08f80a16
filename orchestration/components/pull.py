"""One pull of one source inside a Dagster step.

Belongs here: from a request to landed rows, and from landed rows to what Dagster shows. Does not belong here:
the definition of the assets (`source`), and what is read or written (the connectors and the landing zone).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast

import dagster as dg
from pydantic import Field

from orchestration.components.sample import sample_secrets
from orchestration.connectors import connector_class
from orchestration.connectors.base import Connector, SecretResolver, TableKind, TableSpec, Window
from orchestration.connectors.errors import ConnectorError, MissingSecretError
from orchestration.landing.results import TableResult
from orchestration.landing.store import LandingStore
from orchestration.partitions import ONE_DAY, days_of_step, start_date
from orchestration.settings import Settings

NOTHING_LOST = "nothing_lost"
QUARANTINE_EMPTY = "quarantine_empty"


class PullConfig(dg.Config):
    """How a source is pulled."""

    restate: bool = Field(
        default=False,
        description="Pull, besides the days of the run, the days before that the provider may still change.",
    )


@dataclass(frozen=True)
class PullRequest:
    """What one step pulls.

    Attributes:
        source_name: The instance.
        kind: Its connector.
        config: Its settings, as the document gives them.
        tables: The landed tables.
        asset_keys: Their assets, in the same order.
        served_by_sample_company: Whether the built-in providers answer.
    """

    source_name: str
    kind: str
    config: Mapping[str, Any]
    tables: tuple[TableSpec, ...]
    asset_keys: tuple[dg.AssetKey, ...]
    served_by_sample_company: bool


def pull_source(
    context: dg.AssetExecutionContext, request: PullRequest, options: PullConfig
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Pull a source, and yield one materialization and two check results for each of its tables.

    Raises:
        dagster.Failure: When the source cannot be read and trying again would not help.
        ConnectorError: When it may help; the step is then tried again.
    """
    settings = Settings.from_env()
    config = cast("Any", connector_class(request.kind)).Config.model_validate(request.config)
    run_days = None if context.assets_def.partitions_def is None else days_of_step(context)
    restated_days = getattr(config, "restatement_days", 0) if options.restate else 0
    window = _window(request, run_days, restated_days, start_date(settings))
    try:
        with _connector(request, config, settings) as connector:
            result = LandingStore(settings.landing).run(request.source_name, connector, window)
    except ConnectorError as error:
        if getattr(error, "is_transient", False):
            raise
        raise dg.Failure(description=str(error), allow_retries=False) from None
    for table, key in zip(request.tables, request.asset_keys, strict=True):
        yield from _table_events(context, key, result.tables.get(table.name, TableResult()), run_days)


@contextmanager
def _connector(request: PullRequest, config: object, settings: Settings) -> Generator[Connector]:
    def from_environment(name: str) -> str:
        value = settings.secret(name)
        if value is None:
            raise MissingSecretError(request.source_name, name)
        return value

    def build(secrets: SecretResolver) -> Connector:
        return cast("Any", connector_class(request.kind))(request.source_name, config, secrets)

    if request.served_by_sample_company:
        with sample_secrets(request.source_name, settings, from_environment) as secrets:
            yield build(secrets)
    else:
        yield build(from_environment)


def _window(request: PullRequest, run_days: Window | None, restated_days: int, earliest: date) -> Window | None:
    """Return the days to ask the source for; None for logs and full copies, which deliver whatever is new.

    A provider may still change `restated_days` days before the newest one; nobody wants those before `earliest`.
    """
    if run_days is None or all(table.kind is not TableKind.WINDOW for table in request.tables):
        return None
    restated = max(earliest, run_days.end - ONE_DAY - timedelta(days=restated_days))
    return Window(min(run_days.start, restated), run_days.end)


def _table_events(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    result: TableResult,
    run_days: Window | None,
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    changed = sorted(result.changed_dates)
    metadata: dict[str, Any] = {
        "rows_read": result.rows_read,
        "rows_landed": result.rows_landed,
        "rows_quarantined": result.rows_quarantined,
        "rows_skipped": result.rows_skipped,
        "unchanged": not result.is_changed,
        "changed_days": len(changed),
    }
    _report_days_outside(context, key, changed, run_days)
    yield dg.MaterializeResult(asset_key=key, metadata=metadata)
    accounted = result.rows_landed + result.rows_quarantined + result.rows_skipped
    yield dg.AssetCheckResult(
        asset_key=key,
        check_name=NOTHING_LOST,
        passed=result.rows_read == accounted,
        metadata={"rows_read": result.rows_read, "rows_accounted_for": accounted},
    )
    yield dg.AssetCheckResult(
        asset_key=key,
        check_name=QUARANTINE_EMPTY,
        passed=result.rows_quarantined == 0,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{result.rows_quarantined} rows lie in landing/_quarantine" if result.rows_quarantined else None,
        metadata={
            "rows_quarantined": result.rows_quarantined,
            **{f"reason/{k}": n for k, n in result.reasons.items()},
        },
    )


def _report_days_outside(
    context: dg.AssetExecutionContext, key: dg.AssetKey, changed: Sequence[date], run_days: Window | None
) -> None:
    """Record the days that changed and that the run did not ask for: late log lines, restated bills."""
    partitions = context.assets_def.partitions_def
    if partitions is None or run_days is None:
        return
    for day in changed:
        if not run_days.start <= day < run_days.end and partitions.has_partition_key(day.isoformat()):
            context.log_event(dg.AssetMaterialization(key, partition=day.isoformat()))
