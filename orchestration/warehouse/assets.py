"""dbt nodes as Dagster assets and checks.

Belongs here: keys, groups, descriptions, columns, upstreams and checks, all read from the manifest. Does not
belong
here: running anything.

Why not dagster-dbt: importing it loads dbt itself, 1.4 s on every start of anything that loads the code
location, and its resource starts dbt three times a command (see `runner`). What is used of it fits on this
page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import dagster as dg

from orchestration.warehouse.project import DbtManifest, DbtOp

LandedKeys = Callable[[str], Iterable[dg.AssetKey]]
"""Given the name of a landed table, the assets of all source instances that land it."""

LANDING = "landing"
PRICING = "pricing"
ALERT_RULES = "alert_rules"
REVIEWED_FILES = (PRICING, ALERT_RULES)
"""dbt sources that are CSV in git: people change them, nothing builds them."""


def model_key(node: Mapping[str, Any]) -> dg.AssetKey:
    """Return the asset key of a model: its schema and its name."""
    return dg.AssetKey([node["schema"], node["name"]])


def reviewed_file_key(source: Mapping[str, Any]) -> dg.AssetKey:
    """Return the asset key of a file that people review."""
    return dg.AssetKey([source["source_name"], source["name"]])


def test_check_name(node: Mapping[str, Any]) -> str:
    """Return the name of the asset check of a data test."""
    return node["name"]


def exposure_specs(manifest: DbtManifest) -> list[dg.AssetSpec]:
    """Return one asset for each reader that an exposure names, so that lineage does not end at the marts."""
    return [
        dg.AssetSpec(
            key=dg.AssetKey(["readers", exposure["name"]]),
            deps=[model_key(manifest.models[parent]) for parent in exposure["depends_on"]["nodes"]],
            description=exposure["description"],
            group_name="readers",
            kinds={exposure["type"]},
        )
        for exposure in manifest.exposures.values()
    ]


def model_specs(manifest: DbtManifest, op: DbtOp, landed_keys: LandedKeys) -> list[dg.AssetSpec]:
    """Return one asset for each model of `op`.

    Upstreams are the models it reads, and for each dbt source the assets of whoever delivers that table.
    """
    return [
        dg.AssetSpec(
            key=model_key(node),
            deps=[key for parent in manifest.parents(unique_id) for key in _keys_of(manifest, parent, landed_keys)],
            description=node["description"] or None,
            group_name=_group(node),
            kinds={"dbt", node["config"]["materialized"]},
            owners=_owners(manifest, node),
            code_version=node["checksum"]["checksum"][:12],
            metadata={
                "dagster/column_schema": dg.TableSchema(
                    columns=[
                        dg.TableColumn(
                            column["name"],
                            column.get("data_type") or "",
                            description=column.get("description") or None,
                        )
                        for column in node["columns"].values()
                    ]
                ),
                "dagster/table_name": f"{node['schema']}.{node['name']}",
                "model": f"dbt_project/{node['original_file_path']}",
            },
        )
        for unique_id, node in manifest.models_of(op).items()
    ]


def test_specs(manifest: DbtManifest, op: DbtOp) -> list[dg.AssetCheckSpec]:
    """Return one asset check for each data test of `op`; severity `error` blocks what stands downstream."""
    return [
        dg.AssetCheckSpec(
            test_check_name(node),
            asset=model_key(manifest.models[model]),
            description=node["description"] or None,
            blocking=is_blocking(node),
        )
        for model, node in manifest.tests_of(op).values()
    ]


def is_blocking(test: Mapping[str, Any]) -> bool:
    """Tell whether what fails this data test must not be published."""
    return test["config"]["severity"].lower() == "error"


def reviewed_file_specs(manifest: DbtManifest) -> list[dg.AssetSpec]:
    """Return the files of the price book and of the alert rules as assets that nothing builds."""
    return [
        dg.AssetSpec(
            key=reviewed_file_key(source),
            description=source["description"] or None,
            group_name=source["source_name"],
            kinds={"csv"},
        )
        for source in manifest.sources.values()
        if source["source_name"] in REVIEWED_FILES
    ]


def _keys_of(manifest: DbtManifest, unique_id: str, landed_keys: LandedKeys) -> Iterable[dg.AssetKey]:
    if unique_id in manifest.models:
        return [model_key(manifest.models[unique_id])]
    source = manifest.sources[unique_id]
    if source["source_name"] in REVIEWED_FILES:
        return [reviewed_file_key(source)]
    return landed_keys(source["name"])


def _group(node: Mapping[str, Any]) -> str:
    """Return the folder of the model: `staging`, `intermediate`, `alerts`, or the folder below `marts`."""
    folders = node["fqn"][1:-1]
    if len(folders) > 1 and folders[0] == "marts":
        return folders[1]
    return folders[0] if folders else "models"


def _owners(manifest: DbtManifest, node: Mapping[str, Any]) -> list[str]:
    name = node.get("group")
    for group in manifest.groups.values():
        if group["name"] == name and group["owner"].get("email"):
            return [group["owner"]["email"]]
    return []
