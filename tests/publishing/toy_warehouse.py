"""A small warehouse as dbt leaves it (a fact that is a view, a cube by day, small marts), and its readers."""

import json
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import duckdb

from orchestration.publishing.publish import MartResult, PublishResult, publish
from orchestration.publishing.reader import open_marts

FACT = "fct_llm_requests"
CUBE = "unit_economics_by_tenant_day"
ROLL_UP = "unit_economics_by_feature_day"
FIRST_DAY = date(2026, 1, 1)


def day(offset: int) -> date:
    """Return a day of January 2026, counted from 0."""
    return FIRST_DAY + timedelta(days=offset)


class ToyWarehouse:
    """Days of requests at a price; every change is committed and the file closed, as when dbt has ended."""

    def __init__(self, home: Path):
        self.open(home)
        self.create()

    def open(self, home: Path) -> None:
        """Take up a warehouse that exists already, in another process perhaps."""
        self.path = home / "warehouse.duckdb"
        self.published = home / "published"
        self.manifest = home / "manifest.json"
        self.models = [
            model("fct_llm_requests", event_time="usage_date", description="One row per attempt."),
            model("unit_economics_by_tenant_day", event_time="usage_date"),
            model("unit_economics_by_feature_day"),
            model("alerts", schema="alerts", description='What must be looked at; it\'s "urgent".'),
            model("int_secret", public=False),
        ]

    def create(self) -> None:
        """Write the manifest and the empty tables."""
        self.write_manifest()
        self.execute(
            "create schema intermediate",
            "create schema marts",
            "create schema alerts",
            """create table intermediate.requests (
              usage_date date, request_key varchar, started_at timestamptz, tenant_id varchar,
              input_tokens hugeint, is_retry boolean, latency_ms double, list_cost_usd decimal(38, 12))""",
            "create table intermediate.billed_prices (usage_date date, extra_usd decimal(38, 12))",
            """create view marts.fct_llm_requests as
              select requests.*, requests.list_cost_usd + coalesce(extra_usd, 0) as effective_cost_usd
              from warehouse.intermediate.requests
              left join warehouse.intermediate.billed_prices using (usage_date)""",
            """create table marts.unit_economics_by_tenant_day (
              usage_date date, tenant_id varchar, requests_count hugeint,
              effective_cost_usd decimal(38, 12))""",
            """create table marts.unit_economics_by_feature_day (
              usage_date date, feature varchar, cost_per_accepted_outcome_usd double,
              effective_cost_usd decimal(38, 12))""",
            "create table alerts.alerts (alert_rule varchar, tenant_id varchar, observed double)",
        )

    def execute(self, *statements: str) -> None:
        """Change the warehouse."""
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            for statement in statements:
                connection.execute(statement)

    def query(self, sql: str) -> list[tuple]:
        """Read the warehouse."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()

    def set_days(self, rows_by_day: dict[date, Iterable[tuple[str, str]]]) -> None:
        """Replace days; a row is (tenant, list cost)."""
        statements = ["begin"]
        for usage_date, rows in rows_by_day.items():
            statements += [
                f"delete from {table} where usage_date = date '{usage_date}'"
                for table in ("intermediate.requests", f"marts.{CUBE}")
            ]
            for number, (tenant, cost) in enumerate(rows):
                statements.append(
                    "insert into intermediate.requests values ("
                    f"date '{usage_date}', '{usage_date}-{number}', "
                    f"timestamptz '{usage_date} 01:00:00.123456+00', '{tenant}', {number * 7}, "
                    f"{number % 2 == 1}, {number}.5, {cost})"
                )
            statements.append(
                "insert into marts.unit_economics_by_tenant_day select usage_date, tenant_id, "
                "sum(1::bigint), sum(effective_cost_usd) from marts.fct_llm_requests "
                f"where usage_date = date '{usage_date}' group by all"
            )
        statements += [
            "delete from marts.unit_economics_by_feature_day",
            "insert into marts.unit_economics_by_feature_day select usage_date, 'search', "
            "sum(effective_cost_usd) / count(*), sum(effective_cost_usd) "
            "from marts.fct_llm_requests group by all order by all",
            "commit",
        ]
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("use warehouse")
            for statement in statements:
                connection.execute(statement)

    def write_manifest(self) -> None:
        """Write `models` as dbt does."""
        nodes = {f"model.trueup.{node['name']}": node for node in self.models}
        self.manifest.write_text(json.dumps({"metadata": {"invocation_id": "run-1"}, "nodes": nodes}))

    def files(self) -> dict[str, bytes]:
        """Every published Parquet file, by its path below the folder."""
        return {
            str(path.relative_to(self.published)): path.read_bytes()
            for path in sorted(self.published.glob("[!.]*/**/*.parquet"))
        }


def model(name, *, schema="marts", event_time=None, public=True, description="", totals=None):
    """Return a node of dbt's manifest."""
    return {
        "resource_type": "model",
        "name": name,
        "alias": name,
        "database": "warehouse",
        "schema": schema,
        "description": description,
        "columns": {"tenant_id": {"description": "Who pays; it's a tenant."}},
        "config": {"event_time": event_time, "meta": {"published": True, "published_totals": totals} if public else {}},
    }


def run(toy: ToyWarehouse, days: set[date] | None = None) -> PublishResult:
    """Publish."""
    return publish(toy.path, toy.published, toy.manifest, days)


def read(toy: ToyWarehouse, sql: str) -> list[tuple]:
    """Query the current version as a reader does."""
    with open_marts(toy.published) as connection:
        return connection.execute(sql).fetchall()


def mart(result: PublishResult, name: str) -> MartResult:
    """Return what became of a mart."""
    return next(mart for mart in result.marts if mart.name == name)


def assert_same_rows(toy: ToyWarehouse) -> None:
    """Compare every value of every mart that has rows."""
    for name in (FACT, CUBE, ROLL_UP):
        assert sorted(read(toy, f"from {name}")) == sorted(toy.query(f"from marts.{name}"))
