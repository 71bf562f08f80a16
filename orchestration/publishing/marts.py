"""Which models are public, and what their published form looks like.

Belongs here: reading dbt's manifest, and the shape of a mart (columns, types, descriptions). Does not
belong here: rows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration.publishing.errors import PublishError
from orchestration.publishing.slices import DAY_COLUMN, Slicing
from orchestration.sql import identifier, literal

_IS_MONEY = re.compile(r"_(usd|cents)(_|$)")


@dataclass(frozen=True)
class PublicMart:
    """A dbt model whose `config.meta.published` is true.

    Attributes:
        name: Its name in `marts.duckdb` and of its folder.
        source: Database, schema and identifier in the warehouse.
        is_daily: Built by UTC day, because its `event_time` is `usage_date`.
        days_after: Of a roll-up that replaces the days of a run: how many days behind them it replaces too
            (`config.meta.days_after`); None where any row may be new.
        totals_relation: Quoted name of the model that `config.meta.published_totals` names: a roll-up by
            `usage_date`, whose sums of money must be those of this mart; None to sum the mart itself.
        order: Columns that `config.meta.published_order` names: readers who ask for some values of the first find
            them side by side.
        largest_first: Column that `config.meta.published_largest_first` names: readers who ask for its largest values
            of a day find them in the first rows.
        description: dbt's description, empty when there is none.
        column_descriptions: By column name.
    """

    name: str
    source: tuple[str, str, str]
    is_daily: bool
    days_after: int | None
    totals_relation: str | None
    order: tuple[str, ...]
    largest_first: str | None
    description: str
    column_descriptions: Mapping[str, str]

    @property
    def relation(self) -> str:
        """Return the quoted name of the mart in the warehouse."""
        return _quoted(self.source)


@dataclass(frozen=True)
class PublicMarts:
    """All public marts of a dbt project.

    Attributes:
        database: The name under which the warehouse file is attached; the SQL of its views says it.
        dbt_invocation_id: Of the dbt command that wrote the manifest.
        marts: By name, in the order of their names.
    """

    database: str
    dbt_invocation_id: str | None
    marts: tuple[PublicMart, ...]


@dataclass(frozen=True)
class Column:
    """A column as it is published; `type` is DuckDB's word for it."""

    name: str
    type: str
    description: str = ""

    @property
    def is_money(self) -> bool:
        """Tell whether the column holds exact money. A ratio is a double and cannot be summed."""
        return self.type.startswith("DECIMAL") and _IS_MONEY.search(self.name) is not None


@dataclass(frozen=True)
class RollUp:
    """A relation by `usage_date` whose sums of `columns` are those of a mart."""

    relation: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Shape:
    """Everything about a mart but its rows.

    Attributes:
        slicing: How it is cut into files.
        description: Of the mart.
        columns: In their order.
        view_hash: Hash of the SQL when the mart is a view in the warehouse and cut by day, else None: when it
            changes, every day may have changed. Of a roll-up that replaces days, the build notes that they all may.
    """

    slicing: Slicing
    description: str
    columns: tuple[Column, ...]
    view_hash: str | None = None

    @property
    def money_columns(self) -> tuple[str, ...]:
        """Names of the columns whose sums are compared."""
        return tuple(column.name for column in self.columns if column.is_money)

    def has_comparable_rows(self, other: Shape) -> bool:
        """Tell whether rows of `other` may stand beside rows of this shape."""
        return (
            self.slicing is other.slicing
            and self.view_hash == other.view_hash
            and [(column.name, column.type) for column in self.columns]
            == [(column.name, column.type) for column in other.columns]
        )

    def to_json(self) -> str:
        """Return the shape as JSON text; `from_json` reads it."""
        return json.dumps(
            {
                "slicing": self.slicing,
                "description": self.description,
                "columns": [[column.name, column.type, column.description] for column in self.columns],
                "view_hash": self.view_hash,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Shape:
        """Read what `to_json` wrote."""
        content: dict[str, Any] = json.loads(text)
        return cls(
            slicing=Slicing(content["slicing"]),
            description=content["description"],
            columns=tuple(Column(*column) for column in content["columns"]),
            view_hash=content["view_hash"],
        )


def read_public_marts(manifest_json: Path) -> PublicMarts:
    """Return the public marts that dbt's manifest names.

    Raises:
        PublishError: When there is no manifest, no public mart, two of one name, or one with an event time
            that is not `usage_date`.
    """
    try:
        content: dict[str, Any] = json.loads(manifest_json.read_bytes())
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise PublishError(
            f"cannot read dbt's manifest {manifest_json}: {error}; build or parse the dbt project"
        ) from error
    models = [node for node in content["nodes"].values() if node["resource_type"] == "model"]
    nodes = [node for node in models if _meta(node).get("published") is True]
    if not nodes:
        raise PublishError(f"no model in {manifest_json} is public; set `config.meta.published: true` on a mart")
    relations = {node["name"]: _source(node) for node in models}
    marts = tuple(sorted((_public_mart(node, relations) for node in nodes), key=lambda mart: mart.name))
    names = [mart.name for mart in marts]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise PublishError(f"two public marts share a name: {', '.join(doubled)}; rename one")
    databases = {node["database"] for node in nodes}
    if len(databases) > 1:
        raise PublishError(f"public marts lie in several databases ({', '.join(sorted(databases))}); keep them in one")
    return PublicMarts(databases.pop(), content["metadata"].get("invocation_id"), marts)


def _meta(node: Mapping[str, Any]) -> Mapping[str, Any]:
    return node["config"].get("meta") or {}


def _source(node: Mapping[str, Any]) -> tuple[str, str, str]:
    return (node["database"], node["schema"], node.get("alias") or node["name"])


def _quoted(source: tuple[str, str, str]) -> str:
    return ".".join(identifier(part) for part in source)


def _public_mart(node: Mapping[str, Any], relations: Mapping[str, tuple[str, str, str]]) -> PublicMart:
    name = node["name"]
    event_time = node["config"].get("event_time")
    if event_time not in (None, DAY_COLUMN):
        raise PublishError(f"the public mart {name} has the event time {event_time}; it must be {DAY_COLUMN}")
    totals = _meta(node).get("published_totals")
    if totals is not None and (totals not in relations or event_time is None):
        raise PublishError(
            f"the public mart {name} takes its totals from {totals}; "
            "that must be a model, and the mart must be built by day"
        )
    return PublicMart(
        name=name,
        source=_source(node),
        is_daily=event_time is not None,
        days_after=_meta(node).get("days_after", 0) if node["config"].get("materialized") == "incremental" else None,
        totals_relation=None if totals is None else _quoted(relations[totals]),
        order=tuple(_meta(node).get("published_order") or ()),
        largest_first=_meta(node).get("published_largest_first"),
        description=(node.get("description") or "").strip(),
        column_descriptions={
            column_name: description
            for column_name, column in node.get("columns", {}).items()
            if (description := (column.get("description") or "").strip())
        },
    )


def read_shape(connection: duckdb.DuckDBPyConnection, mart: PublicMart) -> Shape:
    """Return the shape of a mart as it stands in the warehouse that is attached to `connection`.

    Raises:
        PublishError: When the warehouse does not hold it, or it is built by day and has no day.
    """
    try:
        described = connection.execute(f"describe select * from {mart.relation}").fetchall()
    except duckdb.Error as error:
        raise PublishError(
            f"the public mart {mart.name} cannot be read: {error}; build it before publishing"
        ) from error
    columns = tuple(
        Column(name, _published_type(column_type), mart.column_descriptions.get(name, ""))
        for name, column_type, *_ in described
    )
    has_days = any((column.name, column.type) == (DAY_COLUMN, "DATE") for column in columns)
    if mart.is_daily and not has_days:
        raise PublishError(f"the public mart {mart.name} is built by day and has no {DAY_COLUMN} of type DATE")
    slicing = Slicing.DAY if mart.is_daily else Slicing.MONTH if has_days else Slicing.WHOLE
    view_hash = _view_hash(connection, mart) if slicing is Slicing.DAY else None
    return Shape(slicing, mart.description, columns, view_hash)


def read_roll_up(connection: duckdb.DuckDBPyConnection, mart: PublicMart, shape: Shape) -> RollUp | None:
    """Return where the sums of a mart already stand: the money columns that its roll-up has too.

    Raises:
        duckdb.Error: When the warehouse does not hold the roll-up.
    """
    if mart.totals_relation is None:
        return None
    described = connection.execute(f"describe select * from {mart.totals_relation}").fetchall()
    money = {column.name for column in (Column(*row[:2]) for row in described) if column.is_money}
    return RollUp(mart.totals_relation, tuple(name for name in shape.money_columns if name in money))


def published_columns(columns: tuple[Column, ...]) -> str:
    """Return a select list that turns warehouse columns into their published types."""
    return ", ".join(f"cast({identifier(c.name)} as {c.type}) as {identifier(c.name)}" for c in columns)


def _published_type(warehouse_type: str) -> str:
    """Return the type in which a warehouse column is published.

    (lab, DuckDB 1.5.5) Parquet has no 128-bit integer and DuckDB writes HUGEINT, the type of every
    `sum(bigint)`, as DOUBLE; an ENUM comes back as VARCHAR.
    """
    if warehouse_type in ("HUGEINT", "UHUGEINT"):
        return "DECIMAL(38,0)"
    if warehouse_type.startswith("ENUM("):
        return "VARCHAR"
    return warehouse_type


def _view_hash(connection: duckdb.DuckDBPyConnection, mart: PublicMart) -> str | None:
    names = zip(("database_name", "schema_name", "view_name"), mart.source, strict=True)
    conditions = " and ".join(f"{column} = {literal(name)}" for column, name in names)
    row = connection.execute(f"select sql from duckdb_views() where {conditions}").fetchone()
    return hashlib.sha256(str(row[0]).encode()).hexdigest() if row else None
