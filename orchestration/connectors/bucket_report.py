"""Reports in time buckets, as the admin APIs of OpenAI and Anthropic give them, made into Arrow.

Belongs here: what the two have in common: pages of buckets of rows, and reading a field strictly. Does not
belong here: the endpoints, the fields and the units of either.

A value of another type than the contract says fails the whole pull, as half a bill is worse than none. A
field that is absent or null becomes NULL, which is unknown, not 0.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import cast

import pyarrow as pa

from orchestration.connectors.base import TableKind, TableSpec, Window
from orchestration.connectors.http import HttpApi, JsonObject, Page, QueryParams

_log = logging.getLogger(__name__)

UTC_MICROSECONDS = pa.timestamp("us", tz="UTC")
MONEY = pa.decimal128(38, 12)

Row = dict[str, object]
BucketBounds = Callable[[JsonObject], tuple[datetime, datetime]]
"""Reads a bucket's UTC start and end; raises `FieldError`."""

_INT64 = range(-(2**63), 2**63)
_TWELVE_PLACES = Decimal("1e-12")
# `quantize` refuses what needs more than 38 digits, as the landed column would.
_AS_LANDED = Context(prec=38, rounding=ROUND_HALF_EVEN)
_DECIMAL_TEXT = re.compile(r"-?\d{1,60}(\.\d{1,60})?([eE][+-]?\d{1,3})?", re.ASCII)


class FieldError(ValueError):
    """A field of a provider's answer does not keep its contract."""


@dataclass(frozen=True)
class ReportColumn:
    """One landed column and where it stands in a row of the report.

    Attributes:
        name: Name of the landed column.
        type: Its Arrow type.
        path: Keys from the row to the value.
        read: Checks a value that is not null and gives what is landed; raises `FieldError`.
        required: Whether a row without it is an error instead of a NULL.
    """

    name: str
    type: pa.DataType
    path: tuple[str, ...]
    read: Callable[[object], object]
    required: bool = False


def text(name: str) -> ReportColumn:
    """A string, verbatim."""
    return ReportColumn(name, pa.string(), (name,), _read_text)


def flag(name: str) -> ReportColumn:
    """A boolean."""
    return ReportColumn(name, pa.bool_(), (name,), _read_flag)


def count(name: str, *path: str) -> ReportColumn:
    """A whole number: tokens, requests. `path` leads to it, by default `name` itself."""
    return ReportColumn(name, pa.int64(), path or (name,), _read_count)


def decimal(name: str, *path: str, required: bool = False) -> ReportColumn:
    """A decimal number, given as a JSON number or as text; 12 places are kept."""
    return ReportColumn(name, MONEY, path or (name,), _read_decimal, required)


def us_dollar_currency(*path: str) -> ReportColumn:
    """The currency of an amount, as `currency`. Another than USD is an error: nothing here converts money."""
    return ReportColumn("currency", pa.string(), path, _read_us_dollar)


def bucket_table(name: str, *columns: ReportColumn) -> TableSpec:
    """Describe the landed table of a report: the bucket's bounds in UTC, then the given columns."""
    fields: list[tuple[str, pa.DataType]] = [
        ("bucket_start", UTC_MICROSECONDS),
        ("bucket_end", UTC_MICROSECONDS),
        *((column.name, column.type) for column in columns),
    ]
    return TableSpec(name, TableKind.WINDOW, pa.schema(fields))


def recent_window(now: datetime, days: int) -> Window:
    """Return the window of today and the `days` UTC days before it."""
    today = now.astimezone(UTC).date()
    return Window(today - timedelta(days=days), today + timedelta(days=1))


def midnight(day: date) -> datetime:
    """Return the moment at which a UTC day begins."""
    return datetime.combine(day, time(), tzinfo=UTC)


def unix_moment(value: object) -> datetime:
    """Read a moment given in whole unix seconds."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError(f"{_shown(value)} is not a time in unix seconds")
    try:
        return datetime.fromtimestamp(value, tz=UTC)
    except (ValueError, OverflowError, OSError):
        raise FieldError(f"{_shown(value)} is not a time in unix seconds") from None


def rfc3339_moment(value: object) -> datetime:
    """Read a moment given as RFC 3339 text with a zone."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise FieldError(f"{_shown(value)} is not an RFC 3339 time with a zone")
    return moment.astimezone(UTC)


def read_report(
    api: HttpApi,
    path: str,
    params: QueryParams,
    *,
    window: Window,
    bounds: BucketBounds,
    columns: Sequence[ReportColumn],
    constants: Mapping[str, object] | None = None,
) -> list[Row]:
    """Read every page of a report.

    Args:
        api: The provider.
        path: The report's path.
        params: Its query, without the cursor.
        window: The UTC days asked for; a bucket outside of them is an error, as it would be counted for a day
            whose other rows this pull did not ask for.
        bounds: Reads the start and the end of a bucket.
        columns: What is kept of each row.
        constants: Columns that are the same in all rows.

    Returns:
        One dictionary a row: `usage_date`, `bucket_start`, `bucket_end`, the constants and the columns.

    Raises:
        ProviderError: When a page cannot be read or does not keep the contract.
    """
    rows: list[Row] = []
    page_of: dict[tuple[datetime, str], int] = {}
    kept = {column.path for column in columns}
    dropped: set[str] = set()
    for page in api.pages(path, params):
        for bucket in _objects(api, page, page.body, "data"):
            start, end = _bucket_bounds(api, page, bucket, bounds, window)
            for result in _objects(api, page, bucket, "results"):
                stated = json.dumps(result, sort_keys=True, default=str)
                if page_of.setdefault((start, stated), page.number) != page.number:
                    what = f"a row of an earlier page again, in bucket {start:%F}"
                    api.reject(page.request, what, stated)
                row: Row = {"usage_date": start.date(), "bucket_start": start, "bucket_end": end}
                row.update(constants or {})
                row.update(_read_row(api, page, result, columns, start))
                rows.append(row)
                dropped |= {".".join(leaf) for leaf in _leaves(result) if leaf not in kept}
    dropped.discard("object")
    if dropped:
        # A new class of tokens shows here first.
        _log.warning("source %s: %s: fields not kept: %s", api.source_name, path, ", ".join(sorted(dropped)))
    return rows


def report_data(table: TableSpec, rows: Sequence[Row]) -> pa.Table:
    """Make the rows of a report into the Arrow data of `table`; columns that a row lacks are NULL."""
    types = zip(table.schema.names, table.schema.types, strict=True)
    return pa.Table.from_pylist(list(rows), schema=pa.schema([("usage_date", pa.date32()), *types]))


def _objects(api: HttpApi, page: Page, parent: JsonObject, key: str) -> Iterator[JsonObject]:
    items = parent.get(key)
    if not isinstance(items, list):
        api.reject(page.request, f"an answer without the list {key}", _shown(parent))
    for item in cast("list[object]", items):
        if not isinstance(item, dict):
            api.reject(page.request, f"something else than objects in {key}", _shown(item))
        yield cast("JsonObject", item)


def _bucket_bounds(
    api: HttpApi, page: Page, bucket: JsonObject, bounds: BucketBounds, window: Window
) -> tuple[datetime, datetime]:
    try:
        start, end = bounds(bucket)
    except FieldError as error:
        api.reject(page.request, "the time of a bucket cannot be read", str(error))
    stated = f"bucket {start.isoformat()} to {end.isoformat()}"
    if not window.start <= start.date() < window.end:
        api.reject(page.request, f"a bucket outside of the days asked for, {window.start} to {window.end}", stated)
    if not start < end <= midnight(start.date() + timedelta(days=1)):
        api.reject(page.request, "a bucket that is not part of one UTC day", stated)
    return start, end


def _read_row(api: HttpApi, page: Page, result: JsonObject, columns: Sequence[ReportColumn], start: datetime) -> Row:
    row: Row = {}
    for column in columns:
        try:
            row[column.name] = _read(result, column)
        except FieldError as error:
            what = f"{'.'.join(column.path)} in bucket {start:%F} cannot be read"
            api.reject(page.request, what, str(error))
    return row


def _read(result: JsonObject, column: ReportColumn) -> object:
    value: object = result
    for key in column.path:
        value = _member(value, key)
    if value is not None:
        return column.read(value)
    if column.required:
        raise FieldError("it is missing")
    return None


def _leaves(value: JsonObject, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every field that holds something."""
    for key, member in value.items():
        if isinstance(member, dict):
            yield from _leaves(cast("JsonObject", member), (*above, key))
        elif member is not None:
            yield (*above, key)


def _member(parent: object, key: str) -> object:
    if parent is None:
        return None
    if not isinstance(parent, dict):
        raise FieldError(f"{_shown(parent)} has no {key}")
    return cast("JsonObject", parent).get(key)


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise FieldError(f"{_shown(value)} is not a text")
    return value


def _read_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise FieldError(f"{_shown(value)} is not true or false")
    return value


def _read_count(value: object) -> int:
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < 19 and value == int(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value not in _INT64:
        raise FieldError(f"{_shown(value)} is not a whole number of 64 bits")
    return value


def _read_decimal(value: object) -> Decimal:
    """Read a number exactly, to 12 places; what a provider's float states beyond them is noise."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise FieldError(f"{_shown(value)} is not a decimal number")
    if isinstance(value, str) and not _DECIMAL_TEXT.fullmatch(value):
        raise FieldError(f"{_shown(value)} is not a decimal number")
    try:
        return Decimal(value).quantize(_TWELVE_PLACES, context=_AS_LANDED)
    except InvalidOperation:
        raise FieldError(f"{_shown(value)} does not fit into 26 digits before the point") from None


def _read_us_dollar(value: object) -> str:
    currency = _read_text(value)
    if currency.upper() != "USD":
        raise FieldError(f"{_shown(value)} is not US dollars")
    return currency


def _shown(value: object) -> str:
    shown = json.dumps(value, default=str, ensure_ascii=False)
    return shown if len(shown) <= 100 else shown[:99] + "…"
