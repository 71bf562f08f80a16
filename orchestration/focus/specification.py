"""The columns of FOCUS datasets, as data.

Belongs here: reading `columns.csv`. Does not belong here: checking (`rules`) and filling (`export`).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

_COLUMNS_FILE = Path(__file__).with_name("columns.csv")

NATIVE_VERSION = "1.4"
COMPATIBLE_VERSION = "1.2"

COST_AND_USAGE = "CostAndUsage"
BILLING_PERIOD = "BillingPeriod"
INVOICE_DETAIL = "InvoiceDetail"


class Format(StrEnum):
    """How a value is written, beyond its type."""

    TEXT = "text"
    DECIMAL = "decimal"
    NON_NEGATIVE = "non-negative decimal"
    DATE_TIME = "date-time"
    CURRENCY = "currency"
    ALLOWED = "allowed values"
    UNIT = "unit"
    KEY_VALUE = "key-value"
    JSON_OBJECT = "json object"


@dataclass(frozen=True)
class FocusColumn:
    """One column of a dataset.

    Attributes:
        name: As the specification writes it.
        format: How a value is written.
        level: `Mandatory`, `Conditional` or `Recommended`; a mandatory column must be there.
        is_nullable: Whether a value may be missing in any row.
        allowed_values: The only values, in the specification's order; empty allows all.
    """

    name: str
    format: Format
    level: str
    is_nullable: bool
    allowed_values: tuple[str, ...]

    @property
    def is_mandatory(self) -> bool:
        """Whether the dataset must have the column."""
        return self.level == "Mandatory"


@cache
def columns_of(dataset: str, version: str = NATIVE_VERSION) -> tuple[FocusColumn, ...]:
    """Return the columns of a dataset, by name.

    Raises:
        KeyError: When `columns.csv` has no such dataset of that version.
    """
    with _COLUMNS_FILE.open(newline="") as handle:
        columns = tuple(
            FocusColumn(
                name=row["column"],
                format=Format(row["format"]),
                level=row["level"],
                is_nullable=row["nullable"] == "yes",
                allowed_values=tuple(row["allowed_values"].split("; ")) if row["allowed_values"] else (),
            )
            for row in csv.DictReader(handle)
            if (row["dataset"], row["version"]) == (dataset, version)
        )
    if not columns:
        raise KeyError(f"FOCUS {version} has no dataset {dataset} in {_COLUMNS_FILE.name}")
    return columns
