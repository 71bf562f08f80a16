"""A real warehouse for tests: landing zone, price book, dbt and DuckDB, parsed once for the whole session.

Belongs here: companies that can be landed, built and asked, and the short way to write their rows. Does not belong
here: what is tested.

A manifest names the home that it was made for, and making one takes longer than most commands. So the home is a link,
and the company that a command is meant for is the folder that the link points to while it runs.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.alerting.events import ensure_events_file
from orchestration.connectors.base import TableKind, TableSpec, Window
from orchestration.landing.results import PullResult
from orchestration.landing.schemas import all_table_specs, data_schema, ensure_schema_files
from orchestration.landing.store import LandingStore
from orchestration.pricebook.terms import MULTIPLIER_COLUMNS, TERM_COLUMNS
from orchestration.settings import Settings
from orchestration.warehouse.args import event_time_arguments, project_arguments
from orchestration.warehouse.project import DBT_PROJECT, prepared_manifest

ONE_DAY = timedelta(days=1)
MADE_OF_PRICES = ("stg_pricing__model_prices", "stg_pricing__model_names", "int_model_prices__pivoted")

Row = Mapping[str, Any]

# They need relations to exist and no rows of their own; they run once, by themselves.
_NO_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
_EVENT_TIMES = {"product_outcomes": "occurred_at", "focus_charges": "charge_period_start"}
_numbers = itertools.count(1)


class Dbt:
    """dbt in this process; every command runs against one company."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._home = folder / "home"
        self._arguments = project_arguments(DBT_PROJECT, folder)
        self._manifest: Any = None
        self.manifest_file = prepared_manifest(Settings(home=folder))
        os.environ["TRUEUP_HOME"] = str(self._home)
        os.environ["TRUEUP_PRICING"] = str(self._home / "seeds")

    def run(self, company: Path, command: str, *arguments: str) -> list[Any]:
        """Run one command against the company in that folder and return dbt's results.

        Raises:
            AssertionError: When a node failed; the message holds what dbt said of each.
        """
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415
        from dbt.cli.main import dbtRunner  # noqa: PLC0415

        from orchestration.warehouse.dbt_worker import parse  # noqa: PLC0415

        self._home.unlink(missing_ok=True)
        self._home.symlink_to(company)
        if self._manifest is None:
            parsed = parse(["--quiet", "parse", *self._arguments])
            assert parsed.success, parsed.exception
            self._manifest = parsed.result
        flags = ["--quiet", "--no-write-json", "--log-level-file", "none"]
        outcome = dbtRunner(manifest=self._manifest).invoke([*flags, command, *arguments, *self._arguments])
        # dbt-duckdb keeps the file open as long as the process lives.
        if DuckDBConnectionManager._ENV is not None:
            DuckDBConnectionManager._ENV.close()
        DuckDBConnectionManager.close_all_connections()
        assert outcome.exception is None, outcome.exception
        results: list[Any] = list(getattr(outcome.result, "results", None) or [])
        bad = [each for each in results if str(each.status) not in ("success", "pass")]
        assert outcome.success, "\n".join(f"{each.node.name}: {each.status}: {each.message}" for each in bad)
        return results


class Company:
    """One company's folder: what has landed, its prices, its warehouse."""

    def __init__(self, dbt: Dbt, home: Path) -> None:
        self._dbt = dbt
        self.home = home
        self._tables = {spec.name: spec for spec in all_table_specs()}

    @classmethod
    def found(cls, dbt: Dbt, home: Path, prices: Iterable[Row]) -> Company:
        """Lay out an empty company and build every relation once."""
        company = cls(dbt, home)
        (home / "tmp").mkdir(parents=True)
        ensure_schema_files(home / "landing")
        ensure_events_file(Settings(home=home))
        _write_csv(home / "seeds" / "model_prices.csv", PRICE_COLUMNS, prices)
        _write_csv(home / "seeds" / "price_overrides.csv", PRICE_COLUMNS, [])
        _write_csv(home / "seeds" / "model_aliases.csv", ["provider", "alias", "model", "source", "note"], ALIASES)
        _write_csv(home / "seeds" / "price_multipliers.csv", MULTIPLIER_COLUMNS, [])
        _write_csv(home / "seeds" / "price_terms.csv", TERM_COLUMNS, [])
        _write_csv(home / "pricing" / "none.csv", PRICE_COLUMNS, [])
        for rules in (DBT_PROJECT.parent / "pricing_seeds").glob("alert_*.csv"):
            shutil.copyfile(rules, home / "seeds" / rules.name)
        company.dbt("build", "--selector", "reference", *_NO_UNIT_TESTS)
        company.build(date(2020, 1, 1))
        company.roll_up()
        return company

    def copy(self, home: Path) -> Company:
        """Return a company that goes on from where this one stands."""
        shutil.copytree(self.home, home, symlinks=True)
        return Company(self._dbt, home)

    # -- before the build -----------------------------------------------------------------------------------

    def land(
        self,
        table: str,
        rows: Sequence[Row],
        *,
        source: str | None = None,
        at: datetime | None = None,
        window: Window | None = None,
    ) -> PullResult:
        """Land rows in one pull through the landing store.

        Args:
            table: Name of a landed table.
            rows: Columns that are not named are NULL.
            source: Name of the source instance; the table's first word when it is not given.
            at: Moment of the pull; a second after the one before, from 2026-11-01, when it is not given.
            window: The days that the pull replaces, where the table has windows; the days of the rows by default.
        """
        spec = self._tables[table]
        pulled_at = at or datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=next(_numbers))
        store = LandingStore(self.home / "landing", now=lambda: pulled_at)
        source_name = source or table.split("_", maxsplit=1)[0]
        data = _arrow(spec, rows)
        with store.pull(source_name) as pull:
            pull.count_read(spec, data.num_rows)
            if spec.kind is TableKind.STATE:
                pull.replace_state(spec, data)
            elif spec.kind is TableKind.APPEND:
                content = json.dumps([dict(row) for row in rows], default=str, sort_keys=True)
                digest = hashlib.sha256(f"{source_name} {content}".encode()).hexdigest()
                pull.append(spec, segment_hash=digest, input_file="test.jsonl", data=data)
            else:
                days = [row[_EVENT_TIMES.get(table, "bucket_start")].date() for row in rows]
                pull.replace_window(spec, window or Window(min(days), max(days) + ONE_DAY), data)
        result = pull.result
        assert result is not None
        return result

    def set_prices(self, prices: Iterable[Row]) -> None:
        """Put these rows on top of the price book and rebuild what is made of it."""
        _write_csv(self.home / "pricing" / "own.csv", PRICE_COLUMNS, prices)
        self.dbt(
            "run", "--select", "stg_pricing__model_prices", "stg_pricing__model_names", "int_model_prices__pivoted"
        )

    # -- the build ------------------------------------------------------------------------------------------

    def build(self, first: date, last: date | None = None, *models: str) -> None:
        """Build the facts and cubes of the UTC days first to last, with their tests; or only these models."""
        selection = ("--select", *models) if models else ("--selector", "daily", "--indirect-selection", "empty")
        days = event_time_arguments(Window(first, (last or first) + ONE_DAY))
        self.dbt("build", *selection, *_NO_UNIT_TESTS, *days)

    def roll_up(self, *models: str, window: Window | None = None) -> None:
        """Build what stands above the cubes, with its tests; or only these models, or only the days of a window."""
        selection = ("--select", *models) if models else ("--selector", "rollup")
        self.dbt("build", *selection, *_NO_UNIT_TESTS, *event_time_arguments(window))

    def dbt(self, command: str, *arguments: str) -> list[Any]:
        """Run any dbt command against this company."""
        return self._dbt.run(self.home, command, *arguments)

    @property
    def manifest_file(self) -> Path:
        """The parsed project as everything but dbt reads it."""
        return self._dbt.manifest_file

    # -- after the build ------------------------------------------------------------------------------------

    def query(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Ask the warehouse; one dictionary a row."""
        with self.connect() as connection:
            cursor = connection.execute(sql, list(parameters))
            names = [column[0] for column in cursor.description or []]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def value(self, sql: str, *parameters: Any) -> Any:
        """Ask the warehouse for one value."""
        (row,) = self.query(sql, *parameters)
        (value,) = row.values()
        return value

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open the warehouse for reading. Views over landing find it through the link, so point it here."""
        home = Path(os.environ["TRUEUP_HOME"])
        home.unlink(missing_ok=True)
        home.symlink_to(self.home)
        connection = duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True)
        connection.execute("set TimeZone = 'UTC'")
        return connection


# -- rows -----------------------------------------------------------------------------------------------------


def moment(day: date, hours: float = 12) -> datetime:
    """The moment so many hours after midnight UTC."""
    return datetime.combine(day, time(), UTC) + timedelta(hours=hours)


def request(started_at: datetime, **columns: Any) -> dict[str, Any]:
    """A row of `llm_requests`: an answered chat call, unless the columns say otherwise."""
    number = next(_numbers)
    return {
        "started_at": started_at,
        "request_id": f"req_{number}",
        "response_id": f"resp_{number}",
        "provider": "openai",
        "model": "gpt-test",
        "feature": "draft",
        "tenant_id": "acme",
        "outcome": "success",
        "input_tokens": 1000,
        "output_tokens": 100,
    } | columns


def outcome(occurred_at: datetime, **columns: Any) -> dict[str, Any]:
    """A row of `product_outcomes`: an accepted draft, unless the columns say otherwise."""
    return {
        "event_id": f"event_{next(_numbers)}",
        "occurred_at": occurred_at,
        "name": "draft_accepted",
        "verdict": "accepted",
        "tenant_id": "acme",
        "feature": "draft",
    } | columns


def openai_cost(day: date, line_item: str, amount_usd: str | None, **columns: Any) -> dict[str, Any]:
    """A row of `openai_costs`."""
    amount = None if amount_usd is None else Decimal(amount_usd)
    return _bucket(day) | {"line_item": line_item, "amount_usd": amount, "currency": "usd"} | columns


def openai_usage(day: date, model: str, **columns: Any) -> dict[str, Any]:
    """A row of `openai_usage_completions`; counts that are not named are 0."""
    counts = ["input_uncached_tokens", "input_cached_tokens", "input_cache_write_tokens", "output_tokens"]
    return _bucket(day) | dict.fromkeys(counts, 0) | {"model": model, "batch": False} | columns


def anthropic_cost(day: date, token_type: str | None, amount_cents: str, **columns: Any) -> dict[str, Any]:
    """A row of `anthropic_cost_report`: a charge for standard tokens, unless the columns say otherwise."""
    return (
        _bucket(day)
        | {
            "token_type": token_type,
            "cost_type": "tokens",
            "amount_cents": Decimal(amount_cents),
            "currency": "USD",
            "service_tier": "standard",
            "description": "usage",
        }
        | columns
    )


def anthropic_usage(day: date, model: str, **columns: Any) -> dict[str, Any]:
    """A row of `anthropic_usage_messages`."""
    return _bucket(day) | {"model": model, "service_tier": "standard"} | columns


def price(provider: str, model: str, usage_class: str, usd: str, **columns: Any) -> dict[str, str]:
    """A row of the price book, in USD per million tokens; per thousand things with `per="kcount"`."""
    unit = columns.pop("per", "mtok")
    row = {
        "provider": provider,
        "model": model,
        "usage_class": usage_class,
        f"price_usd_per_{unit}": usd,
        "service_tier": "standard",
        "context_from_tokens": "0",
        "valid_from": "1970-01-01T00:00:00Z",
        "known_from": "1970-01-01T00:00:00Z",
        "precedence": "20",
        "source": "test",
        "source_version": "1",
    } | columns
    row["price_id"] = "/".join(
        [provider, model, usage_class, row["service_tier"], row["valid_from"], row["precedence"]]
    )
    return row


PRICE_COLUMNS = [
    *("price_id", "provider", "model", "usage_class", "service_tier", "context_from_tokens", "region"),
    *("utc_time_from", "utc_time_to", "valid_from", "valid_to", "known_from", "known_to"),
    *("price_usd_per_mtok", "price_usd_per_kcount", "precedence", "source", "source_version", "source_url"),
    *("captured_on", "note"),
]

PRICES = [
    price("openai", "gpt-test", "input", "2"),
    price("openai", "gpt-test", "cache_read", "0.5"),
    price("openai", "gpt-test", "output", "8"),
    price("openai", "gpt-test", "input", "1", service_tier="batch"),
    price("openai", "gpt-test", "output", "4", service_tier="batch"),
    price("openai", "gpt-test", "cache_write_5m", "2.5"),
    price("openai", "gpt-test", "file_search", "2.5", per="kcount"),
    price("openai", "embed-test", "input", "0.02"),
    price("openai", "whisper-test", "second", "0.1", per="kcount"),
    price("openai", "gpt-cut", "input", "5", valid_to="2026-08-21T00:00:00Z"),
    price("openai", "gpt-cut", "input", "4", valid_from="2026-08-21T00:00:00Z"),
    price("openai", "gpt-cut", "output", "30", valid_to="2026-08-21T00:00:00Z"),
    price("openai", "gpt-cut", "output", "20", valid_from="2026-08-21T00:00:00Z"),
    price("anthropic", "claude-test", "input", "3"),
    price("anthropic", "claude-test", "cache_read", "0.3"),
    price("anthropic", "claude-test", "cache_write_5m", "3.75"),
    price("anthropic", "claude-test", "cache_write_1h", "6"),
    price("anthropic", "claude-test", "output", "15"),
    price("anthropic", "claude-test", "web_search", "10", per="kcount"),
    price("gcp.gemini", "gemini-test", "input", "2.5"),
    price("gcp.gemini", "gemini-test", "cache_read", "0.625"),
    price("gcp.gemini", "gemini-test", "output", "15"),
    price("gcp.gemini", "gemini-test", "input_audio", "5"),
    price("gcp.gemini", "gemini-test", "cache_read_audio", "1"),
    price("gcp.gemini", "gemini-test", "output_image", "30"),
    price("aws.bedrock", "nova-test", "input", "1"),
    price("aws.bedrock", "nova-test", "cache_read", "0.25"),
    price("aws.bedrock", "nova-test", "cache_write_5m", "1"),
    price("aws.bedrock", "nova-test", "output", "4"),
    price("cohere", "command-test", "input", "1"),
    price("cohere", "command-test", "output", "2"),
    price("cohere", "rerank-test", "rerank_search", "2", per="kcount"),
    price("mistral_ai", "ocr-test", "page", "4", per="kcount"),
]
"""The price book of every company, unless it sets its own: round figures that can be checked in the head."""

ALIASES = [
    {"provider": "openai", "alias": "gpt-test-2026-01-01", "model": "gpt-test", "source": "test"},
    {"provider": "anthropic", "alias": "claude-test-20260101", "model": "claude-test", "source": "test"},
]


def _bucket(day: date) -> dict[str, Any]:
    return {"bucket_start": moment(day, 0), "bucket_end": moment(day, 24)}


def _arrow(spec: TableSpec, rows: Sequence[Row]) -> pa.Table:
    schema = data_schema(spec)
    unknown = {name for row in rows for name in row} - set(schema.names)
    assert not unknown, f"{spec.name} has no column {sorted(unknown)}"
    if spec.kind is not TableKind.STATE:
        event_time = _EVENT_TIMES.get(spec.name, "bucket_start" if spec.kind is TableKind.WINDOW else "started_at")
        rows = [{"usage_date": row[event_time].astimezone(UTC).date(), **row} for row in rows]
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, columns)
        writer.writeheader()
        writer.writerows(rows)
