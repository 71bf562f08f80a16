"""Alert rules as asset checks: a rule is a model whose rows are breaches.

Belongs here: reading the breaches of a run's days and showing them in a check result. Does not belong here:
the rules (they are `alert_*` models), and telling people about them (`orchestration.alerting`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from orchestration.connectors.base import Window
from orchestration.warehouse.assets import model_key
from orchestration.warehouse.project import DbtManifest

IN_BOUNDS = "in_bounds"
"""Name of the check on every alert model."""

_SHOWN_ROWS = 50
_CHARTED_ROWS = 12
_CHART_WIDTH = 30


def alert_models(manifest: DbtManifest) -> list[Mapping[str, Any]]:
    """Return the alert models, by name."""
    return sorted(
        (node for node in manifest.models.values() if node["name"].startswith("alert_")),
        key=lambda node: node["name"],
    )


def rule_of(node: Mapping[str, Any]) -> str:
    """Return the rule of an alert model, as its `meta.alert.rule` says it."""
    meta: Mapping[str, Any] = node["config"].get("meta") or {}
    return meta.get("alert", {}).get("rule", node["name"].removeprefix("alert_"))


def runbook_path(node: Mapping[str, Any]) -> str:
    """Return where the runbook lies in the repository."""
    return f"dbt_project/docs/alerts/{rule_of(node)}.md"


def alert_check_specs(manifest: DbtManifest) -> list[dg.AssetCheckSpec]:
    """Return one check for each alert model. A breach tells people; it never stops publishing."""
    return [
        dg.AssetCheckSpec(
            IN_BOUNDS,
            asset=model_key(node),
            description=node["description"] or None,
            metadata={"runbook": runbook_path(node)},
        )
        for node in alert_models(manifest)
    ]


def evaluate_alerts(
    warehouse: Path, nodes: Iterable[Mapping[str, Any]], days: Window | None
) -> Iterator[dg.AssetCheckResult]:
    """Yield the result of each rule: its breaches on the UTC days of `days` (None: on every day)."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for node in nodes:
            yield _check_result(node, *_breaches(connection, node, days))


def _breaches(
    connection: duckdb.DuckDBPyConnection, node: Mapping[str, Any], days: Window | None
) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    first, end = (days.start, days.end) if days else (date.min, date.max)
    # Days as text: for the first parameter DuckDB imports pandas, half a second of a run that finds nothing new.
    cursor = connection.execute(
        f'select breaches.*, alerts.top_drivers from "{node["schema"]}"."{node["name"]}" as breaches '
        "left join marts.alerts using (alert_rule, scope_kind, scope_id, usage_date) "
        f"where usage_date >= date '{first}' and usage_date < date '{end}' "
        "order by usage_date desc, scope_kind, scope_id"
    )
    return [column[0] for column in cursor.description or []], cursor.fetchall()


def _check_result(
    node: Mapping[str, Any], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> dg.AssetCheckResult:
    severities: set[str] = {row[columns.index("severity")] for row in rows}
    metadata: dict[str, Any] = {"breaches": len(rows), "runbook": runbook_path(node)}
    if rows:
        metadata["breaching_rows"] = dg.MetadataValue.table(
            records=[dg.TableRecord(_record(columns, row)) for row in rows[:_SHOWN_ROWS]],
            schema=dg.TableSchema(columns=[dg.TableColumn(column) for column in columns]),
        )
        metadata["chart"] = dg.MetadataValue.md(chart([dict(zip(columns, row, strict=True)) for row in rows]))
    return dg.AssetCheckResult(
        asset_key=model_key(node),
        check_name=IN_BOUNDS,
        passed=not rows,
        severity=dg.AssetCheckSeverity.ERROR if "error" in severities else dg.AssetCheckSeverity.WARN,
        description=f"{len(rows)} in breach; what to do: {runbook_path(node)}" if rows else None,
        metadata=metadata,
    )


def chart(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the newest breaches as bars, each on the scale of its own observation and threshold (`│`)."""
    lines: list[str] = []
    for row in rows[:_CHARTED_ROWS]:
        observed, threshold = row.get("observed"), row.get("threshold")
        if observed is None or threshold is None:
            continue
        largest = max(abs(observed), abs(threshold)) or 1.0
        bar = ["█"] * round(_CHART_WIDTH * abs(observed) / largest)
        bar += [" "] * (_CHART_WIDTH + 1 - len(bar))
        bar[min(round(_CHART_WIDTH * abs(threshold) / largest), _CHART_WIDTH)] = "│"
        # Names are data: in a code block nothing of them is markup.
        scope = str(row["scope_id"] or row["scope_kind"]).replace("`", "'").replace("\n", " ")[:24]
        lines.append(f"{row['usage_date']} {scope:<24} {''.join(bar)} {observed:.6g} / {threshold:.6g}")
    return "\n".join(["```", *lines, "```"])


def _record(columns: Sequence[str], row: Sequence[Any]) -> dict[str, str | int | float | bool | None]:
    return {column: _shown(value) for column, value in zip(columns, row, strict=True)}


def _shown(value: Any) -> str | int | float | bool | None:
    """Return a value as the UI can show it; money keeps its digits as text."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, date | datetime | timedelta):
        return str(value)
    return str(value)
