"""One source instance as a Dagster component.

Belongs here: the attributes of a YAML document, checking them against the connector's own model, and the
assets and checks that come of it. Does not belong here: running the pull (`pull`), finding documents
(`folder`).
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, cast

import dagster as dg
from dagster.components.scaffold.scaffold import Scaffolder, ScaffoldRequest, scaffold_with
from dagster_shared.yaml_utils.source_position import SourcePositionTree
from pydantic import BaseModel, Field, PrivateAttr, ValidationError

from orchestration.components.pull import NOTHING_LOST, QUARANTINE_EMPTY, PullConfig, PullRequest, pull_source
from orchestration.connectors import CONNECTORS, connector_class
from orchestration.connectors.base import TableKind, TableSpec
from orchestration.partitions import daily_partitions
from orchestration.settings import Settings


class SourceDocumentError(Exception):
    """A document describes no usable source; the message names file, line, field and what was expected."""


class SourceScaffolder(Scaffolder[Any]):
    """Writes a document with a request log, the source that everybody has."""

    def scaffold(self, request: ScaffoldRequest[Any]) -> None:
        """Write `defs.yaml` into the new folder."""
        from dagster.components.component_scaffolding import scaffold_component  # noqa: PLC0415

        name = request.target_path.name
        scaffold_component(
            request,
            {"source_name": name, "kind": "llm_request_log", "config": {"path": "{{ home }}/inbox/" + name}},
        )


@scaffold_with(SourceScaffolder)
class SourceComponent(dg.Component, dg.Model, dg.Resolvable):
    """One source of data: a connector with its settings, landed as versioned Parquet.

    Each landed table becomes an asset `landing/<source_name>/<table>` with two checks: `nothing_lost` (every
    row that was read is landed, quarantined or skipped) and `quarantine_empty` (a warning).
    """

    source_name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Name of this instance, unique among all sources: lower case, digits and underscores.",
    )
    kind: str = Field(description=f"Kind of the source, one of: {', '.join(sorted(CONNECTORS))}.")
    config: dict[str, Any] = Field(
        default_factory=dict, description="The settings of this kind of source; see its connector module."
    )
    group: str = Field(default="landing", description="Group of the assets in the Dagster UI.")
    tables: list[str] | None = Field(
        default=None, description="The landed tables that this instance delivers; all of its kind by default."
    )
    served_by: Literal["sample_company"] | None = Field(
        default=None,
        description="`sample_company`: the built-in providers answer for this source while it is pulled.",
    )

    _folder: Path | None = PrivateAttr(default=None)

    @classmethod
    def get_additional_scope(cls) -> Mapping[str, Any]:
        """Return what a document may write between double braces."""
        settings = Settings.from_env()
        return {"home": str(settings.home), "sample": str(settings.sample)}

    @classmethod
    def load(
        cls, attributes: BaseModel | None, context: dg.ComponentLoadContext, *, folder: Path | None = None
    ) -> Self:
        """Build the component from a document.

        Args:
            attributes: What the document says.
            context: Where Dagster found it.
            folder: Where the document lies, when Dagster did not find it by itself.

        Raises:
            SourceDocumentError: When a field is missing, unknown or of another type than the source expects.
        """
        folder = folder or context.path
        scoped = context.with_rendering_scope({"folder": str(folder)})
        component = super().load(attributes, scoped)
        component._folder = folder
        if component.is_active(Settings.from_env()):
            component.check(scoped.resolution_context.source_position_tree)
        return component

    @classmethod
    def attributes_model(cls) -> type[BaseModel]:
        """Return the pydantic model of the attributes of a document."""
        return cast("type[BaseModel]", cls.get_model_cls())

    @property
    def folder(self) -> Path | None:
        """The folder of the document; None for a component made in Python."""
        return self._folder

    def is_active(self, settings: Settings) -> bool:
        """Tell whether the document lies in the folder of sources that is in use."""
        return settings.sources is None or (self._folder is not None and self._folder.is_relative_to(settings.sources))

    def check(self, positions: SourcePositionTree | None = None) -> None:
        """Check what only the connector knows: its kind, its settings, its tables.

        Raises:
            SourceDocumentError: With the place in the document when `positions` is given.
        """
        if self.kind not in CONNECTORS:
            raise _document_error(
                positions, ["kind"], f"unknown kind {self.kind!r}; known: {', '.join(sorted(CONNECTORS))}"
            )
        try:
            config_model(self.kind).model_validate(self.config)
        except ValidationError as error:
            raise document_error(positions, ["attributes", "config"], error) from None
        delivered = {table.name for table in connector_class(self.kind).tables}
        for index, name in enumerate(self.tables or []):
            if name not in delivered:
                raise _document_error(
                    positions,
                    ["tables", index],
                    f"{self.kind} has no table {name!r}; it has {', '.join(sorted(delivered))}",
                )

    @property
    def table_specs(self) -> tuple[TableSpec, ...]:
        """The landed tables of this instance."""
        tables = connector_class(self.kind).tables
        named = set(self.tables) if self.tables else self._tables_named_in_config()
        return tuple(table for table in tables if named is None or table.name in named)

    def _tables_named_in_config(self) -> set[str] | None:
        """Return the keys of a setting `tables`, which connectors of several optional tables have."""
        tables: object = getattr(config_model(self.kind).model_validate(self.config), "tables", None)
        return {str(name) for name in cast("Mapping[object, object]", tables)} if isinstance(tables, Mapping) else None

    def asset_key(self, table: TableSpec) -> dg.AssetKey:
        """Return the key of the asset of one landed table."""
        return dg.AssetKey(["landing", self.source_name, table.name])

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002 - Dagster's signature
        """Return the assets and checks; none when `TRUEUP_SOURCES` names another folder."""
        settings = Settings.from_env()
        return dg.Definitions(assets=[self.build_asset(settings)] if self.is_active(settings) else [])

    def build_asset(self, settings: Settings) -> dg.AssetsDefinition:
        """Return one multi-asset that pulls this source: one output per landed table."""
        specs = [self._asset_spec(table) for table in self.table_specs]
        kinds = {table.kind for table in self.table_specs}
        if TableKind.STATE in kinds and len(kinds) > 1:
            raise SourceDocumentError(
                f"source {self.source_name}: tables with days and tables without cannot be pulled in one go; "
                "make it two sources, each with its own `tables`"
            )
        partitions = None if kinds == {TableKind.STATE} else daily_partitions(settings)
        request = PullRequest(
            source_name=self.source_name,
            kind=self.kind,
            config=self.config,
            tables=self.table_specs,
            asset_keys=tuple(spec.key for spec in specs),
            served_by_sample_company=self.served_by == "sample_company",
        )

        @dg.multi_asset(
            name=f"pull_{self.source_name}",
            specs=specs,
            check_specs=list(_check_specs(specs)),
            partitions_def=partitions,
            backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
            retry_policy=dg.RetryPolicy(
                max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
            ),
            op_tags={"trueup/source": self.source_name},
        )
        def pull(
            context: dg.AssetExecutionContext, config: PullConfig
        ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
            yield from pull_source(context, request, config)

        return pull

    def _asset_spec(self, table: TableSpec) -> dg.AssetSpec:
        connector = connector_class(self.kind)
        return dg.AssetSpec(
            key=self.asset_key(table),
            group_name=self.group,
            description=(inspect.getdoc(connector) or "").split("\n\n")[0],
            kinds={"parquet"},
            tags={"trueup/kind": self.kind, "trueup/table_kind": str(table.kind)},
            metadata={
                "dagster/column_schema": dg.TableSchema(
                    columns=[
                        dg.TableColumn(name, str(arrow_type))
                        for name, arrow_type in zip(table.schema.names, table.schema.types, strict=True)
                    ]
                )
            },
        )


def config_model(kind: str) -> type[BaseModel]:
    """Return the pydantic model of a connector's settings."""
    return cast("Any", connector_class(kind)).Config


def document_error(
    positions: SourcePositionTree | None, path: Sequence[str | int], error: ValidationError
) -> SourceDocumentError:
    """Return an error that lists every fault of a pydantic validation with its file, line and field."""
    lines: list[str] = []
    for fault in error.errors(include_url=False):
        field = [*path, *fault["loc"]]
        given = "" if fault["type"] == "missing" else f", got {fault['input']!r}"
        lines.append(f"{_place(positions, field)}{'.'.join(map(str, field))}: {fault['msg']}{given}")
    return SourceDocumentError("\n".join(lines))


def _document_error(positions: SourcePositionTree | None, path: Sequence[str | int], what: str) -> SourceDocumentError:
    field = ["attributes", *path]
    return SourceDocumentError(f"{_place(positions, field)}{'.'.join(map(str, field))}: {what}")


def _place(positions: SourcePositionTree | None, field: Sequence[str | int]) -> str:
    if positions is None:
        return ""
    position, _ = positions.lookup_closest_and_path(field, None)
    return f"{position}: "


def _check_specs(specs: Sequence[dg.AssetSpec]) -> Iterator[dg.AssetCheckSpec]:
    for spec in specs:
        yield dg.AssetCheckSpec(
            NOTHING_LOST,
            asset=spec.key,
            blocking=True,
            description="Rows read = rows landed + rows quarantined + rows skipped.",
        )
        yield dg.AssetCheckSpec(
            QUARANTINE_EMPTY,
            asset=spec.key,
            description="Every row could be read. Others lie in landing/_quarantine with the reason.",
        )
