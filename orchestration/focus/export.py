"""A month of LLM spend as FOCUS datasets, made of published marts.

Belongs here: opening the marts, writing the files. Does not belong here: what each column is made of (`mapping`), and
the rules that the files must keep (`rules`).

Requests whose bill has not arrived are no charges yet: they are left out, and counted.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.closing.figures import month_condition
from orchestration.closing.frozen_file import write_parquet
from orchestration.closing.receipt import closed_folder, month_start
from orchestration.focus.mapping import statements
from orchestration.focus.providers import NAMES
from orchestration.focus.rules import check_file
from orchestration.focus.specification import (
    BILLING_PERIOD,
    COMPATIBLE_VERSION,
    COST_AND_USAGE,
    INVOICE_DETAIL,
    NATIVE_VERSION,
    Format,
    columns_of,
)
from orchestration.publishing.csv_file import write_csv
from orchestration.publishing.reader import open_marts
from orchestration.settings import Settings
from orchestration.sql import glob_literal, identifier, literal

_DATASETS = (COST_AND_USAGE, BILLING_PERIOD, INVOICE_DETAIL)

_TYPES = {
    Format.DECIMAL: "decimal(38, 12)",
    Format.NON_NEGATIVE: "decimal(38, 18)",
    Format.DATE_TIME: "timestamptz",
}

_OWN_COLUMNS = (
    "x_AllocationMethod",
    "x_Environment",
    "x_ModelId",
    "x_Provider",
    "x_ServiceTier",
    "x_TokenCacheAction",
    "x_TokenDirection",
    "x_UnattributedReason",
)
"""Beyond the specification. `x_Token…` and `x_ModelId` are drafts of FOCUS 1.5 under names that cannot clash."""


@dataclass(frozen=True)
class FocusExport:
    """What was written.

    Attributes:
        folder: `<dataset>.parquet` and `.csv` of FOCUS 1.4, and the same of Cost and Usage 1.2 below `1.2`.
        rows_count: Rows of Cost and Usage.
        billed_cost_usd: Sum of BilledCost.
        unbilled_requests_count: Requests of the month that are left out, because their bill has not arrived.
    """

    folder: Path
    rows_count: int
    billed_cost_usd: Decimal
    unbilled_requests_count: int


def export_month(settings: Settings, month: str, into: Path | None = None) -> FocusExport:
    """Write the FOCUS datasets of a month; what an earlier export wrote there is replaced.

    Args:
        settings: The installation.
        month: `YYYY-MM`, of UTC days.
        into: The folder; by default `TRUEUP_HOME/focus/<month>`.

    Raises:
        ClosingError: When `month` is none.
        NotPublishedError: When nothing is published.
    """
    first_day = month_start(month)
    folder = into or settings.home / "focus" / month
    for written in (*folder.glob("*.parquet"), *folder.glob("*.csv")):
        written.unlink()
    shutil.rmtree(folder / COMPATIBLE_VERSION, ignore_errors=True)
    with open_marts(settings.published) as marts:
        is_closed = (closed_folder(settings) / month).exists()
        _create_datasets(marts, first_day, is_closed=is_closed)
        for dataset in _DATASETS:
            _write(marts, dataset, NATIVE_VERSION, folder)
        _write(marts, COST_AND_USAGE, COMPATIBLE_VERSION, folder / COMPATIBLE_VERSION)
        rows, billed = marts.execute("select count(*), coalesce(sum(BilledCost), 0) from CostAndUsage").fetchall()[0]
        (unbilled,) = marts.execute(
            f"select count(*) from fct_llm_requests where {month_condition(first_day)} and billed_cost_usd is null"
        ).fetchall()[0]
    return FocusExport(folder, rows, billed, unbilled)


def check_export(folder: Path) -> list[str]:
    """Return a line for each rule that a file of an export breaks; none when it keeps all of them."""
    files = [
        *((folder / f"{dataset}.parquet", dataset, NATIVE_VERSION) for dataset in _DATASETS),
        (folder / COMPATIBLE_VERSION / f"{COST_AND_USAGE}.parquet", COST_AND_USAGE, COMPATIBLE_VERSION),
    ]
    return [
        f"{file.relative_to(folder)}: {violation.rule}: {violation.text} ({violation.rows_count} rows)"
        for file, dataset, version in files
        for violation in check_file(file, dataset, version)
    ]


def _create_datasets(marts: duckdb.DuckDBPyConnection, month: date, *, is_closed: bool) -> None:
    names = pa.table(
        {
            "provider": list(NAMES),
            "provider_name": [name for name, _ in NAMES.values()],
            "service_name": [service for _, service in NAMES.values()],
        }
    )
    marts.register("provider_names", names)
    has_invoices = any(name == "invoice_id" for name, *_ in marts.execute("describe fct_provider_charges").fetchall())
    for statement in statements(month, is_closed=is_closed, has_invoices=has_invoices):
        marts.execute(statement)


def _write(marts: duckdb.DuckDBPyConnection, dataset: str, version: str, folder: Path) -> None:
    made = {name for name, *_ in marts.execute(f"describe {dataset}").fetchall()}
    columns = [
        f"cast({identifier(column.name) if column.name in made else 'null'} as {_TYPES.get(column.format, 'varchar')}) "
        f"as {identifier(column.name)}"
        for column in columns_of(dataset, version)
        if column.is_mandatory or column.name in made
    ]
    columns += [identifier(name) for name in _OWN_COLUMNS if name in made]
    rows = f"(select {', '.join(columns)} from {dataset})"
    write_parquet(marts, rows, folder / f"{dataset}.parquet")
    parquet = f"read_parquet({literal(glob_literal(folder / f'{dataset}.parquet'))}, hive_partitioning=false)"
    write_csv(marts, parquet, folder / f"{dataset}.csv")
