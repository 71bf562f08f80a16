"""`make bench-dashboards`: what the pages' queries take on a year of 100 million requests.

Belongs here: generated marts of that size, published as the real ones are, and the 95th percentile of every page's
queries. Does not belong here: how the marts are made (`bench`), and drawing.

What is generated: 2,000 tenants on 6 features and 3 models each, 365 days of 274,000 requests, in the shapes that the
newest publication of `TRUEUP_HOME` has (`make run` makes one). Of the daily cube two weeks are written, of requests two
days; the other days are links to them, so the views have a year of files and 100 million rows while the disk holds a
fraction. A query opens the files of its days alone, and those are real. Roll-ups are summed from the two weeks, which
repeat.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from dashboards.filters import Basis, Days, Filters
from dashboards.publication import Publication, Snapshot, build_query
from orchestration.explain.change import Period, explain_change
from orchestration.publishing.catalogue import Catalogue, PublishedFile, PublishedMart, read_catalogue
from orchestration.publishing.marts import PublicMarts, Shape, read_public_marts
from orchestration.publishing.marts_file import build_marts_file
from orchestration.publishing.parquet import Wanted, write_slices
from orchestration.publishing.slices import Slice, Slicing
from orchestration.publishing.versions import marts_path, new_version, switch
from orchestration.settings import Settings
from orchestration.sql import identifier, literal
from orchestration.warehouse.project import project_manifest

DAYS = 365
WRITTEN_CUBE_DAYS = 14
WRITTEN_REQUEST_DAYS = 2
TENANTS = 2_000
REQUESTS_A_DAY = 274_000
LAST_DAY = date(2026, 10, 31)
MOST_MS = 100

CUBE = "llm_usage_by_tenant_feature_model_day"
FACT = "fct_llm_requests"

PAGES = {
    "overview": """spend_totals spend_by_day month_to_date forecast margin_by_month coverage incidents""",
    "features": """spend_by_feature_day feature_economics tokens_per_outcome_by_feature_day releases waste_by_feature
        release_impacts""",
    "tenants": """tenants tenant_profile tenant_months spend_totals spend_by_feature_day feature_economics""",
    "models": """spend_by_model_day model_economics price_changes""",
    "invoice": """recon_by_day recon_by_provider recon_by_provider_day unattributed_by_reason estimate_accuracy
        restatements""",
    "why": """change_by_part:feature change_by_part:tenant change_by_part:model""",
    "alerts": """incidents alert_history alerts alert_drivers incident_events""",
    "requests": """dearest_requests""",
}
"""The queries of each page."""

# A cell is a day, tenant, feature and model; attempts fall off with the tenant's number, and every day differs.
_CELLS = f"""
select
  date '{LAST_DAY}' - cast(day_number as integer) as usage_date,
  'tenant-' || lpad(cast(tenant_number as varchar), 4, '0') as tenant_id,
  'feature_' || feature_number as feature,
  case when model_number % 3 = 0 then 'anthropic' else 'openai' end as provider,
  'model-' || ((feature_number * 2 + model_number) % 8) as model,
  'chat' as operation_name,
  'standard' as service_tier,
  'feature_' || feature_number || '-r' || (day_number // 60) as release,
  'production' as environment,
  cast(round(
    {REQUESTS_A_DAY} * 1.26 * pow(tenant_number, -0.7) / 31.5 / (feature_number * (model_number + 1) * 4.5)
    * (0.6 + 0.8 * (hash(day_number, tenant_number, feature_number, model_number) % 1000) / 1000)
  ) as bigint) as attempts_count
from range({WRITTEN_CUBE_DAYS}) as days (day_number),
  range(1, {TENANTS} + 1) as tenants (tenant_number),
  range(1, 7) as features (feature_number),
  range(3) as models (model_number)
"""

_CUBE_VALUES = {
    "retries_count": "attempts_count // 50",
    "failed_attempts_count": "attempts_count // 40",
    "succeeded_attempts_count": "attempts_count - attempts_count // 40",
    "input_tokens": "attempts_count * (8000 + hash(tenant_id) % 900)",
    "output_tokens": "attempts_count * (700 + hash(feature, tenant_id) % 90)",
    "cache_read_tokens": "attempts_count * 3000",
    "priced_attempts_count": "attempts_count",
    "priced_input_tokens": "attempts_count * 8000",
    "priced_output_tokens": "attempts_count * 700",
    "priced_cache_read_tokens": "attempts_count * 3000",
    "input_cost_usd": "attempts_count * 0.024",
    "cache_read_cost_usd": "attempts_count * 0.0009",
    "output_cost_usd": "attempts_count * 0.0105",
    "list_cost_usd": "attempts_count * (0.0354 + hash(tenant_id, model) % 1000 / 1e6)",
    "contracted_cost_usd": "attempts_count * (0.0340 + hash(tenant_id, model) % 1000 / 1e6)",
    "billed_cost_usd": "attempts_count * (0.0332 + hash(tenant_id, model) % 1000 / 1e6)",
    "effective_cost_usd": "attempts_count * (0.0332 + hash(tenant_id, model) % 1000 / 1e6)",
}

_OUTCOMES = {
    "operations_count": "sum(attempts_count) * 3 // 5",
    "answered_operations_count": "sum(attempts_count) * 29 // 50",
    "accepted_outcomes_count": "sum(attempts_count) * 3 // 10",
    "rejected_outcomes_count": "sum(attempts_count) // 10",
}

_PLAN = (
    "case when tenant_id < 'tenant-0100' then 'Enterprise' when tenant_id < 'tenant-0700' then 'Growth' "
    "else 'Starter' end"
)


@dataclass(frozen=True)
class Timing:
    """How long a query of a page takes."""

    page: str
    query: str
    samples_ms: tuple[float, ...]
    rows: int

    @property
    def p95_ms(self) -> float:
        """Of all loads."""
        return p95(self.samples_ms)


class _Scale:
    """The published folder that is generated."""

    def __init__(self, public: PublicMarts, shapes: dict[str, Shape], published: Path):
        self.published = published
        self._public = {mart.name: mart for mart in public.marts}
        self._shapes = shapes
        self._connection = duckdb.connect()
        self._connection.execute("set TimeZone = 'UTC'")
        self._marts: dict[str, PublishedMart] = {}
        self.version = new_version(datetime.now(UTC), None)

    def write(self, mart: str, source: str, values: dict[str, str], by: str = "") -> None:
        """Write a mart from a relation.

        Args:
            mart: Its name.
            source: SQL that may stand after `from`.
            values: Expressions of columns; others are taken from the source, or are 0 or nothing.
            by: Columns by which the source is summed; then only these are taken from it.
        """
        shape = self._shapes[mart]
        described = self._connection.execute(f"describe select * from {source}").fetchall()
        given = set(by.split(", ")) if by else {name for name, *_ in described}
        group_by = f"group by {by}" if by else ""
        columns = ", ".join(
            f"cast({values.get(column.name) or _filler(column.name, column.type, given)} as {column.type}) "
            f"as {identifier(column.name)}"
            for column in shape.columns
        )
        query = f"select {columns} from {source} {group_by}"
        self._connection.execute(f"create or replace table written as {query}")
        if by:  # the days that are not written are the same again
            self._connection.execute(
                "insert into written select written.* replace ("
                f"usage_date - cast({WRITTEN_CUBE_DAYS} * again.range as integer) as usage_date) "
                f"from written, range(1, {DAYS // WRITTEN_CUBE_DAYS}) as again"
            )
        found = self._connection.execute(f"select {shape.slicing.expression}, count(*) from written group by all")
        counts: dict[Slice, int] = dict(found.fetchall())
        public = self._public[mart]
        order = public.order or (("usage_date",) if shape.slicing is Slicing.MONTH else ())
        staging = self.published / ".staging"
        wanted = Wanted("written", shape, counts, staging / mart, order, public.largest_first)
        self._connection.execute("set preserve_insertion_order = false")  # as a publication has it
        slices = write_slices(self._connection, {mart: wanted})[mart]
        self._connection.execute("reset preserve_insertion_order")
        files: dict[Slice, PublishedFile] = {}
        for slice_, written in slices.items():
            file = f"{shape.slicing.folder(mart, slice_)}/{self.version}.parquet"
            target = self.published / file
            target.parent.mkdir(parents=True, exist_ok=True)
            written.rename(target)
            files[slice_] = PublishedFile(slice_, file, target.stat().st_size, counts[slice_], "{}", None, self.version)
        shutil.rmtree(staging)
        self._marts[mart] = PublishedMart(mart, shape, files)

    def repeat_days(self, mart: str, days: int) -> None:
        """Give a mart by day the days before its own, as links to its own."""
        published = self._marts[mart]
        own = sorted((day for day in published.files if day is not None), reverse=True)
        files = dict(published.files)
        for number in range(len(own), days):
            source = published.files[own[number % len(own)]]
            day = own[0] - timedelta(days=number)
            file = f"{published.shape.slicing.folder(mart, day)}/{self.version}.parquet"
            target = self.published / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(self.published / source.file)
            files[day] = replace(source, slice_=day, file=file)
        self._marts[mart] = replace(published, files=files)

    def open_view(self, mart: str) -> None:
        """Make the written days of a mart readable for those that are summed from it."""
        pattern = literal(f"{self.published}/{mart}/*/*.parquet")
        self._connection.execute(
            f"create or replace temp view {mart} as select * from "
            f"read_parquet({pattern}, hive_partitioning = true, hive_types = {{'usage_date': date}}) "
            f"where usage_date > date '{LAST_DAY - timedelta(days=WRITTEN_CUBE_DAYS)}'"
        )

    def publish(self) -> None:
        """Write the marts file over everything, with the other marts empty, and switch to it."""
        marts = {name: self._marts.get(name) or PublishedMart(name, shape, {}) for name, shape in self._shapes.items()}
        catalogue = Catalogue(self.version, datetime.now(UTC), None, "bench", marts)
        build_marts_file(marts_path(self.published, self.version), self.published, catalogue, {})
        switch(self.published, self.version)

    @property
    def requests_count(self) -> int:
        """Return how many requests the views hold."""
        return self._marts[FACT].row_count


def _filler(name: str, type_: str, given: set[str]) -> str:
    if name in given:
        return identifier(name)
    if type_.startswith(("DECIMAL", "BIGINT", "INTEGER", "DOUBLE", "HUGEINT")):
        return "0"
    return "''" if type_ == "VARCHAR" else "null"


def generate(settings: Settings, published: Path) -> _Scale:
    """Write the marts in the shapes of the newest version of an installation, as its project has them published."""
    catalogue = read_catalogue(settings.published / "marts.duckdb")
    if catalogue is None:
        sys.exit(f"nothing is published in {settings.published}; run `make run` first")
    shapes = {name: mart.shape for name, mart in catalogue.marts.items()}
    scale = _Scale(read_public_marts(project_manifest(settings).path), shapes, published)
    step("the daily cube", lambda: scale.write(CUBE, f"({_CELLS}) where attempts_count > 0", _CUBE_VALUES))
    scale.repeat_days(CUBE, DAYS)
    scale.open_view(CUBE)
    step("requests", lambda: _requests(scale))
    step("roll-ups", lambda: _roll_ups(scale))
    step("small marts", lambda: _small_marts(scale))
    step("marts.duckdb", scale.publish)
    return scale


def _requests(scale: _Scale) -> None:
    first = LAST_DAY - timedelta(days=WRITTEN_REQUEST_DAYS - 1)
    each = (
        f"(select *, unnest(range(attempts_count)) as number, hash(usage_date, tenant_id, feature, model, number) as h "
        f"from {CUBE} where usage_date >= date '{first}' order by h)"  # a day holds its requests in no order
    )
    cost = "0.0332 * (0.2 + 3 * pow((h % 1000003) / 1e6, 4))"
    scale.write(
        FACT,
        each,
        {
            "request_key": "md5(cast(h as varchar))",
            "trace_id": "md5(cast(h + 1 as varchar))",
            "operation_key": "md5(cast(h // 2 as varchar))",
            "request_id": "md5(cast(h // 3 as varchar))",
            "started_at": "cast(usage_date as timestamptz) + to_milliseconds(cast(h % 86400000 as bigint))",
            "priced_model": "model",
            "outcome": "case when h % 40 = 0 then 'error' else 'success' end",
            "latency_ms": "h % 9000",
            "input_tokens": "h % 16000",
            "output_tokens": "h % 1400",
            "is_retry": "h % 50 = 0",
            "cost_basis": "'billed'",
            **dict.fromkeys(("contracted_cost_usd", "billed_cost_usd", "effective_cost_usd"), cost),
            # Discounts differ by model, so the dearest by list price are not quite those by what was paid.
            "list_cost_usd": f"{cost} * (1.01 + hash(model) % 20 / 100.0)",
        },
    )
    scale.repeat_days(FACT, DAYS)


def _roll_ups(scale: _Scale) -> None:
    sums = {name: f"sum({name})" for name in ("attempts_count", *_CUBE_VALUES) if not name.startswith("priced_")} | {
        "cost_basis": "'billed'"
    }
    plan = {"plan_name": _PLAN, "plan_id": f"lower({_PLAN})", "ai_tier": "'standard'"}
    priced = {name: f"sum({name})" for name in _CUBE_VALUES if name.startswith("priced_")}
    for mart, keys in (
        ("unit_economics_by_tenant_feature_day", "usage_date, tenant_id, feature"),
        ("unit_economics_by_tenant_day", "usage_date, tenant_id"),
        ("unit_economics_by_feature_day", "usage_date, feature"),
        ("unit_economics_by_model_day", "usage_date, provider, model"),
        ("unit_economics_by_plan_feature_day", "usage_date, plan_name, feature"),
        (
            "llm_usage_by_plan_feature_model_day",
            "usage_date, plan_name, feature, provider, model, service_tier, environment",
        ),
        ("llm_usage_by_tenant_model_day", "usage_date, tenant_id, plan_name, provider, model, environment"),
    ):
        values = sums | (priced if "service_tier" in keys else {} if "model" in keys else _OUTCOMES)
        names = plan | {"customer_name": "upper(tenant_id)"} if mart == "unit_economics_by_tenant_day" else {}
        scale.write(mart, f"(select *, {_PLAN} as plan_name from {CUBE})", values | names, keys)
    scale.write(
        "operations_by_tenant_feature_day",
        CUBE,
        sums | _OUTCOMES,
        "usage_date, tenant_id, feature, release",
    )
    scale.write(
        "waste_by_feature_day",
        CUBE,
        {
            "effective_cost_usd": "sum(effective_cost_usd)",
            "rejected_cost_usd": "sum(effective_cost_usd) * 0.1",
            "waste_cost_usd": "sum(effective_cost_usd) * 0.1",
            "waste_share": "0.1",
            "unpriced_attempts_count": "0",
        },
        "usage_date, feature",
    )
    scale.write(
        "recon_estimated_vs_billed_by_provider_day",
        CUBE,
        {
            "attempts_count": "sum(attempts_count)",
            "logged_tokens": "sum(input_tokens + output_tokens)",
            "provider_tokens": "sum(input_tokens + output_tokens) * 1.02",
            "list_cost_usd": "sum(list_cost_usd)",
            "contracted_cost_usd": "sum(contracted_cost_usd)",
            "billed_cost_usd": "sum(billed_cost_usd)",
            "reconciliation_status": "'reconciled'",
            "bill_status": "'billed'",
            "is_overlogged": "false",
        },
        "usage_date, provider",
    )


def _small_marts(scale: _Scale) -> None:
    tenants = f"(select 'tenant-' || lpad(cast(range as varchar), 4, '0') as tenant_id from range(1, {TENANTS} + 1))"
    month = f"date '{LAST_DAY.replace(day=1)}'"
    scale.write(
        "dim_customers",
        tenants,
        {"customer_name": "upper(tenant_id)", "valid_from": "date '2020-01-01'", "valid_to": "date '9999-01-01'"}
        | {"is_current": "true"},
    )
    scale.write(
        "dim_subscriptions",
        tenants,
        {"plan_name": _PLAN, "valid_from": "date '2020-01-01'", "valid_to": "date '9999-01-01'"},
    )
    scale.write(
        "spend_forecasts",
        f"(select tenant_id, 'tenant' as scope_kind from {tenants} union all select '', 'org')",
        {"scope_id": "tenant_id", "usage_month": month, "known_to_date": f"date '{LAST_DAY}'"}
        | {"month_end_date": f"date '{LAST_DAY}'", "budget_usd": "1000", "is_over_budget": "false"},
    )
    scale.write(
        "gross_margin_by_tenant_month",
        f"(select tenant_id, {month} - to_months(cast(months.range as integer)) as usage_month "
        f"from {tenants}, range(12) as months)",
        {"plan_name": _PLAN, "revenue_usd": "900", "llm_cost_usd": "300", "gross_margin_usd": "600"},
    )
    breaches = (
        f"(select date '{LAST_DAY}' - cast(days.range as integer) as usage_date, "
        f"'tenant-' || lpad(cast(1 + hash(days.range, scopes.range) % {TENANTS} as varchar), 4, '0') as scope_id "
        f"from range({DAYS}) as days, range(40) as scopes)"
    )
    names = {"alert_rule": "'rule_' || hash(scope_id) % 12", "scope_kind": "'tenant'", "severity": "'warn'"}
    scale.write("alerts", breaches, names)
    scale.write(
        "fct_alert_events",
        f"(select *, usage_date as opened_date, usage_date as event_date from {breaches})",
        names
        | {"event_id": "hash(usage_date, scope_id)", "incident_id": "hash(usage_date, scope_id)"}
        | {"state": f"case when usage_date > date '{LAST_DAY}' - 3 then 'open' else 'resolved' end"}
        | {"is_newest": "true", "recorded_at": "cast(usage_date as timestamptz)"},
    )
    scale.write(
        "spend_drivers_by_comparison",
        f"(select * from (values ('day_on_day', 1, 1), ('week_on_week', 7, 7), ('day_vs_trailing_week', 1, 7)) "
        f"as spans (comparison, days, before), range(1, {TENANTS}) as drivers (driver_rank))",
        {"usage_date": f"date '{LAST_DAY}'", "current_first_date": f"date '{LAST_DAY}' + 1 - days"}
        | {"baseline_last_date": f"date '{LAST_DAY}' - days"}
        | {"baseline_first_date": f"date '{LAST_DAY}' + 1 - days - before"}
        | {"driver": "'tenant_mix'", "driver_words": "'larger share of ' || driver_rank", "effect_usd": "1"}
        | {"change_usd": f"{TENANTS - 1}", "current_cost_usd": f"{TENANTS - 1}", "sentence": "'moved'"},
    )
    scale.write(
        "spend_drivers_by_alert",
        f"(select * from {breaches}, range(1, 9) as drivers (driver_rank))",
        names | {"driver": "'operations_volume'", "driver_words": "'more operations'", "effect_usd": "1"},
    )


def time_pages(publication: Publication, rounds: int) -> list[Timing]:
    """Ask every query of every page, with and without filters; each page load opens the version once."""
    newest = LAST_DAY
    views = {
        "": Filters(),
        " 90 days": Filters(period="90d"),
        " of a tenant": Filters(chosen={"tenant": ("tenant-0003",)}),
        " of a model": Filters(chosen={"model": ("model-3",)}, basis=Basis.LIST),
        " of a plan": Filters(chosen={"plan": ("Growth",)}),
        " of a feature and model": Filters(chosen={"feature": ("feature_3",), "model": ("model-7",)}),
        " of a plan in production, 90 days": Filters(
            period="90d", chosen={"plan": ("Growth",), "environment": ("production",)}
        ),
    }
    timings: list[Timing] = []
    for page, queries in PAGES.items():
        for words, filters in views.items():
            names = queries.split()
            samples: dict[str, list[float]] = {name: [] for name in names}
            rows: dict[str, int] = {}
            for number in range(rounds):
                with publication.open() as snapshot:
                    for name in names:
                        days = filters.days(newest - timedelta(days=number % 20))
                        samples[name].append(_ask(snapshot, name, filters, days, rows))
            timings += [Timing(page, name + words, tuple(samples[name]), rows[name]) for name in names]
    for title, page, scope, (current, before) in _comparisons():
        took: list[float] = []
        for _ in range(rounds):
            with publication.open() as snapshot:
                began = time.perf_counter()
                explain_change(snapshot.connection, before, current, version=snapshot.version, **scope)
                took.append(1000 * (time.perf_counter() - began))
        timings.append(Timing(page, f"explain {title}", tuple(took), 1))
    return timings


def _comparisons() -> list[tuple[str, str, dict[str, str], tuple[Period, Period]]]:
    """Return what the pages compare: in words, on which page, of which scope, the current period and its baseline."""

    def ending(days_ago: int, days: int) -> tuple[Period, Period]:
        last = LAST_DAY - timedelta(days=days_ago)
        current = Days(last - timedelta(days=days - 1), last)
        before = current.before()
        return Period(current.first, current.last), Period(before.first, before.last)

    return [
        ("day on day", "overview", {}, ending(0, 1)),
        ("week on week", "why", {}, ending(0, 7)),
        ("any two days", "why", {}, ending(40, 1)),
        ("any two weeks", "why", {}, ending(40, 7)),
        ("30 days on 30 days", "why", {}, ending(0, 30)),
        ("30 days on 30 days of a tenant", "why", {"tenant_id": "tenant-0003"}, ending(0, 30)),
        ("30 days on 30 days of a feature", "why", {"feature": "feature_3"}, ending(0, 30)),
    ]


def _ask(snapshot: Snapshot, name: str, filters: Filters, days: Days, rows: dict[str, int]) -> float:
    before = days.before()
    file, _, by = name.partition(":")
    # A change is told of a tenant and a feature, whatever else is chosen, as on the page.
    scope = {key: values for key, values in filters.chosen.items() if key in ("tenant", "feature")}
    query = build_query(
        file,
        Filters(chosen=scope) if by else filters,
        Days(before.first, days.last) if by else days,
        by=by,
        newest_date=days.last,
        day=days.last,
        search="",
        tenants_shown=50,
        tenant="tenant-0003",
        baseline_first=before.first,
        baseline_last=before.last,
        current_first=days.first,
        current_last=days.last,
        is_open=True,
        rule=None,
        scope_kind=None,
        scope_id=None,
        alert_rule="rule_3",
        alert_date=days.last,
    )
    began = time.perf_counter()
    found = snapshot.rows(query)
    took = 1000 * (time.perf_counter() - began)
    rows[name] = len(found)
    return took


def p95(samples: Sequence[float]) -> float:
    """Return the value that 95 of 100 samples do not exceed."""
    return sorted(samples)[math.ceil(0.95 * len(samples)) - 1]


def step(words: str, work: Callable[[], None]) -> None:
    """Do something long and say what it took."""
    began = time.perf_counter()
    work()
    Console().print(f"{words}: {time.perf_counter() - began:.0f} s")


def main() -> None:
    """Generate, measure, print; exit with 1 when a page's 95th percentile takes longer than it may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, help="folder of the generated marts; kept and used again")
    parser.add_argument("--rounds", type=int, default=20, help="page loads for each page and view")
    arguments = parser.parse_args()
    settings = Settings.from_env()
    into = (arguments.into or settings.home / "bench_dashboards").absolute()
    published = into / "published"
    if not (published / "marts.duckdb").exists():
        generate(settings, published)
    publication = Publication(published, threads=2)
    with publication.open() as snapshot:
        info = dict(snapshot.connection.execute("select mart, row_count from published_info").fetchall())
    on_disk = sum({file.stat().st_ino: file.stat().st_size for file in published.rglob("*.parquet")}.values())
    timings = time_pages(publication, arguments.rounds)
    table = Table(title=f"p95 of {arguments.rounds} loads, 2 threads, {os.cpu_count()} cores")
    for title in ("page", "query", "rows", "p95 ms"):
        table.add_column(title, justify="left" if title in ("page", "query") else "right")
    for timing in sorted(timings, key=lambda timing: (timing.page, -timing.p95_ms)):
        style = "bold red" if timing.p95_ms > MOST_MS else None
        table.add_row(timing.page, timing.query, f"{timing.rows:,}", f"{timing.p95_ms:.1f}", style=style)
    console = Console(width=100)
    console.print(table)
    console.print(
        f"{info[FACT]:,} requests of {DAYS} days ({WRITTEN_REQUEST_DAYS} days written, the others links), "
        f"{info[CUBE]:,} rows of the cube ({WRITTEN_CUBE_DAYS} days written), {on_disk / 1e9:.1f} GB on disk"
    )
    pages: dict[str, list[float]] = {}
    for timing in timings:
        pages.setdefault(timing.page, []).extend(timing.samples_ms)
    summary = Table(title=f"all queries of a page, all filters; load average {os.getloadavg()[0]:.1f}")
    for title in ("page", "samples", "median ms", "p95 ms"):
        summary.add_column(title, justify="left" if title == "page" else "right")
    for page, samples in pages.items():
        style = "bold red" if p95(samples) > MOST_MS else None
        median = sorted(samples)[len(samples) // 2]
        summary.add_row(page, f"{len(samples):,}", f"{median:.1f}", f"{p95(samples):.1f}", style=style)
    console.print(summary)
    slow = [timing for timing in timings if timing.p95_ms > MOST_MS]
    console.print(json.dumps({"queries": len(timings), f"over {MOST_MS} ms": len(slow)}))
    sys.exit(1 if any(p95(samples) > MOST_MS for samples in pages.values()) else 0)


if __name__ == "__main__":
    main()
