"""The fields of a log whose shape is ours: how they are spelled, what they become, and what is wrong with them.

Belongs here: the description of a line, and the SQL that types and judges lines by it. Does not belong here: the
fields of one particular log (`llm_request_log`, `product_outcome_log`), and reading files (`jsonl`).

DuckDB hands every value over as text, an object or a list as JSON text. Its casts are generous ('1.5' becomes
the integer 2, '2026-10-01' a midnight), so the written form is looked at where that would change a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import pyarrow as pa

from orchestration.connectors.base import TableKind, TableSpec

SKIPPED = "skipped"
"""The problem of a line that is none: another event."""
NO_FIELDS = "missing:event"
"""The problem of a line without `event`; one that is no JSON object looks just like it."""

EARLIEST = "2020-01-01T00:00:00Z"
LATEST_AHEAD = timedelta(hours=48)


class FieldKind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    INTEGER = "integer"
    """A whole number of 64 bits."""
    NUMBER = "number"
    """A measurement, as floating point."""
    QUANTITY = "quantity"
    """What a fee is charged for, with six decimals."""
    USD = "usd"
    """Money, with twelve decimals."""
    FLAG = "flag"
    MOMENT = "moment"
    """RFC 3339 with a zone, or milliseconds since 1970; becomes UTC microseconds and decides the day."""
    USER_ID = "user_id"
    """Is hashed before it is written."""
    COUNTS = "counts"
    """An object of numbers; text in it is dropped, unless it is one of the words that say what was counted."""
    LABELS = "labels"
    """An object of short text; what is long, nested or named like content or a user is dropped."""


_ARROW: dict[FieldKind, pa.DataType] = {
    FieldKind.INTEGER: pa.int64(),
    FieldKind.NUMBER: pa.float64(),
    FieldKind.QUANTITY: pa.decimal128(18, 6),
    FieldKind.USD: pa.decimal128(38, 12),
    FieldKind.FLAG: pa.bool_(),
    FieldKind.MOMENT: pa.timestamp("us", tz="UTC"),
}
_NUMERIC = (FieldKind.INTEGER, FieldKind.NUMBER, FieldKind.QUANTITY, FieldKind.USD)
_OBJECTS = (FieldKind.COUNTS, FieldKind.LABELS)


@dataclass(frozen=True)
class Field:
    """One field of a line and the column it becomes.

    Attributes:
        name: Field in snake_case; its camelCase spelling is read as well, the former first.
        kind: What it holds.
        column: Landed column; the field's own name unless given.
        required: A line without it is quarantined.
        required_when: Required only where that other field has that value.
        allowed: The values it may have.
        can_be_negative: Whether a number below zero is meant, or at least does no harm.
    """

    name: str
    kind: FieldKind = FieldKind.TEXT
    column: str = ""
    required: bool = False
    required_when: tuple[str, str] | None = None
    allowed: tuple[str, ...] = ()
    can_be_negative: bool = False

    @property
    def target(self) -> str:
        """Name of the landed column."""
        return self.column or self.name

    @property
    def spellings(self) -> tuple[str, ...]:
        """The keys under which the field is written."""
        head, *tail = self.name.split("_")
        camel = head + "".join(part.title() for part in tail)
        return (self.name,) if camel == self.name else (self.name, camel)


@dataclass(frozen=True)
class LineFormat:
    """A log: its table, the value of `event` that its lines bear, and their fields.

    Attributes:
        table_name: Landed table; its columns are those of the fields, in their order, and `input_file`.
        event: Lines with another event are skipped.
        fields: One of them is of kind `MOMENT`.
        any_of: At least one of these fields must be given; a line without is `missing:link`.
    """

    table_name: str
    event: str
    fields: tuple[Field, ...]
    any_of: tuple[str, ...] = ()

    @property
    def table(self) -> TableSpec:
        """The landed table."""
        columns = [pa.field(field.target, _ARROW.get(field.kind, pa.string())) for field in self.fields]
        schema = pa.schema([*columns, pa.field("input_file", pa.string())])
        return TableSpec(self.table_name, TableKind.APPEND, schema)

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that is read, in all spellings."""
        return ("event", *(name for field in self.fields for name in field.spellings))

    def statement(self, lines: str, pulled_at: datetime) -> str:
        """Return the query that types and judges lines.

        Args:
            lines: Relation with `filename` and one text column for each of `keys`, a row for each line.
            pulled_at: What is more than two days later has not happened yet.

        Returns:
            A query for the landed columns without `input_file`, the user id still as it is; `usage_date`,
            `filename`, and `problem`: NULL for a line that lands, `skipped`, or the reason for its quarantine.
        """
        texts = ", ".join(f"{_text(field)} as {field.name}" for field in self.fields)
        typed = ", ".join(f"{_typed(field)} as {_TYPED}{field.name}" for field in self.fields)
        columns = ", ".join(f"{_TYPED}{field.name} as {field.target}" for field in self.fields)
        moment = next(field.name for field in self.fields if field.kind is FieldKind.MOMENT)
        problems = " ".join(f"when {condition} then '{code}'" for code, condition in self._problems(pulled_at))
        # Not as `with`: DuckDB would keep all lines in memory, or on disk, before it goes on.
        return f"""
            select {columns}, cast({_TYPED}{moment} as date) as usage_date, filename, case {problems} end as problem
            from (select *, {typed} from (select filename, event, {texts} from {lines}))
        """

    def _problems(self, pulled_at: datetime) -> Iterator[tuple[str, str]]:
        """Yield (code, SQL condition) for everything that can be wrong with a line; the first that holds is told."""
        yield NO_FIELDS, "coalesce(event, '') = ''"
        yield SKIPPED, f"event <> '{self.event}'"
        for field in self.fields:
            name, value = field.name, _TYPED + field.name
            if field.required:
                yield f"missing:{name}", f"{name} is null"
            if field.required_when:
                other, needs = field.required_when
                yield f"missing:{name}", f"{name} is null and {other} = '{needs}'"
            if field.kind in (FieldKind.TEXT, FieldKind.USER_ID):
                yield f"wrong_type:{name}", f"starts_with({name}, '{{\"') or starts_with({name}, '[')"
            elif field.kind is FieldKind.NUMBER:
                yield f"wrong_type:{name}", f"{name} is not null and not coalesce(isfinite({value}), false)"
            else:
                yield f"wrong_type:{name}", f"{name} is not null and {value} is null"
            if field.kind in _NUMERIC and not field.can_be_negative:
                yield f"negative:{name}", f"{value} < 0"
            if field.kind is FieldKind.MOMENT:
                latest = (pulled_at + LATEST_AHEAD).isoformat()
                yield (
                    "timestamp_out_of_range",
                    f"{value} not between timestamptz '{EARLIEST}' and timestamptz '{latest}'",
                )
            if field.allowed:
                # Not `in`: DuckDB makes a join of a longer list.
                yield f"invalid:{name}", " and ".join(f"{name} <> '{word}'" for word in field.allowed)
        if self.any_of:
            yield "missing:link", " and ".join(f"{name} is null" for name in self.any_of)


_TYPED = "typed_"


def _text(field: Field) -> str:
    spellings = ", ".join(f'"{name}"' for name in field.spellings)
    return f"nullif(coalesce({spellings}), '')"


def _typed(field: Field) -> str:
    name = field.name
    match field.kind:
        case FieldKind.INTEGER:
            return (
                f"case when not contains({name}, '.') then try_cast({name} as bigint) "
                f"when regexp_full_match({name}, '-?[0-9]+[.]0+') "
                f"then try_cast(split_part({name}, '.', 1) as bigint) end"
            )
        case FieldKind.NUMBER:
            return f"try_cast({name} as double)"
        case FieldKind.QUANTITY:
            return f"try_cast({name} as decimal(18, 6))"
        case FieldKind.USD:
            # (lab) The cast to 38 digits takes 30 µs a value, the one to 18 digits 0.05 µs.
            return f"coalesce(try_cast({name} as decimal(18, 12)), try_cast({name} as decimal(38, 12)))"
        case FieldKind.FLAG:
            return (
                f"case when {name} = 'true' or {name} = 'True' or {name} = '1' then true "
                f"when {name} = 'false' or {name} = 'False' or {name} = '0' then false end"
            )
        case FieldKind.MOMENT:
            milliseconds = f"try_cast({name} as double)"
            # Bounded, as a moment that DuckDB cannot express would fail the statement.
            bounded = f"least(greatest({milliseconds}, -1e14), 1e14)"
            time_of_day = f"substring({name}, 14)"
            has_zone = " or ".join(f"contains({time_of_day}, '{sign}')" for sign in ("Z", "z", "+", "-"))
            return (
                f"case when isfinite({milliseconds}) then make_timestamptz(cast({bounded} * 1000 as bigint)) "
                f"when {has_zone} then try_cast(upper({name}) as timestamptz) end"
            )
        case FieldKind.COUNTS | FieldKind.LABELS:
            return f"case when starts_with({name}, '{{') and json_valid({name}) then {name} end"
        case FieldKind.TEXT | FieldKind.USER_ID:
            return name
