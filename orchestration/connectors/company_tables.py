"""The company's own tables: customers, plans, subscriptions, revenue, releases, budgets.

Belongs here: reading CSV or Parquet that another system wrote, and its typed contract. Does not belong here:
keys and overlaps across rows (tests of the warehouse), or anything about models and tokens.

Every pull is a full copy. A row that breaks the contract goes to quarantine with its line and field; a file
that cannot be the table at all (no such file, a required column missing, money stored as floating point)
stops the pull.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Literal

import duckdb
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from orchestration.connectors.base import (
    PullSink,
    QuarantinedRow,
    SecretResolver,
    TableKind,
    TableSpec,
    Window,
)
from orchestration.connectors.errors import ConnectorError

CompanyTable = Literal["customers", "plans", "subscriptions", "revenue", "releases", "budgets"]

MONEY = pa.decimal128(38, 12)
"""USD with twelve decimals, the type of every money column from landing to marts."""


class ColumnType(StrEnum):
    """What a column holds and how its text is written."""

    TEXT = "text"
    DATE = "date"
    TIMESTAMP = "timestamp"
    COUNT = "count"
    USD = "usd"


_ARROW: Mapping[ColumnType, pa.DataType] = {
    ColumnType.TEXT: pa.string(),
    ColumnType.DATE: pa.date32(),
    ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    ColumnType.COUNT: pa.int64(),
    ColumnType.USD: MONEY,
}

_DUCKDB: Mapping[ColumnType, str] = {
    ColumnType.DATE: "date",
    ColumnType.TIMESTAMP: "timestamptz",
    ColumnType.COUNT: "bigint",
    ColumnType.USD: "decimal(38, 12)",
}

# DuckDB's casts are generous: '1.5' becomes 2, a date drops its time, a 13th decimal is rounded away. The
# written form is therefore checked first.
_WRITTEN_AS: Mapping[ColumnType, str] = {
    ColumnType.DATE: r"\d{4}-\d{2}-\d{2}([ T]00:00:00(\.0+)?)?",
    ColumnType.TIMESTAMP: r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)? ?([Zz]|[+-]\d{2}(:?\d{2})?)",
    ColumnType.COUNT: r"[+-]?\d+(\.0+)?",
    ColumnType.USD: r"[+-]?\d+(\.\d{0,12}0*)?",
}
_WITHOUT_ZONE = r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?"


@dataclass(frozen=True)
class Column:
    """One column of the contract.

    Attributes:
        name: snake_case; camelCase is read too.
        type: What it holds.
        required: A file without the column, or a row without the value, cannot be used.
        one_of: The only values allowed, lower case; empty allows all.
        can_be_negative: Whether a number below zero is meant.
        after: This value must be later than that column's: the range is half-open and not empty.
    """

    name: str
    type: ColumnType = ColumnType.TEXT
    required: bool = False
    one_of: tuple[str, ...] = ()
    can_be_negative: bool = False
    after: str | None = None


CONTRACT: Mapping[CompanyTable, tuple[Column, ...]] = {
    "customers": (
        Column("tenant_id", required=True),
        Column("customer_id"),
        Column("name"),
        Column("billing_timezone"),
        Column("owner_email"),
        Column("created_at", ColumnType.TIMESTAMP),
    ),
    "plans": (
        Column("plan_id", required=True),
        Column("plan_name"),
        Column("ai_tier"),
        Column("monthly_price_usd", ColumnType.USD),
        Column("daily_ai_budget_usd", ColumnType.USD),
        Column("monthly_ai_budget_usd", ColumnType.USD),
        Column("included_operations", ColumnType.COUNT),
    ),
    "subscriptions": (
        Column("tenant_id", required=True),
        Column("plan_id", required=True),
        Column("valid_from", ColumnType.DATE, required=True),
        Column("valid_to", ColumnType.DATE, after="valid_from"),
        Column("seats", ColumnType.COUNT),
        Column("monthly_recurring_revenue_usd", ColumnType.USD),
    ),
    "revenue": (
        Column("tenant_id", required=True),
        Column("invoice_id", required=True),
        Column("line_id", required=True),
        Column("service_start_date", ColumnType.DATE, required=True),
        Column("service_end_date", ColumnType.DATE, required=True, after="service_start_date"),
        Column("amount_usd", ColumnType.USD, required=True, can_be_negative=True),
        Column("kind", required=True, one_of=("subscription", "usage", "credit", "refund")),
    ),
    "releases": (
        Column("release_id", required=True),
        Column("deployed_at", ColumnType.TIMESTAMP, required=True),
        Column("feature"),
        Column("prompt_name"),
        Column("prompt_version"),
        Column("model"),
        Column("note"),
    ),
    "budgets": (
        Column("scope", required=True, one_of=("org", "provider", "feature", "tenant")),
        Column("scope_id"),
        Column("period", required=True, one_of=("day", "month")),
        Column("amount_usd", ColumnType.USD, required=True),
        Column("valid_from", ColumnType.DATE, required=True),
        Column("valid_to", ColumnType.DATE, after="valid_from"),
    ),
}
"""The contract of each table, in the order of its landed columns."""


def _table_spec(name: CompanyTable) -> TableSpec:
    schema = pa.schema([(column.name, _ARROW[column.type]) for column in CONTRACT[name]])
    return TableSpec(name, TableKind.STATE, schema)


TABLES: Mapping[CompanyTable, TableSpec] = {name: _table_spec(name) for name in CONTRACT}


class CompanyTablesConfig(BaseModel):
    """Where the tables are.

    Attributes:
        tables: Table → a CSV or Parquet file, a folder of them, or a glob. A table that is not named is not
            pulled.
        timestamps_without_zone_are_utc: Read `2026-11-01 10:00:00` as UTC. Off: such a row is quarantined,
            as a local time read as UTC is wrong by hours and nobody sees it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tables: dict[CompanyTable, str] = Field(min_length=1)
    timestamps_without_zone_are_utc: bool = False


class CompanyTables:
    """Reads each configured table whole."""

    kind: ClassVar[str] = "company_tables"
    Config: ClassVar[type[CompanyTablesConfig]] = CompanyTablesConfig
    tables: ClassVar[tuple[TableSpec, ...]] = tuple(TABLES.values())

    def __init__(self, source_name: str, config: CompanyTablesConfig, secrets: SecretResolver) -> None:
        del secrets  # files only: nothing to unlock
        self._source_name = source_name
        self._config = config

    def pull(self, sink: PullSink, window: Window | None) -> None:
        """Read every configured table and hand it over as its new state.

        Args:
            sink: The pull to write to.
            window: Ignored: a state table is always copied whole.

        Raises:
            ConnectorError: A file is missing, unreadable or not the table it is configured as.
        """
        del window
        for name, location in self._config.tables.items():
            self._pull_table(sink, name, location)

    def _pull_table(self, sink: PullSink, name: CompanyTable, location: str) -> None:
        spec = TABLES[name]
        parts: list[pa.Table] = []
        rows_read, first_problem = 0, ""
        for path in self._files(name, location):
            ragged: list[QuarantinedRow] = []
            if path.suffix == ".parquet":
                raw = self._read_parquet(name, path)
            else:
                raw, ragged = self._read_csv(sink, name, path)
            good, bad = _typed(raw, CONTRACT[name], self._config.timestamps_without_zone_are_utc)
            sink.count_read(spec, rows_read=raw.num_rows)
            quarantined = [*ragged, *_quarantined(bad, path)]
            if quarantined:
                sink.quarantine(spec, quarantined)
                first_problem = first_problem or f"{quarantined[0].reason}, line {quarantined[0].line_number}"
            parts.append(good)
            rows_read += raw.num_rows + len(ragged)
        data = pa.concat_tables(parts).cast(spec.schema)
        if rows_read and not data.num_rows:
            raise ConnectorError(
                self._source_name,
                f"table {name}: none of its {rows_read} rows is usable; an empty table would replace it",
                request=location,
                answered=f"first problem: {first_problem}",
                do=f"compare the file with the columns {_expected(name)}",
            )
        sink.replace_state(spec, data)

    def _files(self, name: CompanyTable, location: str) -> list[Path]:
        path = Path(location).expanduser()
        if path.is_file():
            return [path]
        if path.is_dir():
            found = [file for file in path.rglob("*") if file.suffix in (".csv", ".parquet")]
        else:
            found = list(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
        found = [file for file in found if file.is_file()]
        if not found:
            raise ConnectorError(
                self._source_name,
                f"table {name}: no CSV or Parquet file",
                request=location,
                do="correct the path, or remove the table from the source's config",
            )
        return sorted(found)

    def _read_csv(self, sink: PullSink, name: CompanyTable, path: Path) -> tuple[pa.Table, list[QuarantinedRow]]:
        """Read a CSV file as text: records under the contract's names with `line_number`, and ragged ones."""
        columns = CONTRACT[name]
        values: list[list[str | None]] = [[] for _ in columns]
        line_numbers: list[int] = []
        ragged: list[QuarantinedRow] = []
        blank = 0
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                delimiter = _delimiter(file.readline())
                file.seek(0)
                reader = csv.reader(file, delimiter=delimiter, strict=True)
                header = next(reader, list[str]())
                positions = self._positions(name, path, header)
                for record in reader:
                    if not any(record):
                        blank += 1
                    elif len(record) != len(header):
                        problem = "wrong_field_count"
                        ragged.append(QuarantinedRow(path.name, reader.line_num, problem, _masked(record)))
                    else:
                        line_numbers.append(reader.line_num)
                        for column_values, position in zip(values, positions, strict=True):
                            column_values.append(None if position is None else record[position])
        except (UnicodeDecodeError, csv.Error) as error:
            raise ConnectorError(
                self._source_name,
                f"table {name}: the file is not CSV in UTF-8",
                request=str(path),
                answered=str(error),
                do="write it again as UTF-8 CSV with a header line",
            ) from error
        sink.count_read(TABLES[name], rows_read=len(ragged) + blank, rows_skipped=blank)
        raw = pa.table(
            [pa.array(line_numbers, pa.int64()), *(pa.array(column, pa.string()) for column in values)],
            names=["line_number", *(column.name for column in columns)],
        )
        return raw, ragged

    def _read_parquet(self, name: CompanyTable, path: Path) -> pa.Table:
        """Read a Parquet file as text, so that both formats meet one contract."""
        with _connect() as connection:
            try:
                described = connection.execute("describe select * from read_parquet(?)", [str(path)]).fetchall()
            except duckdb.Error as error:
                raise ConnectorError(
                    self._source_name,
                    f"table {name}: not a Parquet file",
                    request=str(path),
                    answered=str(error),
                ) from error
            stored = [(str(row[0]), str(row[1])) for row in described]
            selected: list[str] = []
            positions = self._positions(name, path, [title for title, _ in stored])
            for column, position in zip(CONTRACT[name], positions, strict=True):
                if position is None:
                    selected.append(f"null::varchar as {column.name}")
                    continue
                title, stored_type = stored[position]
                if column.type is ColumnType.USD and stored_type in ("FLOAT", "DOUBLE"):
                    raise ConnectorError(
                        self._source_name,
                        f"table {name}: column {title} holds money as {stored_type}, which cannot be exact",
                        request=str(path),
                        do="write it as decimal(38, 12), as text or in whole units",
                    )
                quoted = title.replace('"', '""')
                selected.append(f'cast("{quoted}" as varchar) as {column.name}')
            query = f"select row_number() over () as line_number, {', '.join(selected)} from read_parquet(?)"
            return connection.execute(query, [str(path)]).to_arrow_table()

    def _positions(self, name: CompanyTable, path: Path, header: Sequence[str]) -> list[int | None]:
        """Return where each column of the contract stands in the file; None when it is absent."""
        places: dict[str, list[int]] = {}
        for position, title in enumerate(header):
            places.setdefault(_snake_case(title), []).append(position)
        twice = [column.name for column in CONTRACT[name] if len(places.get(column.name, ())) > 1]
        missing = [column.name for column in CONTRACT[name] if column.required and column.name not in places]
        if twice or missing:
            problem = f"columns appear twice: {twice}" if twice else f"required columns are missing: {missing}"
            raise ConnectorError(
                self._source_name,
                f"table {name}: {problem}",
                request=str(path),
                answered=f"line 1 has the columns {', '.join(header) or '(none)'}",
                do=f"expected are {_expected(name)}",
            )
        return [places[column.name][0] if column.name in places else None for column in CONTRACT[name]]


def _typed(raw: pa.Table, columns: Sequence[Column], zoneless_is_utc: bool) -> tuple[pa.Table, pa.Table]:
    """Split text rows into typed rows and rows with a `reason`; a row's first problem is the one told."""
    given = ", ".join(f"nullif(trim({column.name}), '') as {column.name}" for column in columns)
    typed = ", ".join(f"{_cast(column)} as {column.name}" for column in columns)
    problems = [problem for column in columns for problem in _problems(column, zoneless_is_utc)]
    reasons = " ".join(f"when {condition} then '{reason}'" for reason, condition in problems)
    with _connect() as connection:
        connection.register("raw", raw)
        connection.execute(
            "create table checked as "
            f"with given as (select line_number, {given} from raw) "
            f"select *, case {reasons} end as reason from given"
        )
        if any(column.name == "billing_timezone" for column in columns):
            # DuckDB brings the zones with it; Python's depend on a package of the operating system.
            connection.execute(
                "update checked set reason = 'invalid:billing_timezone' where reason is null and "
                "billing_timezone not in (select name from pg_timezone_names())"
            )
        good = connection.execute(f"select {typed} from checked where reason is null order by line_number")
        good_table = good.to_arrow_table()
        bad = connection.execute("select * from checked where reason is not null order by line_number")
        return good_table, bad.to_arrow_table()


def _cast(column: Column) -> str:
    if column.type is not ColumnType.TEXT:
        return f"try_cast({column.name} as {_DUCKDB[column.type]})"
    return f"lower({column.name})" if column.one_of else column.name


def _problems(column: Column, zoneless_is_utc: bool) -> Iterator[tuple[str, str]]:
    """Yield (reason, SQL condition) for everything that can be wrong with a column, worst first."""
    name = column.name
    if column.required:
        yield f"missing:{name}", f"{name} is null"
    if column.type is not ColumnType.TEXT:
        written = _WRITTEN_AS[column.type]
        if column.type is ColumnType.TIMESTAMP and zoneless_is_utc:
            written = f"({written}|{_WITHOUT_ZONE})"
        yield (
            f"wrong_type:{name}",
            f"{name} is not null and (not regexp_full_match({name}, '{written}') or {_cast(column)} is null)",
        )
    if column.type in (ColumnType.COUNT, ColumnType.USD) and not column.can_be_negative:
        yield f"negative:{name}", f"{_cast(column)} < 0"
    if column.one_of:
        allowed = ", ".join(f"'{value}'" for value in column.one_of)
        yield f"invalid:{name}", f"lower({name}) not in ({allowed})"
    if column.after:
        yield f"empty_range:{name}", f"try_cast({name} as date) <= try_cast({column.after} as date)"


def _connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    return connection


def _quarantined(bad: pa.Table, path: Path) -> Iterator[QuarantinedRow]:
    for row in bad.to_pylist():
        reason, line_number = row.pop("reason"), row.pop("line_number")
        yield QuarantinedRow(path.name, line_number, reason, _masked(row.values()))


def _masked(values: Iterable[str | None]) -> str:
    """Show the shape of a row, not what it says: names and addresses of customers stay out."""
    return ",".join("…" if value else "" for value in values)[:200]


def _expected(name: CompanyTable) -> str:
    return ", ".join(f"{column.name}{' (required)' if column.required else ''}" for column in CONTRACT[name])


def _delimiter(header_line: str) -> str:
    return max(",;\t|", key=header_line.count)


def _snake_case(title: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", title.strip()).lower()
