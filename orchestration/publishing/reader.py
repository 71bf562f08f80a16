"""How everything downstream opens what is published.

Belongs here: opening the current version so that it stays readable. Does not belong here: queries about
money.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.publishing.errors import NotPublishedError
from orchestration.publishing.versions import current_version, marts_path
from orchestration.sql import ROOT_VARIABLE, glob_literal, literal

__all__ = ["current_version", "open_marts"]

_ATTEMPTS = 100


def open_marts(
    published: Path, *, memory_limit: str | None = None, threads: int | None = None
) -> duckdb.DuckDBPyConnection:
    """Open the current version, read-only; it stays as it is for as long as the connection is open.

    The folder may have been moved or copied. Times are UTC. Close the connection to let go of the version.

    Args:
        published: The folder that `publish` writes.
        memory_limit: DuckDB's limit, such as `500MB`; its default otherwise.
        threads: How many threads a query may use; all cores otherwise.

    Raises:
        NotPublishedError: When nothing has been published into the folder.
    """
    folder = published.absolute()
    for _ in range(_ATTEMPTS):
        version = current_version(folder)
        if version is None:
            raise NotPublishedError(f"nothing is published in {published}; run `make run` first")
        # The versioned file, not the link: only its own name tells whether it was dropped meanwhile.
        marts = marts_path(folder, version)
        try:
            connection = duckdb.connect(str(marts), read_only=True)
        except duckdb.IOException:
            if marts.exists():
                raise
            continue  # dropped between reading the link and opening: three publications went by
        if marts.exists():
            break
        connection.close()
    else:
        raise NotPublishedError(f"the version that {published}/marts.duckdb names is missing; publish again")
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(f"set variable {ROOT_VARIABLE} = {literal(glob_literal(folder))}")
    if memory_limit is not None:
        connection.execute(f"set memory_limit = {literal(memory_limit)}")
    if threads is not None:
        connection.execute(f"set threads = {threads}")
    return connection
