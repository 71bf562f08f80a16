"""`marts-<version>.duckdb`: the small database that readers open.

Belongs here: building it from Parquet files that are in place, and verifying it. Does not belong here:
which files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import duckdb

from orchestration.publishing.catalogue import Catalogue, PublishedMart, write_catalogue
from orchestration.publishing.errors import PublishError
from orchestration.publishing.evidence import Evidence, collect_evidence
from orchestration.publishing.marts import Column
from orchestration.publishing.slices import DAY_COLUMN, Slice, Slicing
from orchestration.sql import ROOT_VARIABLE, glob_literal, identifier, literal

DuckDBConfig = dict[str, str | bool | int | float | list[str]]


def build_marts_file(target: Path, published: Path, catalogue: Catalogue, config: DuckDBConfig) -> None:
    """Write the marts file of a version: marts published whole as tables, others as views over their files.

    A view finds its files below `published`, or below the folder that the DuckDB variable
    `trueup_published` names: `set variable trueup_published = '/where/the/copy/lies'` makes a moved folder
    readable, and `open_marts` says it.
    """
    with duckdb.connect(str(target), config=config) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("begin")
        for mart in catalogue.marts.values():
            _create_mart(connection, published, mart)
        write_catalogue(connection, catalogue)
        connection.execute("commit")
        connection.execute("force checkpoint")
    if target.with_name(target.name + ".wal").exists():
        raise PublishError(f"{target} was not written whole; publish again")


def verify_marts_file(
    marts: Path,
    published: Path,
    catalogue: Catalogue,
    expected: Mapping[str, Mapping[Slice, Evidence]],
    config: DuckDBConfig,
) -> None:
    """Open the marts file as a reader does and query every object of it.

    Args:
        marts: The file.
        published: The folder that its views read.
        catalogue: What the version is to hold.
        expected: By mart, the slices whose rows are read back in full, with the evidence that the warehouse
            gave. Of other slices the file must be there in its size.
        config: Of DuckDB.

    Raises:
        PublishError: When anything is missing or differs from what the warehouse holds.
        duckdb.Error: When anything cannot be read.
    """
    for mart in catalogue.marts.values():
        for file in mart.files.values():
            if not file.is_intact(published):
                raise PublishError(f"{published / file.file} is missing or damaged; publish again")
    with duckdb.connect(str(marts), read_only=True, config=config) as connection:
        for mart in catalogue.marts.values():
            _verify_mart(connection, mart, expected.get(mart.name, {}))


def files_relation(published: Path, mart: PublishedMart, slices: Collection[Slice] | None = None) -> str:
    """Return a `read_parquet` call over the files of a mart, or of some of its slices."""
    files = [str(published / file.file) for file in mart.files.values() if slices is None or file.slice_ in slices]
    return _read_parquet(f"[{', '.join(literal(glob_literal(Path(file))) for file in sorted(files))}]", mart)


def _create_mart(connection: duckdb.DuckDBPyConnection, published: Path, mart: PublishedMart) -> None:
    name = identifier(mart.name)
    columns = mart.shape.columns
    select_list = ", ".join(identifier(column.name) for column in columns)
    if not mart.files:
        kind = "view"
        nothing = ", ".join(f"cast(null as {column.type}) as {identifier(column.name)}" for column in columns)
        connection.execute(f"create view {name} as select {nothing} where false")
    elif mart.shape.slicing is Slicing.WHOLE:
        kind = "table"
        connection.execute(f"create table {name} as select {select_list} from {files_relation(published, mart)}")
    else:
        kind = "view"
        root = f"coalesce(getvariable({literal(ROOT_VARIABLE)}), {literal(glob_literal(published))})"
        files = ", ".join(literal(file) for file in sorted(file.file for file in mart.files.values()))
        paths = f"list_transform([{files}], lambda file: {root} || '/' || file)"
        connection.execute(f"create view {name} as select {select_list} from {_read_parquet(paths, mart)}")
    if mart.shape.description:
        connection.execute(f"comment on {kind} {name} is {literal(mart.shape.description)}")
    for column in columns:
        if column.description:
            connection.execute(f"comment on column {name}.{identifier(column.name)} is {literal(column.description)}")


def _read_parquet(paths: str, mart: PublishedMart) -> str:
    if mart.shape.slicing is not Slicing.DAY:
        return f"read_parquet({paths}, hive_partitioning = false)"
    return f"read_parquet({paths}, hive_partitioning = true, hive_types = {{{literal(DAY_COLUMN)}: date}})"


def _verify_mart(
    connection: duckdb.DuckDBPyConnection, mart: PublishedMart, expected: Mapping[Slice, Evidence]
) -> None:
    name = identifier(mart.name)
    found_columns = [Column(row[0], row[1]) for row in connection.execute(f"describe {name}").fetchall()]
    if found_columns != [Column(column.name, column.type) for column in mart.shape.columns]:
        raise PublishError(
            f"{mart.name}: Parquet does not keep the types of its columns; cast them in the model. "
            f"Warehouse: {[(c.name, c.type) for c in mart.shape.columns]}; "
            f"Parquet: {[(c.name, c.type) for c in found_columns]}"
        )
    if mart.shape.slicing is Slicing.WHOLE:  # its table is new, even where its file is not
        file = mart.files[None]
        expected = {None: Evidence.from_json(file.row_count, file.totals_json, file.fingerprint)}
    if not expected:
        return
    found = collect_evidence(connection, name, mart.shape, expected)
    for slice_, evidence in expected.items():
        if slice_ not in found:
            raise PublishError(f"{mart.name} of {slice_}: the warehouse has rows, the published files have none")
        if difference := evidence.difference(found[slice_]):
            raise PublishError(f"{mart.name} of {slice_} differs from the warehouse: {difference}")
    if extra := set(found) - set(expected):
        raise PublishError(
            f"{mart.name}: the published files have rows that the warehouse lacks: {sorted(map(str, extra))}"
        )
