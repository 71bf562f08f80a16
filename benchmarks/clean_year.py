"""A year in which nothing goes wrong: generated, landed, and judged by the alert rules of the dbt project.

Belongs here: the company of that year, the shortest way to its alerts, and the rules that judge the newest day alone,
asked on every day. Does not belong here: what counts as a false alarm, and the figures (`alerts`).

The company is the sample's in size and seasons, but restless: days and hours of a tenant vary as in public traces, and
arrivals are random. Every feature has a release without an effect every other week, and every budget is a quarter above
what its month costs. Nothing is published and no data test runs; every figure is made by the models that a run builds.
"""

from __future__ import annotations

import csv
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date, datetime, time, timedelta
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Any, cast

import duckdb

from orchestration.components.sample import sample_secrets
from orchestration.connectors import connector_class
from orchestration.connectors.base import Window
from orchestration.landing.store import LandingStore
from orchestration.runtime.sample import generate_sample
from orchestration.sample_company import SampleOptions
from orchestration.settings import Settings
from orchestration.warehouse.args import event_time_arguments
from orchestration.warehouse.home import prepare_home
from orchestration.warehouse.runner import DbtProcess

YEAR_DAYS = 365
REQUESTS_PER_DAY = 3_333
"""As many as the default sample has: with less spend the floors of the rules would keep them silent."""

ONE_DAY = timedelta(days=1)
_RELEASE_EVERY_DAYS = 14
_HEADROOM = Decimal("1.25")
_FORECAST_READS_DAYS = 62
"""The forecast reads the month so far and 56 days."""

_FORECASTS = "marts/unit_economics/spend_forecasts.sql"
_FORECAST_RULE = "alerts/alert_forecasts_over_budget.sql"


def build_clean_year(home: Path, days: int = YEAR_DAYS) -> None:
    """Generate and land the year, and build the alerts of all its days.

    Raises:
        RuntimeError: When a model cannot be built.
    """
    settings = Settings(home=home)
    options = SampleOptions(
        days=days, requests=REQUESTS_PER_DAY * days, observed_share=0.0, incidents=False, restless=True
    )
    generate_sample(settings, options)
    _write_releases(settings.sample / "company" / "releases.csv", options)
    _write_budgets(settings.sample)
    _land(settings, Window(options.start_date, options.end_date + ONE_DAY))
    prepare_home(settings)
    os.environ["TRUEUP_HOME"] = str(home)
    with closing(DbtProcess(settings)) as dbt:
        result = dbt.run(
            [
                *("run", "--select", "+int_alerts__unioned"),
                *event_time_arguments(Window(options.start_date, options.end_date + ONE_DAY)),
            ]
        )
    if not result.success:
        bad = [f"{node.unique_id}: {node.message}" for node in result.nodes if node.status != "success"]
        raise RuntimeError("\n".join(bad))


def breaches_of(home: Path) -> list[dict[str, Any]]:
    """Return what the year's alerts say, a row each, with those of `forecast_over_budget` as seen on every day."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as warehouse:
        found = _dictionaries(
            warehouse, "select * from alerts.int_alerts__unioned where alert_rule <> 'forecast_over_budget'"
        )
    return [*found, *_forecast_breaches(home)]


def _forecast_breaches(home: Path) -> Iterator[dict[str, Any]]:
    """Yield the breaches of the forecast, which judges the newest day, on every day of the year.

    The two models are run as dbt compiled them, over views that end on that day.
    """
    compiled = home / "dbt" / "target" / "compiled" / "trueup" / "models"
    forecasts, rule = ((compiled / name).read_text() for name in (_FORECASTS, _FORECAST_RULE))
    with duckdb.connect() as memory:
        memory.execute("set TimeZone = 'UTC'")
        memory.execute("attach ':memory:' as warehouse")
        memory.execute(f"attach '{home / 'warehouse.duckdb'}' as year (read_only)")
        relations = set(re.findall(r'"warehouse"\."(\w+)"\."(\w+)"', forecasts + rule)) - {("marts", "spend_forecasts")}
        for schema, name in sorted(relations):
            memory.execute(f"create schema if not exists warehouse.{schema}")
            memory.execute(f"create table warehouse.{schema}.{name}_whole as select * from year.{schema}.{name}")
            columns = [row[0] for row in memory.execute(f"describe warehouse.{schema}.{name}_whole").fetchall()]
            until = (
                f"where usage_date between getvariable('today') - {_FORECAST_READS_DAYS} and getvariable('today')"
                if "usage_date" in columns
                else ""
            )
            memory.execute(f"set variable today = date '{date.max}'")
            memory.execute(f"create view warehouse.{schema}.{name} as from warehouse.{schema}.{name}_whole {until}")
        ((first, last),) = memory.execute(
            "select min(usage_date), max(usage_date) from year.marts.llm_usage_by_tenant_feature_model_day"
        ).fetchall()
        for number in range((last - first).days + 1):
            memory.execute(f"set variable today = date '{first + number * ONE_DAY}'")
            memory.execute(f"create or replace table warehouse.marts.spend_forecasts as {forecasts}")
            yield from _dictionaries(memory, rule)


def _land(settings: Settings, window: Window) -> None:
    """Pull the sources that the alerts need: calls by the request log alone, outcomes, tables and both bills."""
    sample = settings.sample
    tables = {path.stem: str(path) for path in sorted((sample / "company").glob("*.csv"))}
    sources: Mapping[str, tuple[str, dict[str, Any]]] = {
        "app_requests": ("llm_request_log", {"path": str(sample / "requests")}),
        "product": ("product_outcome_log", {"path": str(sample / "outcomes")}),
        "company": ("company_tables", {"tables": tables}),
        **{
            name: (
                f"{name}_organization",
                {
                    "base_url_env": f"TRUEUP_SAMPLE_{name.upper()}_URL",
                    "api_key_env": f"TRUEUP_SAMPLE_{name.upper()}_KEY",
                },
            )
            for name in ("openai", "anthropic")
        },
    }
    store = LandingStore(settings.landing)
    for name, (kind, config) in sources.items():
        connector: Any = cast("Any", connector_class(kind))
        with sample_secrets(name, settings, lambda name: settings.secret(name) or "") as secrets:
            store.run(name, connector(name, connector.Config.model_validate(config), secrets), window)


def _write_releases(path: Path, options: SampleOptions) -> None:
    """Add releases that change nothing, one feature after the other."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    features = sorted({row["feature"] for row in rows})
    for number, feature in enumerate(features):
        for day in range(number, options.days, _RELEASE_EVERY_DAYS):
            deployed = datetime.combine(options.start_date + day * ONE_DAY, time(hour=9))
            rows.append(
                rows[0]
                | {
                    "release_id": f"{feature}-{deployed:%Y%m%d}",
                    "deployed_at": f"{deployed.isoformat()}Z",
                    "feature": feature,
                    "note": "nothing that anybody would notice",
                }
            )
    _write(path, rows)


def _write_budgets(sample: Path) -> None:
    """Give the company, each feature and each tenant a budget for every month that the month keeps."""
    spent: dict[tuple[str, str, date], Decimal] = defaultdict(Decimal)
    with (sample / "truth" / "cost_by_tenant_feature_day.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            month = date.fromisoformat(row["usage_date"]).replace(day=1)
            for scope in (("org", ""), ("feature", row["feature"]), ("tenant", row["tenant_id"])):
                spent[*scope, month] += Decimal(row["list_cost_usd"])
    _write(
        sample / "company" / "budgets.csv",
        [
            {
                "scope": scope,
                "scope_id": scope_id,
                "period": "month",
                "amount_usd": str((amount * _HEADROOM).quantize(Decimal("0.01"), ROUND_UP)),
                "valid_from": month.isoformat(),
                "valid_to": (month + timedelta(days=31)).replace(day=1).isoformat(),
            }
            for (scope, scope_id, month), amount in sorted(spent.items())
        ],
    )


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _dictionaries(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
