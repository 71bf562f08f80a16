"""The marts as a month's report reads them: as closed where a month is closed, as published everywhere else.

Belongs here: putting the files of closed months in the place of their published rows. Does not belong here: figures.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import duckdb

from orchestration.closing.figures import month_condition
from orchestration.closing.receipt import ClosedMonth
from orchestration.publishing.reader import open_marts
from orchestration.settings import Settings
from orchestration.sql import glob_literal, identifier, literal

READ = (
    "alerts",
    "gross_margin_by_plan_month",
    "gross_margin_by_tenant_month",
    "llm_usage_by_tenant_feature_model_day",
    "operations_by_tenant_feature_day",
    "recon_estimated_vs_billed_by_provider_month",
    "unattributed_cost_by_provider_day",
    "unit_economics_by_feature_day",
    "unit_economics_by_tenant_day",
    "unit_economics_by_tenant_feature_day",
    "waste_by_feature_day",
)
"""The marts with days or months that a report reads; `dim_releases` has neither, and no month closes with incidents."""


@contextmanager
def open_months(settings: Settings, closed: Sequence[ClosedMonth]) -> Generator[duckdb.DuckDBPyConnection]:
    """Open the published marts, with the rows of closed months as they were closed.

    Args:
        settings: The installation.
        closed: Months whose closed files count.

    Raises:
        NotPublishedError: When nothing is published.
    """
    with open_marts(settings.published) as marts:
        for mart in READ if closed else ():
            _lay_over(marts, mart, closed)
        yield marts


def _lay_over(marts: duckdb.DuckDBPyConnection, mart: str, closed: Sequence[ClosedMonth]) -> None:
    """Hide a published mart behind a view of its name: its rows of other months, and the closed ones."""
    ((database,),) = marts.execute("select current_database()").fetchall()
    columns = {row[0] for row in marts.execute(f"describe {identifier(mart)}").fetchall()}
    in_closed = " or ".join(
        month_condition(month.receipt.first_day)
        if "usage_date" in columns
        else f"usage_month = date '{month.receipt.first_day}'"
        for month in closed
    )
    files = ", ".join(literal(glob_literal(month.mart(mart))) for month in closed)
    # A release may have added columns since a month was closed: they are unknown of it.
    marts.execute(
        f"create temp view {identifier(mart)} as "
        f"select * from {identifier(database)}.main.{identifier(mart)} where not ({in_closed}) "
        f"union all by name select * from read_parquet([{files}], union_by_name = true)"
    )
