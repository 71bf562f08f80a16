"""Which source documents count, wherever they lie.

Belongs here: the folder that `TRUEUP_SOURCES` names, inside this checkout or not. Does not belong here: what
a document may say (`source`).

Documents under `orchestration/defs` are found by Dagster itself. A folder elsewhere is read here, by the same
rules and with the same errors: `*.yaml`, in any depth, any number of documents in each file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import dagster as dg
from dagster_shared.yaml_utils import parse_yamls_with_source_position
from dagster_shared.yaml_utils.source_position import SourcePositionTree, ValueAndSourcePositionTree
from pydantic import ValidationError

from orchestration.components.source import SourceComponent, SourceDocumentError, document_error
from orchestration.connectors import CONNECTORS
from orchestration.settings import PROJECT_ROOT, Settings

DEFS_FOLDER = PROJECT_ROOT / "orchestration" / "defs"

_TYPE = "orchestration.components.SourceComponent"


def active_sources(settings: Settings, context: dg.ComponentLoadContext) -> list[SourceComponent]:
    """Return the sources in use, in the order of their names.

    Raises:
        SourceDocumentError: When a document is no source, or two sources share a name.
    """
    if is_outside(settings):
        sources = list(read_folder(settings.sources or Path(), context))
    else:
        components = context.component_tree.get_all_components(of_type=SourceComponent)
        sources = [component for component in components if component.is_active(settings)]
    by_name: dict[str, SourceComponent] = {}
    for source in sources:
        if source.source_name in by_name:
            raise SourceDocumentError(
                f"two sources are named {source.source_name!r} ({by_name[source.source_name].folder} and "
                f"{source.folder}); what they land would mix, so give one of them another name"
            )
        by_name[source.source_name] = source
    return [by_name[name] for name in sorted(by_name)]


def is_outside(settings: Settings) -> bool:
    """Tell whether the sources lie outside of what Dagster finds by itself."""
    return settings.sources is not None and not settings.sources.is_relative_to(DEFS_FOLDER)


def landed_asset_keys(settings: Settings, context: dg.ComponentLoadContext) -> Mapping[str, list[dg.AssetKey]]:
    """Return, for each landed table, the assets of all sources that deliver it."""
    keys: dict[str, list[dg.AssetKey]] = {}
    for source in active_sources(settings, context):
        for table in source.table_specs:
            keys.setdefault(table.name, []).append(source.asset_key(table))
    return keys


def read_folder(folder: Path, context: dg.ComponentLoadContext) -> Iterator[SourceComponent]:
    """Read every document of a folder.

    Raises:
        SourceDocumentError: When the folder has no document, or one that is no source.
    """
    paths = sorted(path for suffix in ("*.yaml", "*.yml") for path in folder.rglob(suffix))
    if not paths:
        raise SourceDocumentError(
            f"{folder} holds no YAML document; write one for each source, for example\n"
            f"type: {_TYPE}\nattributes:\n  source_name: app_requests\n  kind: llm_request_log\n"
            f"  config:\n    path: /var/log/llm\n(kinds: {', '.join(sorted(CONNECTORS))})"
        )
    for path in paths:
        for document in parse_yamls_with_source_position(path.read_text(), str(path)):
            if document.value is not None:
                yield _read_document(path, document, context)


def _read_document(
    path: Path, document: ValueAndSourcePositionTree, context: dg.ComponentLoadContext
) -> SourceComponent:
    positions: SourcePositionTree = document.source_position_tree
    value = cast("dict[str, object]", document.value)
    if not isinstance(document.value, dict) or value.get("type") != _TYPE or set(value) - {"type", "attributes"}:
        raise SourceDocumentError(
            f"{positions.position}: expected the two fields `type: {_TYPE}` and `attributes`, got {value!r}"
        )
    try:
        attributes = SourceComponent.attributes_model().model_validate(value.get("attributes") or {})
    except ValidationError as error:
        raise document_error(positions, ["attributes"], error) from None
    scoped = context.with_rendering_scope(
        {**SourceComponent.get_additional_scope(), "folder": str(path.parent)}
    ).with_source_position_tree(positions)
    return SourceComponent.load(attributes, scoped, folder=path.parent)
