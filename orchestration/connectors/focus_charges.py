"""Charges from a provider's FOCUS export: Cost and Usage 1.0 to 1.4, as CSV or Parquet.

Belongs here: reading such files, the names that columns had in older versions, and which days a file speaks for. Does
not belong here: which model and class of tokens a line is for (staging), and what is wrong with a provider's figures.

Exports are rewritten: each delivery of a billing period replaces the one before. The files of a period are therefore
read together, and replace its days. A period of which no file is left keeps what has landed.

A line belongs to the UTC day on which its charge period begins. One whose charge period lies outside of its billing
period, such as a correction of an earlier month, belongs to the first day of the period in which it is billed: the
earlier month's own lines are not in these files any more, and would be lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from orchestration.connectors.base import PullSink, SecretResolver, TableKind, TableSpec, Window
from orchestration.connectors.errors import ConnectorError

_Period = tuple[date, date]
"""A billing period as a half-open range of UTC days."""

_TEXT, _MONEY, _MOMENT = "varchar", "decimal(38, 12)", "timestamptz"

_ARROW: Mapping[str, pa.DataType] = {
    _TEXT: pa.string(),
    _MONEY: pa.decimal128(38, 12),
    _MOMENT: pa.timestamp("us", tz="UTC"),
}

_COLUMNS: Mapping[str, tuple[str, tuple[str, ...], bool]] = {
    "charge_period_start": (_MOMENT, ("ChargePeriodStart",), True),
    "charge_period_end": (_MOMENT, ("ChargePeriodEnd",), False),
    "billing_period_start": (_MOMENT, ("BillingPeriodStart",), True),
    "billing_period_end": (_MOMENT, ("BillingPeriodEnd",), True),
    # 1.3 renamed it; 1.4 dropped the old name.
    "service_provider_name": (_TEXT, ("ServiceProviderName", "ProviderName"), True),
    "invoice_issuer_name": (_TEXT, ("InvoiceIssuerName",), False),
    "invoice_id": (_TEXT, ("InvoiceId",), False),
    "billing_account_id": (_TEXT, ("BillingAccountId",), True),
    "sub_account_id": (_TEXT, ("SubAccountId",), False),
    "sub_account_name": (_TEXT, ("SubAccountName",), False),
    "service_category": (_TEXT, ("ServiceCategory",), False),
    "service_name": (_TEXT, ("ServiceName",), True),
    "charge_category": (_TEXT, ("ChargeCategory",), True),
    "charge_class": (_TEXT, ("ChargeClass",), False),
    "charge_description": (_TEXT, ("ChargeDescription",), False),
    "commitment_discount_status": (_TEXT, ("CommitmentDiscountStatus",), False),
    "resource_id": (_TEXT, ("ResourceId",), False),
    "region_id": (_TEXT, ("RegionId",), False),
    "sku_id": (_TEXT, ("SkuId",), False),
    "sku_meter": (_TEXT, ("SkuMeter",), False),
    "sku_price_id": (_TEXT, ("SkuPriceId",), False),
    "sku_price_details": (_TEXT, ("SkuPriceDetails",), False),
    "billing_currency": (_TEXT, ("BillingCurrency",), True),
    "billed_cost": (_MONEY, ("BilledCost",), True),
    "list_cost": (_MONEY, ("ListCost",), False),
    "contracted_cost": (_MONEY, ("ContractedCost",), False),
    "effective_cost": (_MONEY, ("EffectiveCost",), False),
    "consumed_quantity": (_MONEY, ("ConsumedQuantity",), False),
    "consumed_unit": (_TEXT, ("ConsumedUnit",), False),
    "pricing_quantity": (_MONEY, ("PricingQuantity",), False),
    "pricing_unit": (_TEXT, ("PricingUnit",), False),
    "tags": (_TEXT, ("Tags",), False),
}
"""Landed column → its type, the names it has had (newest first), and whether a file must have it. Of the columns that
must be there every value is needed, too."""

CHARGES = TableSpec(
    "focus_charges", TableKind.WINDOW, pa.schema([(name, _ARROW[type_]) for name, (type_, *_) in _COLUMNS.items()])
)


class FocusChargesConfig(BaseModel):
    """Where a provider's FOCUS files are, and which of their lines are about LLMs.

    Attributes:
        path: A file, a folder or a glob; `.csv`, `.csv.gz` and `.parquet`.
        service_categories: Lines of these service categories are taken.
        service_names: So are lines of these services, for exports without categories or with others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    service_categories: tuple[str, ...] = ("AI and Machine Learning",)
    service_names: tuple[str, ...] = ()


class FocusCharges:
    """Reads the FOCUS export of a provider."""

    kind: ClassVar[str] = "focus_charges"
    tables: ClassVar[tuple[TableSpec, ...]] = (CHARGES,)
    Config: ClassVar[type[FocusChargesConfig]] = FocusChargesConfig

    def __init__(self, source_name: str, config: FocusChargesConfig, secrets: SecretResolver) -> None:
        del secrets  # files only: nothing to unlock
        self._source_name = source_name
        self._config = config

    def pull(self, sink: PullSink, window: Window | None) -> None:
        """Replace the days of every billing period of which there are files, unless no file has changed.

        Args:
            sink: The pull to write to.
            window: Ignored: the files say which days they are about.

        Raises:
            ConnectorError: When there is no file, when one is no FOCUS file, or when a line of it has no amount, no
                time or another currency than USD. Half a bill is worse than none.
        """
        del window
        files = self._files()
        seen = {str(path): [path.stat().st_size, path.stat().st_mtime_ns] for path in files}
        ledger = sink.ledger(CHARGES)
        if ledger.get("files") == seen and ledger.get("taken") == self._taken():
            return
        taken, periods, skipped = self._read(files)
        sink.count_read(CHARGES, taken.num_rows + skipped, skipped)
        newest: dict[str, str] = ledger.setdefault("newest_days", {})
        for start, end in _merged(periods):
            rows, newest_day = _lines_between(taken, start, end)
            # Days to come are not yet empty; days that had lines and have none any more are.
            known = [day for day in (newest_day, _day(newest.get(str(start)))) if day is not None]
            if known:
                newest[str(start)] = str(max(known))
                sink.replace_window(CHARGES, Window(start, max(known) + timedelta(days=1)), rows)
        ledger["files"], ledger["taken"] = seen, self._taken()

    def _taken(self) -> list[list[str]]:
        return [list(self._config.service_categories), list(self._config.service_names)]

    def _files(self) -> list[Path]:
        path = Path(self._config.path).expanduser()
        if path.is_dir():
            found = list(path.rglob("*"))
        elif path.is_file():
            found = [path]
        else:
            found = list(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
        found = [file for file in found if file.is_file() and file.name.endswith((".csv", ".csv.gz", ".parquet"))]
        if not found:
            raise self._error("no CSV or Parquet file", self._config.path, do="correct the path of the source's config")
        return sorted(found)

    def _read(self, files: Sequence[Path]) -> tuple[pa.Table, set[_Period], int]:
        """Return the lines about LLMs with their `usage_date`, the billing periods of all, the number of others."""
        parts: list[pa.Table] = []
        periods: set[_Period] = set()
        skipped = 0
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            for path in files:
                self._open(connection, path)
                self._require_usable(connection, path)
                parts.append(connection.execute(_LINES).to_arrow_table())
                periods.update(connection.execute(_PERIODS).fetchall())
                skipped += connection.execute("select count(*) from raw where not is_taken").fetchall()[0][0]
        schema = pa.schema([pa.field("usage_date", pa.date32()), *CHARGES.schema])
        return pa.concat_tables([part.cast(schema) for part in parts]), periods, skipped

    def _open(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        """Create `raw`: the lines of a file as text under our names, and whether each is taken."""
        if path.name.endswith(".parquet"):
            relation = "read_parquet($path, hive_partitioning = false)"
        else:
            relation = "read_csv($path, all_varchar = true, header = true, quote = '\"', escape = '\"', delim = ',')"
        try:
            described = connection.execute(f"describe select * from {relation}", {"path": str(path)}).fetchall()
        except duckdb.Error as error:
            raise self._error("not a CSV or Parquet file", str(path), answered=str(error)) from error
        stored = {str(name): str(type_) for name, type_, *_ in described}
        selected: list[str] = []
        for name, (_, titles, is_required) in _COLUMNS.items():
            title = next((title for title in titles if title in stored), None)
            if title is None and is_required:
                raise self._error(
                    f"the column {titles[0]} is missing", str(path), do="export FOCUS 1.0 to 1.4, all columns"
                )
            selected.append(f"{_as_text(title, stored[title]) if title else 'cast(null as varchar)'} as {name}")
        connection.execute(
            f"create or replace temporary table raw as select *, "
            f"coalesce(list_contains($categories, service_category), false) "
            f"or list_contains($services, service_name) as is_taken "
            f"from (select row_number() over () as line_number, {', '.join(selected)} from {relation})",
            {
                "path": str(path),
                "categories": list(self._config.service_categories),
                "services": list(self._config.service_names),
            },
        )

    def _require_usable(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        """Stop at the first line that is taken and cannot be read whole."""
        problems = [
            (f"{titles[0]} {{}}", f"{name} is not null and {_cast(name, type_)} is null", name)
            for name, (type_, titles, _) in _COLUMNS.items()
            if type_ != _TEXT
        ]
        problems += [
            (f"{titles[0]} is missing", f"{name} is null", name)
            for name, (_, titles, is_required) in _COLUMNS.items()
            if is_required
        ]
        problems.append(
            ("BillingCurrency {}: nothing here converts money", "billing_currency <> 'USD'", "billing_currency")
        )
        for text, condition, name in problems:
            row = connection.execute(
                f"select line_number, {name} from raw where is_taken and {condition} order by line_number limit 1"
            ).fetchone()
            if row is not None:
                raise self._error(
                    "a line of the bill cannot be read",
                    str(path),
                    answered=f"line {row[0]}: {text.format(repr(row[1]))}",
                    do="nothing of this pull was kept; correct the file",
                )

    def _error(self, what: str, request: str, *, answered: str | None = None, do: str | None = None) -> ConnectorError:
        return ConnectorError(self._source_name, what, request=request, answered=answered, do=do)


def _as_text(title: str, stored_type: str) -> str:
    quoted = '"' + title.replace('"', '""') + '"'
    if stored_type.startswith(("MAP", "STRUCT")):
        return f"cast(to_json({quoted}) as varchar)"
    if stored_type.startswith("TIMESTAMP") and "TIME ZONE" not in stored_type:
        # FOCUS knows UTC only; Parquet of some exporters leaves the zone out.
        return f"strftime({quoted}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    # An empty cell is FOCUS's NULL. DOUBLE, which AWS writes, becomes its shortest decimal text.
    return f"nullif(cast({quoted} as varchar), '')"


def _cast(name: str, type_: str) -> str:
    if type_ == _TEXT:
        return name
    if type_ == _MOMENT:
        # A time without a zone would be read in whatever zone the process stands in.
        zoned = f"case when regexp_matches({name}, '(Z|[+-]\\d\\d(:?\\d\\d)?)$') then {name} else {name} || 'Z' end"
        return f"try_cast({zoned} as timestamptz)"
    return f"try_cast({name} as {type_})"


_TYPED = ", ".join(f"{_cast(name, type_)} as {name}" for name, (type_, *_) in _COLUMNS.items())

_LINES = f"""
select
    cast(
        case
            when charge_period_start >= billing_period_start and charge_period_start < billing_period_end
                then charge_period_start
            else billing_period_start
        end as date
    ) as usage_date,
    *
from (select {_TYPED} from raw where is_taken)
"""


_PERIODS = f"""
select distinct cast(start as date), cast(until as date)
from (
    select
        {_cast("billing_period_start", _MOMENT)} as start,
        {_cast("billing_period_end", _MOMENT)} as until
    from raw
)
where start < until
"""


def _merged(periods: Iterable[_Period]) -> list[_Period]:
    """Return the periods, oldest first, those that overlap as one."""
    merged: list[_Period] = []
    for start, end in sorted(periods):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _lines_between(lines: pa.Table, start: date, end: date) -> tuple[pa.Table, date | None]:
    """Return the lines of the UTC days `[start, end)`, and the newest of these days that has any."""
    days: Any = lines["usage_date"]
    first, until = (pa.scalar(day, pa.date32()) for day in (start, end))
    rows = lines.filter(pc.and_(pc.greater_equal(days, first), pc.less(days, until)))
    newest: date | None = pc.max(rows["usage_date"]).as_py()
    return rows, newest


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
