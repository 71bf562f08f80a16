"""Sessions of one database, so that two statements run at once.

Belongs here: doing something with many things, side by side. Does not belong here: what is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import duckdb

_Thing = TypeVar("_Thing")
_Answer = TypeVar("_Answer")

_AT_ONCE = 2
"""Statements. One that writes a small mart, or a day of a fact, keeps 1.4 of two cores busy (lab); rows of each wait in
memory for their row group, so more statements would need more memory."""


def side_by_side(
    connection: duckdb.DuckDBPyConnection,
    do: Callable[[duckdb.DuckDBPyConnection, _Thing], _Answer],
    things: Iterable[_Thing],
) -> list[_Answer]:
    """Do something with each thing, in a session of its own in UTC; return the answers in the order of the things.

    The first error is raised when what has begun is over.
    """

    def in_a_session(thing: _Thing) -> _Answer:
        with connection.cursor() as session:
            session.execute("set TimeZone = 'UTC'")
            return do(session, thing)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(in_a_session, things))
