"""Closing a month: its published figures are kept for good, with a receipt.

Belongs here: whether a month may be closed, and the order of doing it. Does not belong here: the files (`freeze`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from orchestration.closing.definitions import code_version, definition_version
from orchestration.closing.errors import ClosingError
from orchestration.closing.figures import month_condition
from orchestration.closing.freeze import State, freeze
from orchestration.closing.price_book import PriceBook
from orchestration.closing.receipt import (
    RECEIPT_FILE,
    ClosedMonth,
    Receipt,
    UnreconciledDay,
    closed_folder,
    closed_months,
    month_start,
    next_month,
    price_book_folder,
)
from orchestration.closing.standstill import standstill
from orchestration.publishing.reader import open_marts
from orchestration.settings import Settings
from orchestration.warehouse.inputs import current_inputs, publication
from orchestration.warehouse.project import DbtManifest, DbtOp, project_manifest
from orchestration.warehouse.runner import warehouse_lock
from orchestration.warehouse.state import PUBLISHED_PART, WarehouseState, stale_days

RECONCILIATION_MART = "recon_estimated_vs_billed_by_provider_day"

_SHOWN_DAYS = 10


def close_month(settings: Settings, month: str, reason: str | None = None) -> ClosedMonth:
    """Keep the published figures of a month in `TRUEUP_HOME/closed/<month>`, with its receipt.

    Args:
        settings: The installation.
        month: `YYYY-MM`, of UTC days.
        reason: Why it is closed although days of it are not reconciled; kept in the receipt.

    Raises:
        ClosingError: When the month is not over, was closed before, or comes before one that was; when a source is
            being pulled; when anything has landed that is not published; when a day is not reconciled and no reason
            is given. Nothing is kept then.
        NotPublishedError: When nothing is published.
    """
    return close_state(settings, project_manifest(settings), month, reason)


def close_state(
    settings: Settings,
    manifest: DbtManifest,
    month: str,
    reason: str | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ClosedMonth:
    """Do what `close_month` does, with a dbt project that has been parsed."""
    first_day = month_start(month)
    closed = closed_folder(settings)
    earlier = _require_order(closed, month, first_day)
    if settings.as_known_at is not None:
        raise ClosingError("a past state cannot be closed; unset TRUEUP_AS_KNOWN_AT")
    with warehouse_lock(settings), standstill(settings.landing, now) as moment:
        if moment.date() < next_month(first_day):
            raise ClosingError(f"{month} is not over before {next_month(first_day)} UTC")
        _require_published(settings, manifest)
        state = State(replace(settings, as_known_at=moment), manifest)
        version = state.catalogue().version
        days = unreconciled_days(settings.published, first_day)
        if days and not (reason or "").strip():
            raise ClosingError(_refusal(month, days))
        prices = PriceBook.of(settings)
        staging = closed / f".closing-{month}"
        shutil.rmtree(staging, ignore_errors=True)
        frozen = freeze(state, first_day, earlier, staging)
    receipt = Receipt(
        month=month,
        closed_at=now().astimezone(UTC).isoformat(),
        as_known_at=moment.isoformat(),
        published_version=version,
        reason=reason if days else None,
        unreconciled_days=days,
        definition_version=definition_version(manifest),
        code_version=code_version(),
        price_book_hash=prices.content_hash,
        pulls=frozen.pulls,
        totals=frozen.totals,
        files=frozen.files,
    )
    kept_prices = price_book_folder(closed, prices.content_hash)
    if not kept_prices.exists():
        prices.keep(kept_prices)
    (staging / RECEIPT_FILE).write_text(receipt.to_json())
    for path in staging.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
    staging.rename(closed / month)
    return ClosedMonth(closed / month, receipt)


def unreconciled_days(published: Path, month: date) -> list[UnreconciledDay]:
    """Return the days of the month that are not reconciled, by day and provider."""
    with open_marts(published) as marts:
        rows = marts.execute(
            f"select strftime(usage_date, '%Y-%m-%d'), provider, reconciliation_status from {RECONCILIATION_MART} "
            f"where {month_condition(month)} and reconciliation_status <> 'reconciled' order by usage_date, provider"
        ).fetchall()
    return [UnreconciledDay(*row) for row in rows]


def _require_order(closed: Path, month: str, first_day: date) -> list[ClosedMonth]:
    months = closed_months(closed)
    if any(each.receipt.month == month for each in months):
        raise ClosingError(
            f"{month} is closed ({closed / month / RECEIPT_FILE}) and stays as it is; "
            "`trueup adjustments` shows what has changed since"
        )
    if months and months[-1].receipt.first_day > first_day:
        raise ClosingError(f"{months[-1].receipt.month} is closed already; months are closed in their order")
    return months


def _require_published(settings: Settings, manifest: DbtManifest) -> None:
    """Make sure that readers see everything that has landed, built by the code and the prices of now."""
    state = WarehouseState.load(settings.warehouse_state, settings.warehouse)
    inputs = current_inputs(settings, manifest)
    if stale := sorted(stale_days(inputs.days, state.days)):
        raise ClosingError(
            f"{len(stale)} days are not up to date, from {stale[0]} to {stale[-1]}; run `trueup run` first"
        )
    wanted = inputs.rollup(state.days)
    if state.parts.get(DbtOp.ROLLUP) != wanted or state.parts.get(PUBLISHED_PART) != publication(settings, wanted):
        raise ClosingError("what is published is not up to date; run `trueup run` first")


def _refusal(month: str, days: list[UnreconciledDay]) -> str:
    lines = [f"  {day.usage_date} {day.provider}: {day.status}" for day in days[:_SHOWN_DAYS]]
    if len(days) > _SHOWN_DAYS:
        lines.append(f"  and {len(days) - _SHOWN_DAYS} more")
    return "\n".join(
        [
            f"{month} is not closed: {len(days)} days of a provider are not reconciled",
            *lines,
            "wait for them, or say why it is closed even so: --reason (make close: REASON=…)",
        ]
    )
